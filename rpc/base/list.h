/* list.h - an intrusive, circular, doubly linked list. No locking, no allocation.
 *
 * A head and a link are the same struct; a link that is in no list points to itself, so that
 * unlinking twice is harmless. */
#ifndef STINT_BASE_LIST_H
#define STINT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct stint__list {
    struct stint__list *prev, *next;
};

/* The struct that holds `member` at `ptr`. */
#define STINT__CONTAINER_OF(ptr, type, member)                                                     \
    ((type *)(void *)((char *)(void *)(ptr)-offsetof(type, member)))

static inline void stint__list_init(struct stint__list *l)
{
    l->prev = l->next = l;
}

static inline bool stint__list_empty(const struct stint__list *l)
{
    return l->next == l;
}

static inline void stint__list_push_back(struct stint__list *head, struct stint__list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void stint__list_push_front(struct stint__list *head, struct stint__list *link)
{
    stint__list_push_back(head->next, link);
}

static inline void stint__list_unlink(struct stint__list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    stint__list_init(link);
}

/* The first link, unlinked, or NULL. */
static inline struct stint__list *stint__list_pop_front(struct stint__list *head)
{
    struct stint__list *link = head->next;
    if (link == head)
        return NULL;
    stint__list_unlink(link);
    return link;
}

/* Moves everything in `from` to the end of `to`. */
static inline void stint__list_splice(struct stint__list *to, struct stint__list *from)
{
    if (stint__list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    stint__list_init(from);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): `it` is declared here. */
/* Visits every link; the visited one may be unlinked. */
#define STINT_LIST_FOREACH(it, head)                                                               \
    for (struct stint__list *it = (head)->next, *it##_next = it->next; it != (head);               \
         it = it##_next, it##_next = it->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
