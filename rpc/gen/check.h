/* check.h - what is wrong with .proto files: what the generator, or protoc-c, cannot do, and
 * declared budgets that do not fit. */
#ifndef STINT_GEN_CHECK_H
#define STINT_GEN_CHECK_H

#include "check_graph.h"
#include "model.h"

/* Tells errors about syntax, streams, proto3 `optional`, and options of files. */
void gen_check_supported(const struct gen_model *model);

/* Tells errors about different things in the .proto files that would get one name in C. */
void gen_check_clashes(const struct gen_model *model);

/* Finds what each method needs and how long it can have (check_graph.h); tells errors and warnings
 * about what does not fit. The model has had no errors so far: of a value that is wrong, nothing
 * follows. */
void gen_check_budgets(const struct check_graph *graph);

/* For people: the tree of calls, from every method that nothing else calls, with what each gets. */
const char *gen_check_tree(const struct check_graph *graph);

#endif
