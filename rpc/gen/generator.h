/* generator.h - protoc-gen-stint without its input and output, so that tests can run it. */
#ifndef STINT_GEN_GENERATOR_H
#define STINT_GEN_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

#define GEN_MEMORY_MAX ((size_t)1024 * 1024 * 1024) /* for the arena: a limit against garbage */

struct gen_bytes {
    const uint8_t *data;
    size_t len;
};

/* Lives in the arena. */
struct gen_answer {
    struct gen_bytes response;
    const char *warnings; /* for the user, whom protoc does not show what is in a response; or "" */
};

/* Answers a packed CodeGeneratorRequest with a packed CodeGeneratorResponse. The response holds
 * either every file that was asked for, or an error for the user and no file. False, with
 * *ret_problem saying why, if there is no reading the request.
 *
 * Parameters (protoc's --stint_opt, between commas): `check` looks at the declared budgets of all
 * files in the request as well, imported ones too; `werror` makes errors of its warnings. */
bool gen_run(struct stint__arena *arena, struct gen_bytes request, struct gen_answer *ret,
             const char **ret_problem);

#endif
