/* text.c - strings of the generator, in its arena.
 *
 * Invariant: len < size once anything was added, and data[len] is NUL. Text that is outgrown stays
 * in the arena until the end: doubling bounds it by the size of the text. Single-threaded. */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FIRST ((size_t)256)

static void out_of_memory(void)
{
    fputs("protoc-gen-stint: out of memory\n", stderr);
    exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe): there is one thread
}

void *gen_alloc(struct stint__arena *arena, size_t n)
{
    void *p = stint__arena_alloc(arena, n);
    if (p == NULL)
        out_of_memory();
    return memset(p, 0, n);
}

void *gen_alloc_array(struct stint__arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        out_of_memory();
    return gen_alloc(arena, count * size);
}

char *gen_format(struct stint__arena *arena, const char *fmt, ...)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    gen_text_add(&t, "");
    va_list args;
    va_start(args, fmt);
    gen_text_vprintf(&t, fmt, args);
    va_end(args);
    return t.data;
}

void gen_text_init(struct gen_text *t, struct stint__arena *arena)
{
    *t = (struct gen_text){.arena = arena};
}

/* Makes room for n more bytes and the NUL. */
static char *reserve(struct gen_text *t, size_t n)
{
    if (n > SIZE_MAX / 4 - t->len)
        out_of_memory();
    if (t->len + n < t->size)
        return t->data + t->len;
    size_t size = t->size == 0 ? TEXT_FIRST : 2 * t->size;
    while (size <= t->len + n)
        size *= 2;
    char *data = gen_alloc(t->arena, size);
    if (t->len > 0)
        memcpy(data, t->data, t->len);
    t->data = data;
    t->size = size;
    return t->data + t->len;
}

void gen_text_add_bytes(struct gen_text *t, const char *s, size_t n)
{
    char *end = reserve(t, n);
    memcpy(end, s, n);
    end[n] = '\0';
    t->len += n;
}

void gen_text_add(struct gen_text *t, const char *s)
{
    gen_text_add_bytes(t, s, strlen(s));
}

void gen_text_vprintf(struct gen_text *t, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n > 0) {
        char *end = reserve(t, (size_t)n);
        vsnprintf(end, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void gen_text_printf(struct gen_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    gen_text_vprintf(t, fmt, args);
    va_end(args);
}
