/* held.h - what the library holds on to: memory, contexts, timers. */
#ifndef STINT_TESTS_SIM_HELD_H
#define STINT_TESTS_SIM_HELD_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct held {
    size_t allocations;
    size_t contexts;
    size_t timers;
};

struct held held_look(void);

/* Frees messages that the library made, so that it is counted. */
ProtobufCAllocator *held_allocator(void);

#endif
