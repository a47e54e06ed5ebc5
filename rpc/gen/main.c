/* main.c - protoc-gen-stint: a plugin of protoc that writes x.stint.h and x.stint.c for x.proto.
 *
 * As protoc's plugin.proto wants it: errors in .proto files go to protoc in the response, with exit
 * status 0; stderr and another status only say that protoc could not be understood or answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stint/version.h>

#include "generator.h"
#include "text.h"

#define STRING(x) #x
#define EXPAND(x) STRING(x)
#define VERSION                                                                                    \
    EXPAND(STINT_VERSION_MAJOR) "." EXPAND(STINT_VERSION_MINOR) "." EXPAND(STINT_VERSION_PATCH)

static const char usage[] =
    "protoc-gen-stint is a plugin of protoc: it writes x.stint.h and x.stint.c for x.proto.\n"
    "\n"
    "    protoc --plugin=protoc-gen-stint --stint_out=DIR --c_out=DIR x.proto\n"
    "\n"
    "--help     shows this\n"
    "--version  shows the version\n";

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "protoc-gen-stint: %s%s%s\n", what, why[0] != '\0' ? ": " : "", why);
    return EXIT_FAILURE;
}

static int answer_argument(const char *argument)
{
    if (strcmp(argument, "--version") == 0)
        return puts("protoc-gen-stint " VERSION) < 0;
    if (strcmp(argument, "--help") == 0)
        return fputs(usage, stdout) < 0;
    return fail("unknown argument", argument);
}

static struct gen_text read_input(struct stint__arena *arena)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, stdin)) > 0;)
        gen_text_add_bytes(&t, buffer, n);
    return t;
}

static int run(struct stint__arena *arena)
{
    struct gen_text input = read_input(arena);
    if (ferror(stdin))
        return fail("cannot read the request", "input error");
    struct gen_bytes request = {(const uint8_t *)input.data, input.len};
    struct gen_bytes response;
    const char *problem = "";
    if (!gen_run(arena, request, &response, &problem))
        return fail("stdin is not a request of protoc", problem);
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
