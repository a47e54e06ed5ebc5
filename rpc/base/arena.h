/* arena.h - memory that is freed all at once. Not thread-safe.
 *
 * The first bytes come from the space that the owner provides (often inside its own allocation), so
 * that a small call needs no further malloc. */
#ifndef STINT_BASE_ARENA_H
#define STINT_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <stint/macros.h>

struct stint__arena_chunk;

struct stint__arena {
    uint8_t *next, *end;               /* what is left of the current chunk */
    struct stint__arena_chunk *chunks; /* the allocated ones, newest first */
    size_t used, limit;                /* bytes handed out, and how many may be */
};

/* `first` (may be NULL) is `first_size` bytes that outlive the arena. */
void stint__arena_init(struct stint__arena *a, void *first, size_t first_size, size_t limit);
void stint__arena_fini(struct stint__arena *a);

/* Aligned for anything, not cleared; NULL past the limit or out of memory. */
STINT_NODISCARD void *stint__arena_alloc(struct stint__arena *a, size_t n);

/* A view of the arena for protobuf-c; its free does nothing. */
ProtobufCAllocator stint__arena_allocator(struct stint__arena *a);

#endif
