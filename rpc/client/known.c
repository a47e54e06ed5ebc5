/* known.c - a hash table with open addressing whose places are taken once and for all.
 *
 * Invariant: between a method's home and its place there is no free one; for places are taken by
 * compare-and-swap, in order, and never freed. A search looks at PROBES_MAX places at most. All is
 * relaxed: a place's values stand for themselves, and zero always means "nothing known". */
#include "known.h"

#include "random.h"

#define PROBES_MAX 8

static struct stint__known *place(struct stint__knowledge *k, const stint_method *method, size_t i)
{
    size_t home = (size_t)stint__mix((uint64_t)(uintptr_t)method);
    return &k->methods[(home + i) % STINT__KNOWN_METHODS];
}

struct stint__known *stint__known_find(struct stint__knowledge *k, const stint_method *method)
{
    for (size_t i = 0; i < PROBES_MAX; i++) {
        struct stint__known *at = place(k, method, i);
        const stint_method *there = atomic_load_explicit(&at->method, memory_order_relaxed);
        if (there == method)
            return at;
        if (there == NULL)
            return NULL;
    }
    return NULL;
}

struct stint__known *stint__known_claim(struct stint__knowledge *k, const stint_method *method)
{
    for (size_t i = 0; i < PROBES_MAX; i++) {
        struct stint__known *at = place(k, method, i);
        const stint_method *there = NULL;
        if (atomic_compare_exchange_strong(&at->method, &there, method) || there == method)
            return at;
    }
    return NULL;
}

void stint__known_forget(struct stint__knowledge *k)
{
    atomic_fetch_add(&k->generation, 1);
    for (size_t i = 0; i < STINT__KNOWN_METHODS; i++) {
        struct stint__known *at = &k->methods[i];
        atomic_store_explicit(&at->needed, 0, memory_order_relaxed);
        for (size_t level = 0; level < STINT__KNOWN_LEVELS; level++)
            stint__throttle_reset(&at->throttles[level]);
    }
}

void stint__known_learn(struct stint__known *known, stint_duration needed, stint_time now)
{
    atomic_store_explicit(&known->confirmed, now.ns, memory_order_relaxed);
    atomic_store_explicit(&known->needed, needed, memory_order_relaxed);
}

stint_duration stint__known_needed(const struct stint__known *known, stint_time now)
{
    stint_duration needed = atomic_load_explicit(&known->needed, memory_order_relaxed);
    if (needed == 0)
        return 0;
    int64_t confirmed = atomic_load_explicit(&known->confirmed, memory_order_relaxed);
    return now.ns - confirmed < STINT__KNOWN_FADES ? needed : 0;
}

bool stint__known_is_probe(struct stint__known *known)
{
    uint_fast32_t before = atomic_fetch_add_explicit(&known->too_short, 1, memory_order_relaxed);
    return before % STINT__KNOWN_PROBES == STINT__KNOWN_PROBES - 1;
}
