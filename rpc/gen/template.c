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

/* Where the arguments of a line begin, if it ends with a call or a declaration: behind the last "("
 * that is in no other. Else behind its "=". NULL if there is neither. */
static const char *breakable(const char *line, const char *end)
{
    const char *begin = NULL;
    const char *assigned = NULL;
    int depth = 0;
    for (const char *s = line; s < end; s++) {
        if (*s == '(' && depth++ == 0)
            begin = s + 1;
        else if (*s == ')')
            depth--;
        else if (*s == '=' && depth == 0 && s + 1 < end)
            assigned = s + 1;
    }
    bool is_call = begin != NULL && (end[-1] == ')' || end[-2] == ')');
    return is_call ? begin : assigned;
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

/* Adds what is between s and end: as many arguments on each line as fit, `indent` blanks in front.
 * `column` is where the text stands. */
static void add_arguments(struct gen_text *t, const char *s, const char *end, size_t column,
                          size_t indent)
{
    bool first = column == indent;
    while (s < end) {
        size_t n = argument_length(s, end);
        if (column + !first + n > GEN_COLUMNS) {
            gen_text_printf(t, "\n%*s", (int)indent, "");
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

static size_t count_lines(const struct gen_text *t)
{
    size_t n = 1;
    for (const char *s = t->data; (s = strchr(s, '\n')) != NULL; s++)
        n++;
    return n;
}

/* True if a line of the text, which begins in `column`, ends past the last one. */
static bool too_long(const struct gen_text *t, size_t column)
{
    for (const char *s = t->data;; column = 0) {
        size_t n = strcspn(s, "\n");
        if (column + n > GEN_COLUMNS)
            return true;
        if (s[n] == '\0')
            return false;
        s += n + 1;
    }
}

/* Adds a line of C, broken if it is too long: between its arguments, aligned behind the
 * parenthesis, or, where one would not fit there or a call would take more lines, indented once
 * more than the line; or behind "=". */
static void add_line(struct gen_text *t, const char *line, const char *end)
{
    bool is_long = (size_t)(end - line) > GEN_COLUMNS && line[0] != '#' && line[0] != '/';
    const char *s = is_long ? breakable(line, end) : NULL;
    if (s == NULL) {
        gen_text_add_bytes(t, line, (size_t)(end - line));
        return;
    }
    size_t column = (size_t)(s - line);
    gen_text_add_bytes(t, line, column);
    size_t indent = strspn(line, " ");
    bool is_return = strncmp(line + indent, "return ", strlen("return ")) == 0;
    struct gen_text aligned, indented;
    gen_text_init(&aligned, t->arena);
    gen_text_init(&indented, t->arena);
    add_arguments(&aligned, s, end, column, column);
    add_arguments(&indented, s + (*s == ' '), end, GEN_COLUMNS, indent + 4);
    bool better = s[-1] != '(' || too_long(&aligned, column) ||
                  (is_return && count_lines(&indented) < count_lines(&aligned));
    gen_text_add(t, better ? indented.data : aligned.data);
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
