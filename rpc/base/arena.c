/* arena.c - memory that is freed all at once.
 *
 * Invariants: `next` is aligned for anything (or NULL); every block handed out is a
 * multiple of that alignment; `used` is the sum of the blocks and never exceeds `limit`. The rest
 * of a chunk that is too small for a request is given up when a new chunk is made. */
#include "arena.h"

#include <stdalign.h>
#include <stdbool.h>

#include "alloc.h"

#define ALIGNMENT alignof(max_align_t)
#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)64 * 1024)

struct stint__arena_chunk {
    struct stint__arena_chunk *older;
    alignas(max_align_t) uint8_t data[];
};

/* How far p is from the next aligned address. */
static size_t misalignment(const void *p)
{
    return (size_t)(-(uintptr_t)p) & (ALIGNMENT - 1);
}

void stint__arena_init(struct stint__arena *a, void *first, size_t first_size, size_t limit)
{
    *a = (struct stint__arena){.limit = limit};
    if (first == NULL || misalignment(first) > first_size)
        return;
    a->next = (uint8_t *)first + misalignment(first);
    a->end = (uint8_t *)first + first_size;
}

void stint__arena_fini(struct stint__arena *a)
{
    struct stint__arena_chunk *chunk = a->chunks;
    while (chunk != NULL) {
        struct stint__arena_chunk *older = chunk->older;
        stint__free(chunk);
        chunk = older;
    }
    *a = (struct stint__arena){0};
}

/* Makes the current chunk one with at least n bytes. Chunks grow with what was used so far, so that
 * their number stays logarithmic. */
static bool add_chunk(struct stint__arena *a, size_t n)
{
    size_t size = a->used < CHUNK_MIN ? CHUNK_MIN : a->used < CHUNK_MAX ? a->used : CHUNK_MAX;
    if (size < n)
        size = n;
    struct stint__arena_chunk *chunk = stint__alloc(sizeof *chunk + size);
    if (chunk == NULL)
        return false;
    chunk->older = a->chunks;
    a->chunks = chunk;
    a->next = chunk->data;
    a->end = chunk->data + size;
    return true;
}

void *stint__arena_alloc(struct stint__arena *a, size_t n)
{
    if (n > a->limit || n > PTRDIFF_MAX)
        return NULL;
    n = n > 0 ? (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
    if (n > a->limit - a->used)
        return NULL;
    if (n > (size_t)(a->end - a->next) && !add_chunk(a, n))
        return NULL;
    void *block = a->next;
    a->next += n;
    a->used += n;
    return block;
}

static void *allocator_alloc(void *arena, size_t n)
{
    return stint__arena_alloc(arena, n);
}

static void allocator_free(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

ProtobufCAllocator stint__arena_allocator(struct stint__arena *a)
{
    return (ProtobufCAllocator){
        .alloc = allocator_alloc, .free = allocator_free, .allocator_data = a};
}
