/* template.h - C text from templates, laid out as the project's .clang-format would. */
#ifndef STINT_GEN_TEMPLATE_H
#define STINT_GEN_TEMPLATE_H

#include "text.h"

#define GEN_COLUMNS 100

struct gen_var {
    const char *name, *value;
};

/* Adds the template with every $name$ replaced by its value; `vars` ends with a NULL name. In the
 * template a declaration or call stands on one line, however long; it is broken after commas. */
void gen_template_add(struct gen_text *t, const char *template, const struct gen_var *vars);

/* Adds a .proto's comment, if it is not NULL or empty, as a comment of C. */
void gen_comment_add(struct gen_text *t, const char *comment);

#endif
