/* main.c - protoc-gen-stint: a plugin of protoc that writes x.stint.h and x.stint.c for x.proto.
 *
 * As protoc's plugin.proto wants it: errors in .proto files go to protoc in the response, with exit
 * status 0; another status only says that protoc could not be understood or answered, which stderr
 * explains. Warnings go to stderr, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "program.h"

static const char usage[] =
    "protoc-gen-stint is a plugin of protoc: it writes x.stint.h and x.stint.c for x.proto.\n"
    "\n"
    "    protoc --plugin=protoc-gen-stint --stint_out=DIR --c_out=DIR x.proto\n"
    "\n"
    "With --stint_opt=check it also finds out whether the budgets fit that the files of this run\n"
    "declare, and writes nothing if they do not; with --stint_opt=check,werror warnings count "
    "too.\n"
    "stint-check does the same for the files of a whole fleet.\n"
    "\n"
    "--help     shows this\n"
    "--version  shows the version\n";

static int fail(const char *what, const char *why)
{
    gen_program_tell("protoc-gen-stint", what, why);
    return EXIT_FAILURE;
}

static int answer_argument(const char *argument)
{
    if (strcmp(argument, "--version") == 0)
        return puts("protoc-gen-stint " GEN_VERSION) < 0;
    if (strcmp(argument, "--help") == 0)
        return fputs(usage, stdout) < 0;
    return fail("unknown argument", argument);
}

static int run(struct stint__arena *arena)
{
    struct gen_text input = gen_program_read(arena, stdin);
    if (ferror(stdin))
        return fail("cannot read the request", "input error");
    struct gen_bytes request = {(const uint8_t *)input.data, input.len};
    struct gen_answer answer;
    const char *problem = "";
    if (!gen_run(arena, request, &answer, &problem))
        return fail("stdin is not a request of protoc", problem);
    if (answer.warnings[0] != '\0')
        fprintf(stderr, "%s\n", answer.warnings);
    struct gen_bytes response = answer.response;
    if (fwrite(response.data, 1, response.len, stdout) != response.len || fflush(stdout) != 0)
        return fail("cannot write the response", "output error");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return answer_argument(argv[1]);
    struct stint__arena arena;
    stint__arena_init(&arena, NULL, 0, GEN_MEMORY_MAX);
    int status = run(&arena);
    stint__arena_fini(&arena);
    return status;
}
