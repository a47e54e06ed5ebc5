/* demo_show.c - what the demo prints: at most 80 columns, and colours only on a terminal.
 *
 * For the main thread only. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

#define WIDTH  78
#define INDENT 3

#define BOLD  "\033[1m"
#define GREEN "\033[32m"
#define RED   "\033[31m"
#define FAINT "\033[2m"

static const char *paint(const struct demo *d, const char *colour)
{
    return d->colours ? colour : "";
}

static const char *plain(const struct demo *d)
{
    return d->colours ? "\033[0m" : "";
}

double ms(stint_duration d)
{
    return (double)d / 1e6;
}

/* Prints words from column `indent` on, the first line being there already. */
static void fill(const char *text, int indent)
{
    int column = indent;

    while (*text != '\0') {
        int len = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + len > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", len, text);
        column += len;
        text += len;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

void show_text(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    printf("%*s", INDENT, "");
    fill(text, INDENT);
}

void show_intro(const struct demo *d)
{
    printf("\n%sThe shop%s: four processes, and this one as their customer\n\n", paint(d, BOLD),
           plain(d));
    printf("   customer --> gateway --> checkout --+--> pricing\n"
           "                                       +--> stock\n\n");
    show_text(
        "Each call carries what is left of its time, its trace ID and its request ID. "
        "Checkout keeps a reserve for its own answer; of the rest pricing may take 40 %%, and "
        "stock 60 %% and what pricing leaves.");
}

void show_title(const struct demo *d, unsigned number, const char *title, const char *text)
{
    printf("\n\n%s%u  %s%s\n\n", paint(d, BOLD), number, title, plain(d));
    show_text("%s", text);
    printf("\n");
}

/* One row of a timeline. */
struct row {
    stint_time at;
    int order; /* among rows of the same time */
    const char *hop;
    int depth;
    stint_duration left;
    bool over; /* cancelled: what is left does not matter */
    char what[64];
};

struct rows {
    struct row row[32];
    size_t n;
};

static struct row *add_row(struct rows *rows, stint_time at, const char *hop, int depth)
{
    size_t last = sizeof(rows->row) / sizeof(rows->row[0]) - 1;
    struct row *row = &rows->row[rows->n < last ? rows->n++ : last];

    *row = (struct row){.at = at, .order = (int)rows->n, .hop = hop, .depth = depth};
    return row;
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    if (x->at.ns != y->at.ns)
        return x->at.ns < y->at.ns ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static stint_duration left_at(const struct order *o, stint_time at)
{
    stint_duration left = o->budget - stint_time_sub(at, o->begun);

    return left > 0 ? left : 0;
}

static void add_customer_rows(struct rows *rows, const struct order *o, stint_time note_at,
                              const char *note)
{
    struct row *row = add_row(rows, o->begun, "customer", 0);

    row->left = o->budget;
    snprintf(row->what, sizeof(row->what), "orders two teapots");
    if (note != NULL) {
        row = add_row(rows, note_at, "customer", 0);
        row->left = left_at(o, note_at);
        snprintf(row->what, sizeof(row->what), "%s", note);
    }
    row = add_row(rows, o->ended, "customer", 0);
    row->left = left_at(o, o->ended);
    row->over = o->code == STINT_CANCELLED;
    snprintf(row->what, sizeof(row->what), "gets %s", stint_code_name(o->code));
}

static bool is(const struct line *line, const char *event)
{
    return strcmp(line->event, event) == 0;
}

static bool is_answer(const struct line *line)
{
    return !is(line, "begins") && !is(line, "works") && !is(line, "stops");
}

/* How the call whose handler has stopped was answered. */
static const char *answer_of(const struct logs *logs, const struct line *stop)
{
    for (size_t i = 0; i < logs->n; i++) {
        const struct line *line = &logs->lines[i];
        if (line->service == stop->service && is_answer(line) &&
            strcmp(line->request, stop->request) == 0)
            return line->event;
    }
    return stop->why;
}

static void add_log_rows(struct rows *rows, const struct logs *logs, const char *request)
{
    static const int depths[N_SERVICES] = {
        [GATEWAY] = 1, [CHECKOUT] = 2, [PRICING] = 3, [STOCK] = 3};

    for (size_t i = 0; i < logs->n; i++) {
        const struct line *line = &logs->lines[i];
        struct row *row;
        if (strcmp(line->request, request) != 0 || is(line, "works"))
            continue;
        /* The answer of a handler that stops is shown where it stops. */
        if (is_answer(line) && logs_find(logs, line->service, request, "stops") != NULL)
            continue;
        row = add_row(rows, line->at, service_names[line->service], depths[line->service]);
        row->left = line->left;
        row->over = strcmp(line->why, "CANCELLED") == 0;
        if (is(line, "stops"))
            snprintf(row->what, sizeof(row->what), "stops: %s", answer_of(logs, line));
        else
            snprintf(row->what, sizeof(row->what), "%s", line->event);
    }
}

void show_timeline(const struct demo *d, const struct order *o, stint_time note_at,
                   const char *note)
{
    struct rows rows = {.n = 0};

    add_customer_rows(&rows, o, note_at, note);
    add_log_rows(&rows, &d->logs, o->request);
    qsort(rows.row, rows.n, sizeof(rows.row[0]), compare_rows);

    printf("   %s%10s   %-16s %13s%s\n", paint(d, FAINT), "at", "hop", "time left", plain(d));
    for (size_t i = 0; i < rows.n; i++) {
        const struct row *row = &rows.row[i];
        char left[32] = "";
        if (!row->over)
            snprintf(left, sizeof(left), "%.2f ms", ms(row->left));
        printf("   %7.2f ms   %*s%-*s %13s   %s\n", ms(stint_time_sub(row->at, o->begun)),
               2 * row->depth, "", 16 - 2 * row->depth, row->hop, left, row->what);
    }
    printf("\n");
    if (!d->show_logs)
        return;
    for (size_t i = 0; i < d->logs.n; i++)
        if (strcmp(d->logs.lines[i].request, o->request) == 0)
            printf("%s\n", d->logs.lines[i].text);
    printf("\n");
}

void show_outcome(const struct order *o)
{
    double took = ms(stint_time_sub(o->ended, o->begun));

    if (o->code == STINT_OK)
        show_text("The customer has its two teapots for %.2f, after %.1f ms.",
                  (double)o->cents / 100, took);
    else
        show_text("The customer is told after %.1f ms: %s: %s", took, stint_code_name(o->code),
                  o->err.message);
    printf("\n");
}

void show_ledger(const struct demo *d, const struct order *o)
{
    const stint_ledger *ledger = o->told != NULL ? stint_reply_info_ledger(o->told) : NULL;

    fflush(stdout);
    if (stint_ledger_print(ledger,
                           STINT_LEDGER_STYLE(.indent = INDENT, .width = WIDTH,
                                              .look = d->colours ? STINT_LEDGER_LOOK_COLOUR
                                                                 : STINT_LEDGER_LOOK_DEFAULT),
                           stdout) != STINT_OK)
        show_text("The ledger could not be printed.");
    printf("\n");
}

bool check(struct demo *d, bool ok, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    printf("   %s%-4s%s  ", paint(d, ok ? GREEN : RED), ok ? "ok" : "FAIL", plain(d));
    fill(text, INDENT + 6);
    if (!ok)
        d->failed++;
    return ok;
}
