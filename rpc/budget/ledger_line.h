/* ledger_line.h - lines of text for a terminal: columns, colours, and names that come from a
 * stranger. */
#ifndef STINT_BUDGET_LEDGER_LINE_H
#define STINT_BUDGET_LEDGER_LINE_H

#include <stddef.h>

#include <stint/ledger.h>

#define STINT__LINE_BYTES 4096

struct stint__line {
    stint_ledger_look look; /* not DEFAULT */
    size_t n;               /* bytes */
    size_t columns;
    char text[STINT__LINE_BYTES]; /* not terminated */
};

void stint__line_begin(struct stint__line *line, stint_ledger_look look);

/* Plain text of our own, a column for each character. */
void stint__line_put(struct stint__line *line, const char *fmt, ...) STINT_PRINTF(2, 3);

/* A colour as an SGR parameter ("1;31"; "": none from here on), in a coloured look only. */
void stint__line_paint(struct stint__line *line, const char *sgr);

/* A stranger's text, `len` bytes of it or up to its end: control characters, what changes the
 * direction of text, and in plain looks everything outside ASCII, become '?'. */
void stint__line_name(struct stint__line *line, const char *name, size_t len);

/* Cuts to so many columns, with a mark if something was lost, or fills up with spaces. Not behind a
 * colour. */
void stint__line_fit(struct stint__line *line, size_t columns);

#endif
