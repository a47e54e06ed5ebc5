/* comment.c - comments of a .proto as comments of C. Single-threaded.
 *
 * What would end the comment, or begin another, is pulled apart; control characters become blanks;
 * lines that are too long are broken between words. */
#include "template.h"

#include <stdbool.h>
#include <string.h>

/* The text without the blank in front that follows a "//", and without what would be no comment. */
static char *clean(struct stint__arena *arena, const char *comment)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    gen_text_add(&t, "");
    bool line_start = true;
    for (const char *s = comment; *s != '\0'; s++) {
        bool blank = *s != '\n' && ((unsigned char)*s <= ' ' || *s == 0x7F);
        bool star_slash = s > comment && s[-1] == '*' && *s == '/';
        bool slash_star = s > comment && s[-1] == '/' && *s == '*';
        if (star_slash || slash_star)
            gen_text_add(&t, " ");
        if (!(line_start && blank))
            gen_text_add_bytes(&t, blank ? " " : s, 1);
        line_start = *s == '\n';
    }
    return t.data;
}

/* How much of the n bytes at s fits on a line of `width` bytes: all, or up to a blank. */
static size_t fitting(const char *s, size_t n, size_t width)
{
    if (n <= width)
        return n;
    size_t fit = width;
    while (fit > 0 && s[fit] != ' ')
        fit--;
    if (fit == 0) /* one long word */
        fit = strcspn(s, " \n");
    return fit;
}

static size_t without_blanks(const char *s, size_t n)
{
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\n'))
        n--;
    return n;
}

/* Adds n bytes of one line, as many lines as it takes. */
static void add_words(struct gen_text *t, const char *s, size_t n)
{
    const size_t width = GEN_COLUMNS - strlen(" * ");
    do {
        size_t fit = fitting(s, n, width);
        gen_text_add_bytes(t, s, without_blanks(s, fit));
        while (fit < n && s[fit] == ' ')
            fit++;
        s += fit;
        n -= fit;
        if (n > 0)
            gen_text_add(t, "\n * ");
    } while (n > 0);
}

void gen_comment_add(struct gen_text *t, const char *comment)
{
    if (comment == NULL)
        return;
    if (comment[0] == '*' && (comment[1] == '\n' || comment[1] == ' '))
        comment++; /* it began with two stars */
    const char *s = clean(t->arena, comment);
    s += strspn(s, " \n");
    size_t left = without_blanks(s, strlen(s));
    if (left == 0)
        return;
    gen_text_add(t, "/* ");
    while (left > 0) {
        size_t n = strcspn(s, "\n");
        n = n < left ? n : left;
        add_words(t, s, n);
        s += n;
        left -= n;
        if (left > 0) { /* a line follows */
            bool empty = s[1] == '\n';
            gen_text_add(t, empty ? "\n *" : "\n * ");
            s++;
            left--;
        }
    }
    const char *last = strrchr(t->data, '\n');
    size_t column = (size_t)(t->data + t->len - (last != NULL ? last + 1 : t->data));
    gen_text_add(t, column + strlen(" */") > GEN_COLUMNS ? "\n */\n" : " */\n");
}
