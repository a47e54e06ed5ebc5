/* template.c - expands templates and breaks their lines. Single-threaded. */
#include "template.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const struct gen_var *vars, const char *name, size_t n)
{
    for (; vars->name != NULL; vars++) {
        if (strncmp(vars->name, name, n) == 0 && vars->name[n] == '\0')
            return vars->value;
    }
    abort(); /* a template of ours names what is not there */
}

static char *expand(struct stint__arena *arena, const char *template, const struct gen_var *vars)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    for (const char *s = template;;) {
        size_t n = strcspn(s, "$");
        gen_text_add_bytes(&t, s, n);
        if (s[n] == '\0')
            return t.data;
        const char *name = s + n + 1;
        size_t name_len = strcspn(name, "$");
        gen_text_add(&t, find(vars, name, name_len));
        s = name + name_len + (name[name_len] == '$');
    }
}

/* Where the arguments of a line begin: behind the last "(" that is in no other; NULL if none. */
static const char *arguments(const char *line, const char *end)
{
    const char *begin = NULL;
    int depth = 0;
    for (const char *s = line; s < end; s++) {
        if (*s == '(' && depth++ == 0)
            begin = s + 1;
        else if (*s == ')')
            depth--;
    }
    return begin;
}

/* The length of the argument at s, with its comma, or with all that is left. */
static size_t argument_length(const char *s, const char *end)
{
    int depth = 0;
    for (const char *p = s; p < end; p++) {
        depth += (*p == '(') - (*p == ')');
        if (*p == ',' && depth == 0)
            return (size_t)(p + 1 - s);
    }
    return (size_t)(end - s);
}

static size_t longest_argument(const char *s, const char *end)
{
    size_t longest = 0;
    while (s < end) {
        size_t n = argument_length(s, end);
        longest = n > longest ? n : longest;
        s += n + (s + n < end && s[n] == ' ');
    }
    return longest;
}

static void add_spaces(struct gen_text *t, size_t n)
{
    gen_text_printf(t, "%*s", (int)n, "");
}

/* Adds a line, broken between its arguments if it is too long: as many on each as fit, aligned
 * behind the parenthesis, or, where one would not fit there, indented once more than the line. */
static void add_line(struct gen_text *t, const char *line, const char *end)
{
    const char *s = (size_t)(end - line) > GEN_COLUMNS ? arguments(line, end) : NULL;
    if (s == NULL) {
        gen_text_add_bytes(t, line, (size_t)(end - line));
        return;
    }
    size_t indent = (size_t)(s - line);
    size_t column = indent;
    gen_text_add_bytes(t, line, indent);
    if (indent + longest_argument(s, end) > GEN_COLUMNS) {
        indent = strspn(line, " ") + 4;
        column = GEN_COLUMNS; /* nothing more on this line */
    }
    bool first = column == indent;
    while (s < end) {
        size_t n = argument_length(s, end);
        if (column + !first + n > GEN_COLUMNS) {
            gen_text_add(t, "\n");
            add_spaces(t, indent);
            column = indent;
        } else if (!first) {
            gen_text_add(t, " ");
            column++;
        }
        gen_text_add_bytes(t, s, n);
        column += n;
        s += n + (s + n < end && s[n] == ' ');
        first = false;
    }
}

void gen_template_add(struct gen_text *t, const char *template, const struct gen_var *vars)
{
    const char *s = expand(t->arena, template, vars);
    while (*s != '\0') {
        size_t n = strcspn(s, "\n");
        add_line(t, s, s + n);
        s += n;
        if (*s == '\n') {
            gen_text_add(t, "\n");
            s++;
        }
    }
}
