/* map.c - a hash map with open addressing and linear probing.
 *
 * Invariants: at most 3/4 of the slots are full, so every probe ends at an empty one; between an
 * entry's home slot and the entry there is no empty slot. Removal keeps this by moving later
 * entries back, so there are no tombstones and a long-lived map does not slow down. */
#include "map.h"

#include "alloc.h"
#include "random.h"

#define SIZE_MIN ((size_t)16)

/* Keys come from peers: without the seed they could choose many that share a home. */
static size_t home(const struct stint__map *m, uint64_t key)
{
    return (size_t)stint__mix(key ^ m->seed) & (m->size - 1);
}

/* Where key is, or the empty slot where it would be. The map has slots. */
static size_t find(const struct stint__map *m, uint64_t key)
{
    size_t i = home(m, key);
    while (m->slots[i].value != NULL && m->slots[i].key != key)
        i = (i + 1) & (m->size - 1);
    return i;
}

void stint__map_init(struct stint__map *m)
{
    *m = (struct stint__map){.seed = stint__random()};
}

void stint__map_fini(struct stint__map *m)
{
    stint__free(m->slots);
    stint__map_init(m);
}

static bool grow(struct stint__map *m)
{
    struct stint__map bigger = *m;
    bigger.size = m->size > 0 ? m->size * 2 : SIZE_MIN;
    bigger.slots = stint__alloc_array(bigger.size, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < m->size; i++) {
        if (m->slots[i].value != NULL)
            bigger.slots[find(&bigger, m->slots[i].key)] = m->slots[i];
    }
    stint__free(m->slots);
    *m = bigger;
    return true;
}

bool stint__map_put(struct stint__map *m, uint64_t key, void *value)
{
    if (m->count >= m->size / 4 * 3 && !grow(m))
        return false;
    m->slots[find(m, key)] = (struct stint__map_slot){key, value};
    m->count++;
    return true;
}

void *stint__map_get(const struct stint__map *m, uint64_t key)
{
    return m->count > 0 ? m->slots[find(m, key)].value : NULL;
}

/* Fills the hole at i with the next entry that may stand there, and goes on with that one's place.
 */
static void close_gap(struct stint__map *m, size_t i)
{
    size_t mask = m->size - 1;
    for (size_t j = (i + 1) & mask; m->slots[j].value != NULL; j = (j + 1) & mask) {
        size_t probed = (j - home(m, m->slots[j].key)) & mask;
        if (probed >= ((j - i) & mask)) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i].value = NULL;
}

void *stint__map_remove(struct stint__map *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    size_t i = find(m, key);
    void *value = m->slots[i].value;
    if (value == NULL)
        return NULL;
    close_gap(m, i);
    m->count--;
    return value;
}

void *stint__map_next(const struct stint__map *m, size_t *pos)
{
    while (*pos < m->size) {
        void *value = m->slots[(*pos)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
