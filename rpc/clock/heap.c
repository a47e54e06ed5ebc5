/* heap.c - a 4-ary heap: half the depth of a binary one, and four children lie in two cache lines.
 *
 * Invariants: no entry is sooner than its parent; entries[i].timer->slot == i. */
#include "heap.h"

#include "alloc.h"

#define ARITY        ((size_t)4)
#define CAPACITY_MIN ((size_t)64)

static bool sooner(const struct stint__heap_entry *a, const struct stint__heap_entry *b)
{
    return a->when.ns != b->when.ns ? a->when.ns < b->when.ns : a->order < b->order;
}

static void place(struct stint__heap *h, size_t slot, const struct stint__heap_entry *e)
{
    h->entries[slot] = *e;
    e->timer->slot = slot;
}

static void sift_up(struct stint__heap *h, size_t slot, struct stint__heap_entry e)
{
    while (slot > 0) {
        size_t parent = (slot - 1) / ARITY;
        if (!sooner(&e, &h->entries[parent]))
            break;
        place(h, slot, &h->entries[parent]);
        slot = parent;
    }
    place(h, slot, &e);
}

static size_t soonest_child(const struct stint__heap *h, size_t first)
{
    size_t end = first + ARITY < h->count ? first + ARITY : h->count;
    size_t best = first;
    for (size_t child = first + 1; child < end; child++) {
        if (sooner(&h->entries[child], &h->entries[best]))
            best = child;
    }
    return best;
}

static void sift_down(struct stint__heap *h, size_t slot, struct stint__heap_entry e)
{
    for (size_t first; (first = slot * ARITY + 1) < h->count;) {
        size_t child = soonest_child(h, first);
        if (!sooner(&h->entries[child], &e))
            break;
        place(h, slot, &h->entries[child]);
        slot = child;
    }
    place(h, slot, &e);
}

/* Puts e where it belongs, given that `slot` is free and everything else is in order. */
static void settle(struct stint__heap *h, size_t slot, struct stint__heap_entry e)
{
    if (slot > 0 && sooner(&e, &h->entries[(slot - 1) / ARITY]))
        sift_up(h, slot, e);
    else
        sift_down(h, slot, e);
}

static bool resize(struct stint__heap *h, size_t capacity)
{
    if (capacity > SIZE_MAX / sizeof *h->entries)
        return false;
    struct stint__heap_entry *entries = stint__realloc(h->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    h->entries = entries;
    h->capacity = capacity;
    return true;
}

bool stint__heap_reserve(struct stint__heap *h)
{
    if (h->count < h->capacity)
        return true;
    return resize(h, h->capacity > 0 ? h->capacity * 2 : CAPACITY_MIN);
}

void stint__heap_put(struct stint__heap *h, struct stint__timer *timer, uint64_t order)
{
    struct stint__heap_entry e = {.when = timer->when, .order = order, .timer = timer};
    settle(h, timer->slot != STINT__NO_SLOT ? timer->slot : h->count++, e);
}

void stint__heap_remove(struct stint__heap *h, size_t slot)
{
    h->entries[slot].timer->slot = STINT__NO_SLOT;
    struct stint__heap_entry last = h->entries[--h->count];
    if (slot < h->count)
        settle(h, slot, last);
    /* At a quarter, so that going to and fro around a size does not allocate each time. */
    if (h->capacity > CAPACITY_MIN && h->count < h->capacity / 4)
        (void)resize(h, h->capacity / 2);
}

void stint__heap_fini(struct stint__heap *h)
{
    stint__free(h->entries);
    *h = (struct stint__heap){0};
}
