/* emit.h - the two files that are generated from a .proto. */
#ifndef STINT_GEN_EMIT_H
#define STINT_GEN_EMIT_H

#include "model.h"

void gen_emit_header(struct gen_text *t, const struct gen_file *file);
void gen_emit_source(struct gen_text *t, const struct gen_file *file);

#endif
