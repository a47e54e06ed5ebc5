/* text.h - strings of the generator: everything lives in one arena, until the run ends.
 *
 * The generator is a program that runs for milliseconds: when memory runs out it says so on stderr
 * and exits, so that no caller has to check. */
#ifndef STINT_GEN_TEXT_H
#define STINT_GEN_TEXT_H

#include <stdarg.h>
#include <stddef.h>

#include <stint/macros.h>

#include "arena.h"

/* Zeroed memory from the arena; never NULL. */
void *gen_alloc(struct stint__arena *arena, size_t n);
void *gen_alloc_array(struct stint__arena *arena, size_t count, size_t size);

/* Formatted into the arena; never NULL. */
char *gen_format(struct stint__arena *arena, const char *fmt, ...) STINT_PRINTF(2, 3);

/* A text that grows. `data` is NUL-terminated once anything was added. */
struct gen_text {
    struct stint__arena *arena;
    char *data;
    size_t len, size;
};

void gen_text_init(struct gen_text *t, struct stint__arena *arena);
void gen_text_add(struct gen_text *t, const char *s);
void gen_text_add_bytes(struct gen_text *t, const char *s, size_t n);
void gen_text_printf(struct gen_text *t, const char *fmt, ...) STINT_PRINTF(2, 3);
void gen_text_vprintf(struct gen_text *t, const char *fmt, va_list args) STINT_PRINTF(2, 0);

#endif
