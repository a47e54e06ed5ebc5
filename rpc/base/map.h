/* map.h - a hash map from 64-bit keys to pointers: open addressing, linear probing. Not
 * thread-safe. */
#ifndef STINT_BASE_MAP_H
#define STINT_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>

struct stint__map_slot {
    uint64_t key;
    void *value; /* NULL: empty */
};

struct stint__map {
    struct stint__map_slot *slots;
    size_t size, count; /* size is 0 or a power of two */
    uint64_t seed;      /* each map's own, so that a peer cannot choose keys that collide */
};

void stint__map_init(struct stint__map *m);
void stint__map_fini(struct stint__map *m);

/* Adds key (not there yet) with a value that is not NULL. False when out of memory. */
STINT_NODISCARD bool stint__map_put(struct stint__map *m, uint64_t key, void *value);
void *stint__map_get(const struct stint__map *m, uint64_t key);
void *stint__map_remove(struct stint__map *m, uint64_t key); /* what was there, or NULL */

/* Visits every entry: start with *pos = 0; NULL at the end. The map must not change meanwhile. */
void *stint__map_next(const struct stint__map *m, size_t *pos);

#endif
