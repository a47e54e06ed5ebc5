/* check_tree.c - the graph of calls as a table for people. Single-threaded.
 *
 * A method that is called from several places stands in each of them. Rows and depth are bounded:
 * a few dozen methods can make more paths than there is memory. */
#include "check.h"

#include <string.h>

#include "check_times.h"
#include "span.h"

#define DEPTH_MAX 64
#define ROWS_MAX  10000

struct row {
    const char *name, *gets, *needs, *how;
};

struct table {
    struct stint__arena *arena;
    struct row rows[ROWS_MAX];
    size_t count; /* may be one more: the rest was left out */
};

static void add_row(struct table *t, struct row row)
{
    if (t->count < ROWS_MAX)
        t->rows[t->count] = row;
    t->count += t->count <= ROWS_MAX;
}

/* "share 40/100, at most 50ms, optional" */
static const char *how_text(struct stint__arena *arena, const struct gen_budget *b,
                            const struct gen_call *call)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->n_stages; i++)
        sum += b->stages[i].weight;
    struct gen_text t;
    gen_text_init(&t, arena);
    gen_text_add(&t, "");
    if (b->n_stages > 1)
        gen_text_printf(&t, "share %u/%llu", b->stages[call->stage].weight,
                        (unsigned long long)sum);
    if (call->timeout_us > 0)
        gen_text_printf(&t, "%sat most %s", t.len > 0 ? ", " : "",
                        gen_span_text(arena, call->timeout_us));
    if (call->optional)
        gen_text_printf(&t, "%soptional", t.len > 0 ? ", " : "");
    return t.data;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Adds the calls of m, which has so much time, and what they call in turn. */
static void add_calls(struct table *t, const struct check_method *m, int64_t has, int depth)
{
    const struct gen_method_options *o = &m->method->options;
    const struct gen_budget *b = check_budget(m);
    int64_t promised[GEN_CALLS_MAX];
    gen_times_promised(b, gen_span_less(has, gen_span_add(o->work_us, o->reserve_us)), promised);
    for (size_t i = 0; i < b->n_calls && t->count <= ROWS_MAX; i++) {
        const struct gen_call *call = &b->calls[i];
        const struct check_method *callee = m->callees[i];
        int64_t gets = gen_times_attempt(call, promised[call->stage]);
        if (callee != NULL && callee->method->options.timeout_us > 0)
            gets = smaller(gets, callee->method->options.timeout_us);
        const char *times = call->attempts > 1 ? gen_format(t->arena, "%u x ", call->attempts) : "";
        add_row(t, (struct row){
                       .name = gen_format(t->arena, "%*s%zu %s", 2 * depth, "", call->stage + 1,
                                          call->method),
                       .gets = gen_format(t->arena, "%s%s", times, gen_span_text(t->arena, gets)),
                       .needs = callee != NULL ? gen_span_text(t->arena, callee->needs) : "?",
                       .how = how_text(t->arena, b, call),
                   });
        if (callee != NULL && depth < DEPTH_MAX)
            add_calls(t, callee, gets, depth + 1);
    }
}

static void add_root(struct table *t, const struct check_method *m)
{
    add_row(t, (struct row){
                   .name = m->path,
                   .gets = gen_span_text(t->arena, m->limit),
                   .needs = gen_span_text(t->arena, m->needs),
                   .how = "",
               });
    add_calls(t, m, m->limit, 1);
}

static int widest(const struct table *t, size_t offset)
{
    size_t width = 0;
    for (size_t i = 0; i < t->count; i++) {
        const char *cell;
        memcpy(&cell, (const char *)&t->rows[i] + offset, sizeof cell);
        width = strlen(cell) > width ? strlen(cell) : width;
    }
    return (int)width;
}

const char *gen_check_tree(const struct check_graph *graph)
{
    struct table *t = gen_alloc(graph->arena, sizeof *t);
    t->arena = graph->arena;
    add_row(t, (struct row){"METHOD", "GETS", "NEEDS", "HOW"});
    for (size_t i = 0; i < graph->n_methods; i++) {
        const struct check_method *m = &graph->methods[i];
        if (!m->is_called && check_budget(m)->n_calls > 0)
            add_root(t, m);
    }
    bool whole = t->count <= ROWS_MAX;
    t->count = whole ? t->count : ROWS_MAX;
    int name = widest(t, offsetof(struct row, name));
    int gets = widest(t, offsetof(struct row, gets));
    int needs = widest(t, offsetof(struct row, needs));
    struct gen_text out;
    gen_text_init(&out, graph->arena);
    for (size_t i = 0; i < t->count; i++) {
        const struct row *r = &t->rows[i];
        const char *gap = r->how[0] != '\0' ? "  " : "";
        gen_text_printf(&out, "%-*s  %*s  %*s%s%s\n", name, r->name, gets, r->gets, needs, r->needs,
                        gap, r->how);
    }
    gen_text_add(&out, whole ? "" : "and more\n");
    return out.data;
}
