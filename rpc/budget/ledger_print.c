/* ledger_print.c - the waterfall: a line for each hop, its name, a bar on a time axis that all
 * share, and what it had, used, and spent itself.
 *
 * Each line is made whole and then added to the text, so that a text that is cut ends with a line.
 * No state, and no locale: characters outside ASCII are UTF-8 in the source. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "alloc.h"
#include "ledger_chart.h"
#include "ledger_line.h"
#include "millis.h"
#include "options.h"

#define WIDTH         80
#define WIDTH_MIN     60
#define WIDTH_MAX     200
#define INDENT_MAX    16
#define NAME_MIN      12
#define NUMBER        8 /* columns of each number, with the space before it */
#define NUMBERS       3
#define MARK          2
#define INDENT_A_HOP  2
#define DEEPEST_SHOWN 8 /* hops that indent the name further */

static const struct glyph {
    const char *ascii, *utf8, *sgr, *legend;
} glyphs[STINT__PHASES] = {
    [STINT__PHASE_NONE] = {" ", " ", "", NULL},
    [STINT__PHASE_TRANSIT] = {".", "░", "36", "on the way"},
    [STINT__PHASE_QUEUE] = {"=", "▒", "33", "queue"},
    [STINT__PHASE_HANDLER] = {"#", "█", "32", "handler"},
    [STINT__PHASE_WAITING] = {"-", "─", "2", "waiting for calls below"},
    [STINT__PHASE_UNKNOWN] = {"?", "╌", "35", "no word"},
};

/* The text, and how the lines of it look. */
struct page {
    char *text;
    size_t size, n; /* n: what all of it takes; it may be more than size */
    bool cut;
    stint_ledger_look look;
    size_t indent, names, cells; /* columns */
    struct stint__chart chart;
    size_t slowest;
    bool used[STINT__PHASES];
    struct stint__line line;
};

static void begin(struct page *p)
{
    stint__line_begin(&p->line, p->look);
    for (size_t i = 0; i < p->indent; i++)
        stint__line_put(&p->line, " ");
}

static void end(struct page *p)
{
    struct stint__line *line = &p->line;
    while (line->n > 0 && line->text[line->n - 1] == ' ')
        line->n--;
    p->cut = p->cut || p->n + line->n + 1 >= p->size;
    if (!p->cut) {
        memcpy(p->text + p->n, line->text, line->n);
        p->text[p->n + line->n] = '\n';
        p->text[p->n + line->n + 1] = '\0';
    }
    p->n += line->n + 1;
}

static const char *choose(const struct page *p, const char *ascii, const char *utf8)
{
    return p->look == STINT_LEDGER_LOOK_ASCII ? ascii : utf8;
}

/* As many places as the whole deserves. */
static int places(const struct page *p)
{
    return p->chart.total < STINT_MS(10) ? 3 : p->chart.total < STINT_SECONDS(10) ? 1 : 0;
}

/* ---- names ---- */

/* "stock Reserve"; "Stock/Reserve" where no server has said its name. */
static void put_name(struct stint__line *line, const stint_ledger_entry *e)
{
    size_t depth = e->depth < DEEPEST_SHOWN ? e->depth : DEEPEST_SHOWN;
    for (size_t i = 0; i < INDENT_A_HOP * depth; i++)
        stint__line_put(line, " ");
    const char *slash = strrchr(e->method, '/');
    const char *method = slash != NULL ? slash + 1 : e->method;
    if (e->service[0] != '\0') {
        stint__line_name(line, e->service, SIZE_MAX);
        stint__line_put(line, " ");
        stint__line_name(line, method, SIZE_MAX);
    } else {
        const char *from = method;
        for (const char *c = e->method; slash != NULL && c < slash; c++)
            if (c == e->method || c[-1] == '.')
                from = c;
        stint__line_name(line, from, SIZE_MAX);
    }
    if (e->retries > 0)
        stint__line_put(line, " +%u", (unsigned)e->retries);
}

static size_t longest_name(struct page *p)
{
    size_t most = NAME_MIN;
    for (size_t i = 0; i < stint_ledger_count(p->chart.ledger); i++) {
        stint__line_begin(&p->line, p->look);
        put_name(&p->line, stint_ledger_at(p->chart.ledger, i));
        if (p->line.columns > most)
            most = p->line.columns;
    }
    return most;
}

/* ---- lines ---- */

static void put_title(struct page *p)
{
    const stint_ledger_entry *e = stint_ledger_at(p->chart.ledger, 0);
    begin(p);
    stint__line_paint(&p->line, "1");
    stint__line_name(&p->line, e->method, SIZE_MAX);
    stint__line_put(&p->line, ": %s after %.*f ms", stint_code_name(e->code), places(p),
                    stint__ms(e->elapsed));
    stint__line_paint(&p->line, "");
    end(p);
}

static void put_header(struct page *p)
{
    begin(p);
    stint__line_paint(&p->line, "2");
    size_t bar = p->line.columns + p->names + 1;
    stint__line_put(&p->line, "%-*s0", (int)p->names + 1, "hop");
    char total[32];
    int n = snprintf(total, sizeof total, "%.*f ms", places(p), stint__ms(p->chart.total));
    while (p->line.columns + (size_t)n < bar + p->cells)
        stint__line_put(&p->line, " ");
    stint__line_put(&p->line, "%s%*s%*s%*s", total, NUMBER, "had", NUMBER, "used", NUMBER,
                    "itself");
    stint__line_paint(&p->line, "");
    end(p);
}

static void put_bar(struct page *p, size_t i)
{
    enum stint__phase cells[STINT__CHART_CELLS_MAX], now = STINT__PHASE_NONE;
    stint__chart_row(&p->chart, i, p->cells, cells);
    for (size_t k = 0; k < p->cells; k++) {
        const struct glyph *g = &glyphs[cells[k]];
        if (cells[k] != now && now != STINT__PHASE_NONE)
            stint__line_paint(&p->line, "");
        if (cells[k] != now && cells[k] != STINT__PHASE_NONE)
            stint__line_paint(&p->line, g->sgr);
        now = cells[k];
        p->used[now] = true;
        stint__line_put(&p->line, "%s", choose(p, g->ascii, g->utf8));
    }
    if (now != STINT__PHASE_NONE)
        stint__line_paint(&p->line, "");
}

static void put_number(struct page *p, bool known, stint_duration d)
{
    if (known)
        stint__line_put(&p->line, "%*.*f", NUMBER, places(p), stint__ms(d));
    else
        stint__line_put(&p->line, "%*s", NUMBER, "-");
}

static void put_row(struct page *p, size_t i)
{
    const stint_ledger_entry *e = stint_ledger_at(p->chart.ledger, i);
    bool answered = e->state == STINT_LEDGER_ANSWERED;
    begin(p);
    /* The name is cut before it is painted: a colour has no columns. */
    put_name(&p->line, e);
    stint__line_fit(&p->line, p->indent + p->names);
    stint__line_put(&p->line, " ");
    put_bar(p, i);
    put_number(p, answered && e->had != STINT_DURATION_FOREVER, e->had);
    put_number(p, answered, e->used);
    if (i == p->slowest)
        stint__line_paint(&p->line, "1;31");
    put_number(p, true, stint_ledger_self(p->chart.ledger, i));
    if (i == p->slowest) {
        stint__line_put(&p->line, "%s", choose(p, " <", " ◀"));
        stint__line_paint(&p->line, "");
    }
    end(p);
}

/* ---- what it comes to ---- */

/* Where the slowest hop's own time went, as far as is known. */
static void put_where(struct page *p, const stint_ledger_entry *e, enum stint__phase phase)
{
    static const char *const states[] = {
        [STINT_LEDGER_ANSWERED] = "in",
        [STINT_LEDGER_OPAQUE] = "until an answer, which does not say on what, from",
        [STINT_LEDGER_NO_REPLY] = "without a reply from",
        [STINT_LEDGER_NOT_SENT] = "waiting to be sent to",
        [STINT_LEDGER_UNDER_WAY] = "without a reply yet from",
    };
    const char *where = phase == STINT__PHASE_HANDLER   ? "in the handler of"
                        : phase == STINT__PHASE_QUEUE   ? "in the queue of"
                        : phase == STINT__PHASE_TRANSIT ? "on the way to and from"
                                                        : states[e->state];
    stint__line_put(&p->line, " ms %s ", where);
    stint__line_name(&p->line, e->service[0] != '\0' ? e->service : e->target, SIZE_MAX);
    stint__line_put(&p->line, " (");
    stint__line_name(&p->line, e->method, SIZE_MAX);
    stint__line_put(&p->line, ")");
}

static void put_verdict(struct page *p)
{
    const stint_ledger_entry *e = stint_ledger_at(p->chart.ledger, p->slowest);
    stint_duration took;
    enum stint__phase phase = stint__chart_main_phase(p->chart.ledger, p->slowest, &took);
    begin(p);
    stint__line_put(&p->line, "most of it: ");
    stint__line_paint(&p->line, "1;31");
    stint__line_put(&p->line, "%.*f", places(p), stint__ms(took));
    stint__line_paint(&p->line, "");
    put_where(p, e, phase);
    end(p);
}

static void put_legend(struct page *p)
{
    begin(p);
    for (size_t i = STINT__PHASE_TRANSIT; i < STINT__PHASES; i++) {
        const struct glyph *g = &glyphs[i];
        if (!p->used[i])
            continue;
        if (p->line.columns > p->indent)
            stint__line_put(&p->line, "   ");
        stint__line_paint(&p->line, g->sgr);
        stint__line_put(&p->line, "%s", choose(p, g->ascii, g->utf8));
        stint__line_paint(&p->line, "");
        stint__line_put(&p->line, " %s", g->legend);
    }
    end(p);
}

static void put_dropped(struct page *p)
{
    uint32_t dropped = stint_ledger_dropped(p->chart.ledger);
    if (dropped == 0)
        return;
    begin(p);
    stint__line_put(&p->line, "%s %u %s not shown: the deepest are left out first",
                    choose(p, "...", "…"), (unsigned)dropped, dropped == 1 ? "call" : "calls");
    end(p);
}

static size_t put_all(struct page *p, const stint_ledger *l, size_t width)
{
    stint__chart_init(&p->chart, l);
    p->slowest = stint_ledger_slowest(l);
    size_t longest = longest_name(p);
    size_t third = (width - p->indent) / 3;
    p->names = longest < third ? longest : third;
    p->cells = width - p->indent - p->names - 1 - (size_t)NUMBERS * NUMBER - MARK;
    put_title(p);
    put_header(p);
    for (size_t i = 0; i < stint_ledger_count(l); i++)
        put_row(p, i);
    put_dropped(p);
    put_legend(p);
    put_verdict(p);
    return p->n;
}

/* ---- the functions ---- */

static size_t within(size_t low, size_t n, size_t high)
{
    return n < low ? low : n > high ? high : n;
}

/* *given with the defaults filled in; what is wrong with it counts as not given. */
static stint_ledger_style style_of(const stint_ledger_style *given)
{
    stint_ledger_style s;
    (void)!stint__options_copy(&s, sizeof s, given, "stint_ledger_style", NULL);
    s.width = (unsigned)within(WIDTH_MIN, s.width > 0 ? s.width : WIDTH, WIDTH_MAX);
    s.indent = (unsigned)within(0, s.indent, INDENT_MAX);
    return s;
}

size_t stint_ledger_format(const stint_ledger *l, const stint_ledger_style *style, char *text,
                           size_t size)
{
    if (size > 0)
        text[0] = '\0';
    if (stint_ledger_count(l) == 0)
        return 0;
    stint_ledger_style s = style_of(style);
    struct page p = {.text = text, .size = size, .indent = s.indent};
    p.look = s.look == STINT_LEDGER_LOOK_DEFAULT ? STINT_LEDGER_LOOK_ASCII : s.look;
    return put_all(&p, l, s.width);
}

/* What a terminal asks for. */
static void adapt(stint_ledger_style *s, int fd)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): nobody may change the environment beside other threads */
    const char *term = secure_getenv("TERM"), *none = secure_getenv("NO_COLOR");
    const char *columns = secure_getenv("COLUMNS");
    /* NOLINTEND(concurrency-mt-unsafe) */
    struct winsize size = {0};
    bool terminal = isatty(fd) != 0;
    bool able = terminal && (term == NULL || strcmp(term, "dumb") != 0);
    bool colours = none == NULL || none[0] == '\0';
    if (s->look == STINT_LEDGER_LOOK_DEFAULT)
        s->look = !able     ? STINT_LEDGER_LOOK_ASCII
                  : colours ? STINT_LEDGER_LOOK_COLOUR
                            : STINT_LEDGER_LOOK_UTF8;
    if (s->width == 0 && columns != NULL)
        s->width = (unsigned)within(0, (size_t)strtoul(columns, NULL, 10), WIDTH_MAX);
    if (s->width == 0 && terminal && ioctl(fd, TIOCGWINSZ, &size) == 0)
        s->width = size.ws_col;
}

stint_code stint_ledger_print(const stint_ledger *l, const stint_ledger_style *style, FILE *out)
{
    stint_ledger_style s;
    (void)!stint__options_copy(&s, sizeof s, style, "stint_ledger_style", NULL);
    adapt(&s, fileno(out));
    size_t n = stint_ledger_format(l, &s, NULL, 0);
    char *text = stint__alloc(n + 1);
    if (text == NULL)
        return STINT_RESOURCE_EXHAUSTED;
    stint_ledger_format(l, &s, text, n + 1);
    bool ok = fwrite(text, 1, n, out) == n;
    stint__free(text);
    return ok ? STINT_OK : STINT_UNKNOWN;
}
