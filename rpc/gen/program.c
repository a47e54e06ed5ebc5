/* program.c - the parts of main functions. Single-threaded. */
#include "program.h"

void gen_program_tell(const char *program, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s%s%s\n", program, what, why[0] != '\0' ? ": " : "", why);
}

struct gen_text gen_program_read(struct stint__arena *arena, FILE *f)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;)
        gen_text_add_bytes(&t, buffer, n);
    return t;
}
