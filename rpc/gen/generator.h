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

/* Answers a packed CodeGeneratorRequest with a packed CodeGeneratorResponse, which lives in the
 * arena. The response holds either every file that was asked for, or an error for the user and no
 * file. False, with *ret_problem saying why, if there is no reading the request. */
bool gen_run(struct stint__arena *arena, struct gen_bytes request, struct gen_bytes *ret_response,
             const char **ret_problem);

#endif
