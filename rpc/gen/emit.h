/* emit.h - the two files that are generated from a .proto. */
#ifndef STINT_GEN_EMIT_H
#define STINT_GEN_EMIT_H

#include "model.h"

void gen_emit_header(struct gen_text *t, const struct gen_file *file);
void gen_emit_source(struct gen_text *t, const struct gen_file *file);

/* Their parts for a method that declares calls; nothing for others. */
void gen_emit_budget_header(struct gen_text *t, const struct gen_method *method);
void gen_emit_budget_source(struct gen_text *t, const struct gen_service *service,
                            const struct gen_method *method);

#endif
