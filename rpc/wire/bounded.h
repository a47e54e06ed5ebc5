/* bounded.h - an allocator for protobuf-c that refuses past a budget of bytes and past a distance
 * down the stack. protobuf-c allocates once at each level it descends, so it cannot get deeper than
 * the allocator lets it. */
#ifndef STINT_WIRE_BOUNDED_H
#define STINT_WIRE_BOUNDED_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "arena.h"

/* What each block counts beyond its size: at least what malloc adds to it. */
#define STINT__BOUNDED_OVERHEAD 32

enum stint__bound {
    STINT__BOUND_NONE,
    STINT__BOUND_MEMORY, /* the budget, or the arena's limit */
    STINT__BOUND_STACK,
    STINT__BOUND_SYSTEM, /* no memory to be had */
};

struct stint__bounded {
    ProtobufCAllocator allocator; /* refers to this struct, which must stay where it is */
    struct stint__arena *arena;   /* NULL: the heap */
    size_t left;                  /* of the budget; the heap's only */
    uintptr_t stack_from;
    size_t stack_max;
    enum stint__bound hit; /* why it first refused */
};

/* Blocks come from the arena, whose limit counts, or, if that is NULL, from the heap as by malloc:
 * then `max_memory` bounds the sum of everything ever asked for, freed or not. So the time that
 * protobuf-c spends on copying is bounded too. Stack is counted from the caller's frame. */
void stint__bounded_init(struct stint__bounded *b, struct stint__arena *arena, size_t max_memory,
                         size_t stack_max);

#endif
