/* bounded.c - an allocator for protobuf-c that knows when to stop.
 *
 * Invariant: what was handed out and STINT__BOUNDED_OVERHEAD for each block never sum up to more
 * than the budget. The frame's own address is compared, not that of a variable: AddressSanitizer
 * may keep variables elsewhere. */
#include "bounded.h"

#include <stdbool.h>

#include "alloc.h"

static uintptr_t frame_address(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static void *refuse(struct stint__bounded *b, enum stint__bound why)
{
    if (b->hit == STINT__BOUND_NONE)
        b->hit = why;
    return NULL;
}

static bool too_deep(const struct stint__bounded *b)
{
    uintptr_t here = frame_address();
    size_t distance = here < b->stack_from ? b->stack_from - here : here - b->stack_from;
    return distance > b->stack_max;
}

static void *arena_alloc(void *data, size_t n)
{
    struct stint__bounded *b = data;
    if (too_deep(b))
        return refuse(b, STINT__BOUND_STACK);
    void *block = stint__arena_alloc(b->arena, n);
    return block != NULL ? block : refuse(b, STINT__BOUND_MEMORY);
}

static void arena_free(void *data, void *block)
{
    (void)data;
    (void)block;
}

static void *heap_alloc(void *data, size_t n)
{
    struct stint__bounded *b = data;
    if (too_deep(b))
        return refuse(b, STINT__BOUND_STACK);
    if (b->left < STINT__BOUNDED_OVERHEAD || n > b->left - STINT__BOUNDED_OVERHEAD)
        return refuse(b, STINT__BOUND_MEMORY);
    b->left -= n + STINT__BOUNDED_OVERHEAD;
    void *block = stint__alloc(n);
    return block != NULL ? block : refuse(b, STINT__BOUND_SYSTEM);
}

static void heap_free(void *data, void *block)
{
    (void)data;
    stint__free(block);
}

void stint__bounded_init(struct stint__bounded *b, struct stint__arena *arena, size_t max_memory,
                         size_t stack_max)
{
    *b = (struct stint__bounded){
        .arena = arena, .left = max_memory, .stack_from = frame_address(), .stack_max = stack_max};
    b->allocator = (ProtobufCAllocator){
        .alloc = arena != NULL ? arena_alloc : heap_alloc,
        .free = arena != NULL ? arena_free : heap_free,
        .allocator_data = b,
    };
}
