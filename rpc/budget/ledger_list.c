/* ledger_list.c - the entries of a ledger: adding, dropping, looking.
 *
 * Invariants: the entries are in preorder, each at most one deeper than the one before it. What is
 * dropped is the deepest, so it has no children, and those of an entry that found no room are
 * deeper than all others and find none either: no entry is without its caller. */
#include "ledger_list.h"

#include <string.h>

#include "alloc.h"

#define TEXTS_MAX ((size_t)64 * 1024) /* bytes, of a whole ledger; dropped ones stay */

stint_ledger *stint__ledger_new(size_t limit)
{
    stint_ledger *l = stint__alloc(sizeof *l);
    if (l == NULL)
        return NULL;
    l->count = 0;
    l->dropped = 0;
    l->limit = l->most = limit;
    l->entries = l->few;
    l->capacity = STINT__LEDGER_FEW;
    stint__arena_init(&l->texts, l->first, sizeof l->first, TEXTS_MAX);
    return l;
}

void stint__ledger_clear(stint_ledger *l)
{
    l->count = 0;
    l->dropped = 0;
    l->limit = l->most;
    stint__arena_fini(&l->texts);
    stint__arena_init(&l->texts, l->first, sizeof l->first, TEXTS_MAX);
}

void stint__ledger_free(stint_ledger *l)
{
    if (l == NULL)
        return;
    stint__arena_fini(&l->texts);
    if (l->entries != l->few)
        stint__free(l->entries);
    stint__free(l);
}

const char *stint__ledger_text(stint_ledger *l, struct stint__slice text)
{
    if (text.len == 0)
        return "";
    char *copy = stint__arena_alloc(&l->texts, text.len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool grow(stint_ledger *l)
{
    if (l->count < l->capacity)
        return true;
    size_t capacity = 2 * l->capacity;
    stint_ledger_entry *entries = stint__alloc_array(capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    memcpy(entries, l->entries, l->count * sizeof *entries);
    if (l->entries != l->few)
        stint__free(l->entries);
    l->entries = entries;
    l->capacity = capacity;
    return true;
}

/* True if a can be done without sooner than b. */
static bool less_telling(const stint_ledger_entry *a, const stint_ledger_entry *b)
{
    return a->depth != b->depth ? a->depth > b->depth : a->elapsed < b->elapsed;
}

static void count_dropped(stint_ledger *l, uint32_t n)
{
    l->dropped = n < UINT32_MAX - l->dropped ? l->dropped + n : UINT32_MAX;
}

/* The entry to do without first, of one at least. */
static size_t least_telling(const stint_ledger *l)
{
    size_t least = l->count - 1; /* of equals the last: it may be the one that is being added */
    for (size_t i = l->count - 1; i-- > 0;)
        if (less_telling(&l->entries[i], &l->entries[least]))
            least = i;
    return least;
}

void stint__ledger_drop(stint_ledger *l)
{
    if (l->count == 0)
        return;
    size_t at = least_telling(l);
    l->count--;
    memmove(&l->entries[at], &l->entries[at + 1], (l->count - at) * sizeof *l->entries);
    count_dropped(l, 1);
}

void stint__ledger_add(stint_ledger *l, const stint_ledger_entry *e)
{
    if (l->count < l->limit && !grow(l))
        l->limit = l->count; /* there will be no room for more */
    if (l->count == l->limit) {
        size_t least = least_telling(l);
        if (!less_telling(&l->entries[least], e)) {
            count_dropped(l, 1);
            return;
        }
        stint__ledger_drop(l);
    }
    stint_ledger_entry *added = &l->entries[l->count++];
    *added = *e;
    added->service = e->service != NULL ? e->service : "";
    added->method = e->method != NULL ? e->method : "";
    added->target = e->target != NULL ? e->target : "";
}

const char *stint__ledger_copy(stint_ledger *l, const char *text)
{
    return stint__ledger_text(l, (struct stint__slice){(const uint8_t *)text, strlen(text)});
}

void stint__ledger_append(stint_ledger *l, const stint_ledger *from, stint_duration start)
{
    for (size_t i = 0; i < from->count; i++) {
        stint_ledger_entry e = from->entries[i];
        if (i == 0)
            e.start = start;
        e.depth++;
        e.service = stint__ledger_copy(l, e.service);
        e.method = stint__ledger_copy(l, e.method);
        /* Whoever has said its name needs no address. */
        e.target = e.state == STINT_LEDGER_ANSWERED ? "" : stint__ledger_copy(l, e.target);
        stint__ledger_add(l, &e);
    }
    count_dropped(l, from->dropped);
}

/* ---- looking ---- */

size_t stint_ledger_count(const stint_ledger *l)
{
    return l != NULL ? l->count : 0;
}

const stint_ledger_entry *stint_ledger_at(const stint_ledger *l, size_t i)
{
    return i < stint_ledger_count(l) ? &l->entries[i] : NULL;
}

uint32_t stint_ledger_dropped(const stint_ledger *l)
{
    return l != NULL ? l->dropped : 0;
}

/* Of the span from *from on, up to `end` at most, the part before the child's end is not the
 * hop's own: returns what of it was, before the child began, and moves *from. */
static stint_duration own_before(const stint_ledger_entry *child, stint_duration end,
                                 stint_duration *from)
{
    stint_duration begin = child->start < end ? child->start : end;
    stint_duration until =
        child->start + child->elapsed < end ? child->start + child->elapsed : end;
    stint_duration own = begin > *from ? begin - *from : 0;
    if (until > *from)
        *from = until;
    return own;
}

/* The child of entry i that begins first among those that begin after (start, index) `after`. */
static size_t next_child(const stint_ledger *l, size_t i, size_t after)
{
    const stint_ledger_entry *all = l->entries;
    size_t best = 0;
    for (size_t k = i + 1; k < l->count && all[k].depth > all[i].depth; k++) {
        if (all[k].depth != all[i].depth + 1)
            continue;
        bool later = after == 0 || all[k].start > all[after].start ||
                     (k > after && all[k].start == all[after].start);
        if (later && (best == 0 || all[k].start < all[best].start))
            best = k;
    }
    return best;
}

stint_duration stint_ledger_self(const stint_ledger *l, size_t i)
{
    const stint_ledger_entry *e = stint_ledger_at(l, i);
    if (e == NULL)
        return 0;
    stint_duration self = e->elapsed - e->used; /* on the way */
    if (self < 0)
        self = 0;
    stint_duration from = 0;
    for (size_t k = next_child(l, i, 0); k != 0; k = next_child(l, i, k))
        self += own_before(&l->entries[k], e->used, &from);
    return self + (e->used > from ? e->used - from : 0);
}

size_t stint_ledger_slowest(const stint_ledger *l)
{
    size_t slowest = 0;
    stint_duration most = 0;
    for (size_t i = 0; i < stint_ledger_count(l); i++) {
        stint_duration self = stint_ledger_self(l, i);
        if (self > most) {
            most = self;
            slowest = i;
        }
    }
    return slowest;
}
