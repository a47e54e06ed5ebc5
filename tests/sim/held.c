/* held.c - see the header. The linker puts these functions in the place of rpc/base/alloc.h's, and
 * they count (--wrap). What the library gives away, replies, is to be freed with held_allocator. */
#include "held.h"

#include <stint/ctx.h>

#include "alloc.h"
#include "clock.h"

static size_t allocations;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker gives the names. */
#define REAL(ret, name, ...)                                                                       \
    ret __real_##name(__VA_ARGS__);                                                                \
    ret __wrap_##name(__VA_ARGS__);

REAL(void *, stint__alloc, size_t)
REAL(void *, stint__alloc_zeroed, size_t)
REAL(void *, stint__alloc_array, size_t, size_t)
REAL(void *, stint__realloc, void *, size_t)
REAL(void, stint__free, void *)
REAL(char *, stint__strdup, const char *)
/* NOLINTEND(bugprone-reserved-identifier) */

static void *counted(void *p)
{
    allocations += p != NULL;
    return p;
}

void *__wrap_stint__alloc(size_t n)
{
    return counted(__real_stint__alloc(n));
}

void *__wrap_stint__alloc_zeroed(size_t n)
{
    return counted(__real_stint__alloc_zeroed(n));
}

void *__wrap_stint__alloc_array(size_t count, size_t size)
{
    return counted(__real_stint__alloc_array(count, size));
}

void *__wrap_stint__realloc(void *p, size_t n)
{
    void *moved = __real_stint__realloc(p, n);
    allocations += p == NULL && moved != NULL;
    return moved;
}

void __wrap_stint__free(void *p)
{
    allocations -= p != NULL;
    __real_stint__free(p);
}

char *__wrap_stint__strdup(const char *s)
{
    return counted(__real_stint__strdup(s));
}

struct held held_look(void)
{
    return (struct held){
        .allocations = allocations,
        .contexts = stint_ctx_live_count(),
        .timers = stint__timer_count(),
    };
}

static void *allocate(void *data, size_t n)
{
    (void)data;
    return stint__alloc(n);
}

static void release(void *data, void *p)
{
    (void)data;
    stint__free(p);
}

ProtobufCAllocator *held_allocator(void)
{
    static ProtobufCAllocator allocator = {allocate, release, NULL};
    return &allocator;
}
