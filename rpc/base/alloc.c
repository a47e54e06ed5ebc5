/* alloc.c - every allocation of the library goes through here.
 *
 * The gate is the one piece of mutable state: it stands at file scope because an allocator is asked
 * from everywhere, and it is written only by tests while nothing else allocates. It is atomic so
 * that a thread of the library which looks at it meanwhile is no data race. */
#include "alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static stint__alloc_gate_fn *_Atomic gate_fn;
static void *_Atomic gate_arg;

static bool allowed(size_t n)
{
    stint__alloc_gate_fn *gate = atomic_load_explicit(&gate_fn, memory_order_acquire);
    return gate == NULL || gate(atomic_load_explicit(&gate_arg, memory_order_relaxed), n);
}

/* What malloc(0) returns is up to the C library, and realloc(p, 0) may free: never ask for nothing.
 */
static size_t at_least_one(size_t n)
{
    return n > 0 ? n : 1;
}

void *stint__alloc(size_t n)
{
    return allowed(n) ? malloc(at_least_one(n)) : NULL;
}

void *stint__alloc_zeroed(size_t n)
{
    return allowed(n) ? calloc(1, at_least_one(n)) : NULL;
}

void *stint__alloc_array(size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size)
        return NULL;
    return stint__alloc_zeroed(count * size);
}

void *stint__realloc(void *p, size_t n)
{
    return allowed(n) ? realloc(p, at_least_one(n)) : NULL;
}

void stint__free(void *p)
{
    free(p);
}

char *stint__strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = stint__alloc(n);
    return copy != NULL ? memcpy(copy, s, n) : NULL;
}

void stint__alloc_set_gate(stint__alloc_gate_fn *gate, void *arg)
{
    atomic_store_explicit(&gate_arg, arg, memory_order_relaxed);
    atomic_store_explicit(&gate_fn, gate, memory_order_release);
}
