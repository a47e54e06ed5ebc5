/* ledger_line.c - see ledger_line.h.
 *
 * Invariants: only whole characters are in a line, each counts as one column, and there is room for
 * one more and for the end of a colour. What does not fit in STINT__LINE_BYTES is left out. */
#include "ledger_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reader.h"

void stint__line_begin(struct stint__line *line, stint_ledger_look look)
{
    line->look = look;
    line->n = 0;
    line->columns = 0;
}

static void append(struct stint__line *line, const char *text, size_t len)
{
    if (len > sizeof line->text - line->n)
        return;
    memcpy(line->text + line->n, text, len);
    line->n += len;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0u) == 0x80u;
}

void stint__line_put(struct stint__line *line, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    size_t len = strnlen(text, sizeof text);
    for (size_t i = 0; i < len; i++)
        line->columns += !continues(text[i]);
    append(line, text, len);
}

void stint__line_paint(struct stint__line *line, const char *sgr)
{
    char text[16];
    if (line->look != STINT_LEDGER_LOOK_COLOUR)
        return;
    int n = snprintf(text, sizeof text, "\033[%sm", sgr[0] != '\0' ? sgr : "0");
    if (n > 0)
        append(line, text, (size_t)n);
}

/* ---- names ---- */

static uint32_t code_point(const char *s, size_t len)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)s[0] & masks[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3fu);
    return c;
}

/* The length of the character at s, 0 if it is none. */
static size_t character(const char *s, size_t left)
{
    unsigned char lead = (unsigned char)s[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    bool valid =
        len > 0 && len <= left && stint__utf8_valid((struct stint__slice){(const uint8_t *)s, len});
    return valid ? len : 0;
}

/* Printable wherever it stands: no control character, none that joins or turns others. */
static bool is_harmless(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7f && c < 0xA0);
    bool format = (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
                  (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0x061C;
    bool combining = c >= 0x0300 && c <= 0x036F;
    return !control && !format && !combining;
}

void stint__line_name(struct stint__line *line, const char *name, size_t len)
{
    len = strnlen(name, len);
    for (size_t i = 0; i < len;) {
        size_t n = character(name + i, len - i);
        bool shown = n > 0 && is_harmless(code_point(name + i, n)) &&
                     (n == 1 || line->look != STINT_LEDGER_LOOK_ASCII);
        append(line, shown ? name + i : "?", shown ? n : 1);
        line->columns++;
        i += n > 0 ? n : 1;
    }
}

static void drop_character(struct stint__line *line)
{
    while (line->n > 0 && continues(line->text[line->n - 1]))
        line->n--;
    line->n -= line->n > 0;
    line->columns--;
}

void stint__line_fit(struct stint__line *line, size_t columns)
{
    bool cut = line->columns > columns;
    while (cut && line->columns > columns - 1)
        drop_character(line);
    if (cut)
        stint__line_put(line, "%s", line->look == STINT_LEDGER_LOOK_ASCII ? "~" : "…");
    while (line->columns < columns)
        stint__line_put(line, " ");
}
