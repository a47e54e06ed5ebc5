/* fleet.h - stint-check without its input and output, so that tests can run it. */
#ifndef STINT_GEN_FLEET_H
#define STINT_GEN_FLEET_H

#include <stdbool.h>
#include <stddef.h>

#include "generator.h"

struct gen_fleet_options {
    bool strict; /* warnings are errors */
};

/* Lines of text that live in the arena; "" if there are none. */
struct gen_fleet_result {
    const char *errors, *warnings; /* "file:line:column: error: text" */
    const char *tree;              /* who gets how much; "" if options have errors */
};

/* Checks the declared budgets of all files in a packed FileDescriptorSet. False, with *ret_problem
 * saying why, if there is no reading it. */
bool gen_fleet_check(struct stint__arena *arena, struct gen_bytes set,
                     const struct gen_fleet_options *options, struct gen_fleet_result *ret,
                     const char **ret_problem);

#endif
