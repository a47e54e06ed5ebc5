/* protos_fuzz.c - the generator and the checker read whatever protoc, or who pretends to be it,
 * hands them.
 *
 * The first byte of the input says whether the rest is a request for protoc-gen-stint or a
 * descriptor set for stint-check. */
#include <string.h>

#include "arena.h"
#include "fleet.h"
#include "fuzz.h"
#include "generator.h"

#define MEMORY_MAX ((size_t)512 * 1024 * 1024)

static void generate(struct stint__arena *arena, struct gen_bytes request)
{
    struct gen_answer answer;
    const char *problem = NULL;
    bool read = gen_run(arena, request, &answer, &problem);
    CHECK(read ? answer.response.len > 0 && answer.warnings != NULL : problem != NULL);
}

/* A line of errors, or a table; never both cut short. */
static void check_fleet(struct stint__arena *arena, struct gen_bytes set)
{
    const struct gen_fleet_options options = {.strict = false};
    struct gen_fleet_result result;
    const char *problem = NULL;
    if (!gen_fleet_check(arena, set, &options, &result, &problem)) {
        CHECK(problem != NULL && problem[0] != '\0');
        return;
    }
    size_t n = strlen(result.tree);
    CHECK(n == 0 ? result.errors[0] != '\0' : result.tree[n - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct stint__arena arena;
    stint__arena_init(&arena, NULL, 0, MEMORY_MAX);
    struct gen_bytes bytes = {data + 1, size - 1};
    if ((data[0] & 1) == 0)
        generate(&arena, bytes);
    else
        check_fleet(&arena, bytes);
    stint__arena_fini(&arena);
    return 0;
}
