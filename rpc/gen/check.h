/* check.h - what the generator, or protoc-c, cannot do, told before anything is written. */
#ifndef STINT_GEN_CHECK_H
#define STINT_GEN_CHECK_H

#include "model.h"

/* Tells errors about syntax, streams, proto3 `optional`, and options of files. */
void gen_check_supported(const struct gen_model *model);

/* Tells errors about different things in the .proto files that would get one name in C. */
void gen_check_clashes(const struct gen_model *model);

#endif
