/* check_main.c - stint-check: whether the budgets that a fleet's .proto files declare fit.
 *
 * Exit status: 0 if they do, 1 if not, 2 if that could not be found out. */
#include <errno.h>
#include <string.h>

#include "fleet.h"
#include "program.h"

enum { FITS = 0, DOES_NOT_FIT = 1, UNKNOWN = 2 };

static const char usage[] =
    "stint-check tells whether the budgets that the .proto files of a fleet declare fit.\n"
    "\n"
    "    protoc --include_imports --include_source_info --descriptor_set_out=fleet.pb *.proto\n"
    "    stint-check [--graph] [--werror] fleet.pb\n"
    "\n"
    "--graph    shows who calls whom and what each gets\n"
    "--werror   takes warnings for errors\n"
    "--help     shows this\n"
    "--version  shows the version\n"
    "\n"
    "Its exit status is 1 if there are errors, 2 if the file cannot be read.\n";

struct arguments {
    const char *file; /* "-" is stdin */
    bool graph;
    struct gen_fleet_options options;
};

static int fail(const char *what, const char *why)
{
    gen_program_tell("stint-check", what, why);
    return UNKNOWN;
}

static int print(const char *text)
{
    bool good = fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    return good ? FITS : fail("cannot write", strerrordesc_np(errno));
}

static void print_lines(const char *lines)
{
    if (lines[0] != '\0')
        fprintf(stderr, "%s\n", lines);
}

static int check(struct stint__arena *arena, const struct arguments *a, FILE *f)
{
    struct gen_text input = gen_program_read(arena, f);
    if (ferror(f))
        return fail(a->file, strerrordesc_np(errno));
    struct gen_bytes set = {(const uint8_t *)input.data, input.len};
    struct gen_fleet_result result;
    const char *problem = "";
    if (!gen_fleet_check(arena, set, &a->options, &result, &problem))
        return fail(a->file, problem);
    print_lines(result.warnings);
    print_lines(result.errors);
    int status = a->graph ? print(result.tree) : FITS;
    return status == FITS && result.errors[0] != '\0' ? DOES_NOT_FIT : status;
}

static int check_file(const struct arguments *a)
{
    bool is_stdin = strcmp(a->file, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(a->file, "rbe");
    if (f == NULL)
        return fail(a->file, strerrordesc_np(errno));
    struct stint__arena arena;
    stint__arena_init(&arena, NULL, 0, GEN_MEMORY_MAX);
    int status = check(&arena, a, f);
    stint__arena_fini(&arena);
    if (!is_stdin)
        (void)fclose(f); /* it was only read */
    return status;
}

int main(int argc, char **argv)
{
    struct arguments a = {.file = NULL};
    for (int i = 1; i < argc; i++) {
        const char *s = argv[i];
        if (strcmp(s, "--version") == 0)
            return print("stint-check " GEN_VERSION "\n");
        if (strcmp(s, "--help") == 0)
            return print(usage);
        if (strcmp(s, "--graph") == 0)
            a.graph = true;
        else if (strcmp(s, "--werror") == 0)
            a.options.strict = true;
        else if (a.file != NULL || (s[0] == '-' && s[1] != '\0'))
            return fail("unknown argument", s);
        else
            a.file = s;
    }
    return a.file != NULL ? check_file(&a) : fail("which file?", "see --help");
}
