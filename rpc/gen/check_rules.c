/* check_rules.c - the rules of declared budgets (docs/budget.md): what cannot fit is an error, what
 * is probably not meant is a warning.
 *
 * Two passes over the graph: from the callees up, what each method needs; from the callers down,
 * how long it can have, and whether its calls fit into that. Single-threaded. */
#include "check.h"

#include "check_times.h"
#include "span.h"

#define HOPS_MAX 64 /* what servers take, the call of the first method among them */

static const char *text(const struct check_graph *g, int64_t us)
{
    return gen_span_text(g->arena, us);
}

/* "work 20ms and reserve 5ms", of what is declared. */
static const char *kept_text(const struct check_graph *g, const struct gen_method_options *o)
{
    bool both = o->work_us > 0 && o->reserve_us > 0;
    return gen_format(g->arena, "%s%s%s%s%s", o->work_us > 0 ? "work " : "",
                      o->work_us > 0 ? text(g, o->work_us) : "", both ? " and " : "",
                      o->reserve_us > 0 ? "reserve " : "",
                      o->reserve_us > 0 ? text(g, o->reserve_us) : "");
}

static int64_t kept(const struct gen_method_options *o)
{
    return gen_span_add(o->work_us, o->reserve_us);
}

/* ---- from the callees up ---- */

/* What the calls of a method need, so that each is promised what its callee needs. */
static int64_t calls_need(const struct check_method *m)
{
    const struct gen_budget *b = check_budget(m);
    int64_t needs[GEN_CALLS_MAX] = {0};
    for (size_t i = 0; i < b->n_calls; i++) {
        const struct gen_call *call = &b->calls[i];
        if (m->callees[i] == NULL || call->optional)
            continue;
        int64_t need = gen_span_times(m->callees[i]->needs, call->attempts);
        if (need > gen_call_cap(call)) /* an error of its own */
            need = gen_call_cap(call);
        if (need > needs[call->stage])
            needs[call->stage] = need;
    }
    return gen_times_needed(b, needs);
}

static void find_needs(const struct check_graph *g, struct check_method *m)
{
    const struct gen_method_options *o = &m->method->options;
    m->needs = gen_span_add(kept(o), calls_need(m));
    if (o->minimum_us > 0 && o->minimum_us < m->needs)
        gen_warning(g->errors, &m->method->at,
                    "minimum %s of %s is less than the %s that its work, reserve and calls need",
                    text(g, o->minimum_us), m->path, text(g, m->needs));
    if (o->minimum_us > m->needs)
        m->needs = o->minimum_us;
}

/* ---- from the callers down ---- */

/* What its calls have of the method's limit. */
static int64_t left_for_calls(const struct check_method *m)
{
    return gen_span_less(m->limit, kept(&m->method->options));
}

/* "timeout 1s", or, of a method without one, "the 200ms that a.S/M gives it". */
static const char *limit_text(const struct check_graph *g, const struct check_method *m)
{
    if (m->limiter == NULL)
        return gen_format(g->arena, "timeout %s", text(g, m->limit));
    return gen_format(g->arena, "the %s that %s gives it", text(g, m->limit), m->limiter->path);
}

/* "475ms: timeout 500ms less work 20ms and reserve 5ms" */
static const char *left_text(const struct check_graph *g, const struct check_method *m)
{
    const struct gen_method_options *o = &m->method->options;
    bool less = kept(o) > 0;
    return gen_format(g->arena, "%s: %s%s%s", text(g, left_for_calls(m)), limit_text(g, m),
                      less ? ", less " : "", less ? kept_text(g, o) : "");
}

/* Errors of a method by itself. False if there is no use in looking at its calls. */
static bool check_method_alone(const struct check_graph *g, const struct check_method *m)
{
    const struct gen_method_options *o = &m->method->options;
    const struct gen_place *at = &m->method->at;
    if (o->timeout_us > 0 && o->minimum_us > o->timeout_us)
        gen_error(g->errors, at, "%s can never run: its minimum %s is more than its timeout %s",
                  m->path, text(g, o->minimum_us), text(g, o->timeout_us));
    if (!m->is_called && m->height + 1 > HOPS_MAX)
        gen_error(g->errors, at, "a chain of %zu hops begins with %s: servers take %d at most",
                  m->height + 1, m->path, HOPS_MAX);
    if (m->limit == 0) /* its caller has no time: told there */
        return false;
    bool has_calls = check_budget(m)->n_calls > 0;
    if (m->limit == GEN_SPAN_FOREVER || kept(o) < m->limit || (!has_calls && kept(o) == m->limit))
        return true;
    gen_error(g->errors, at, "%s has no time%s: of %s it keeps %s", m->path,
              has_calls ? " for its calls" : "", limit_text(g, m), kept_text(g, o));
    return false;
}

/* The call of a stage that takes longest by its timeout. */
static const struct gen_call *longest(const struct gen_stage *stage)
{
    const struct gen_call *found = &stage->calls[0];
    for (size_t i = 1; i < stage->n_calls; i++) {
        if (gen_call_cap(&stage->calls[i]) > gen_call_cap(found))
            found = &stage->calls[i];
    }
    return found;
}

/* Where timeouts are the weights: one stage after the other, all of them must fit. */
static void check_sum(const struct check_graph *g, const struct check_method *m)
{
    const struct gen_budget *b = check_budget(m);
    int64_t sum = 0;
    struct gen_text how;
    gen_text_init(&how, g->arena);
    for (size_t i = 0; i < b->n_stages; i++) {
        const struct gen_call *call = longest(&b->stages[i]);
        sum = gen_span_add(sum, b->stages[i].cap_us);
        gen_text_add(&how, i > 0 ? ", then " : "");
        if (call->attempts > 1)
            gen_text_printf(&how, "%u x ", call->attempts);
        gen_text_printf(&how, "%s for %s", text(g, call->timeout_us), call->method);
    }
    if (b->by_timeout && sum > left_for_calls(m))
        gen_error(g->errors, &m->method->at, "the calls of %s take up to %s (%s), but have %s",
                  m->path, text(g, sum), how.data, left_text(g, m));
}

/* ", 600ms in 2 attempts," */
static const char *attempts_text(const struct check_graph *g, const struct gen_call *call,
                                 int64_t timeout)
{
    if (call->attempts == 1)
        return "";
    return gen_format(g->arena, ", %s in %u attempts,",
                      text(g, gen_span_times(timeout, call->attempts)), call->attempts);
}

/* The timeout of the call or, failing that, of the callee, against the most that the call gets. */
static void check_timeout(const struct check_graph *g, const struct check_method *m,
                          const struct gen_call *call, const struct check_method *callee,
                          int64_t most)
{
    int64_t of_callee = callee->method->options.timeout_us;
    if (call->timeout_us == 0 && gen_span_times(of_callee, call->attempts) > most)
        gen_error(
            g->errors, &call->at,
            "timeout %s of %s%s is more than the %s that %s can give: lower it, or say a timeout "
            "for the call",
            text(g, of_callee), callee->path, attempts_text(g, call, of_callee), text(g, most),
            m->path);
    if (!check_budget(m)->by_timeout && call->timeout_us > 0 && gen_call_cap(call) > most)
        gen_error(g->errors, &call->at,
                  "timeout %s for %s%s is more than the %s that its share can give",
                  text(g, call->timeout_us), callee->path, attempts_text(g, call, call->timeout_us),
                  text(g, most));
    if (of_callee > 0 && call->timeout_us > of_callee)
        gen_warning(g->errors, &call->at, "timeout %s for %s is more than its own, %s",
                    text(g, call->timeout_us), callee->path, text(g, of_callee));
}

/* What the callee needs against what the call is promised. */
static void check_need(const struct check_graph *g, const struct gen_call *call,
                       const struct check_method *callee, int64_t promised)
{
    int64_t each = gen_times_attempt(call, promised);
    if (callee->needs <= each)
        return;
    const char *who = call->attempts > 1
                          ? gen_format(g->arena, "each of %u attempts", call->attempts)
                          : "the call";
    gen_error(g->errors, &call->at, "%s (%s) needs %s, but %s is promised %s", callee->path,
              gen_place_text(g->arena, &callee->method->at), text(g, callee->needs), who,
              text(g, each));
}

static void check_calls(const struct check_graph *g, const struct check_method *m)
{
    const struct gen_budget *b = check_budget(m);
    int64_t promised[GEN_CALLS_MAX], most[GEN_CALLS_MAX];
    gen_times_promised(b, left_for_calls(m), promised);
    gen_times_most(b, left_for_calls(m), most);
    for (size_t i = 0; i < b->n_calls; i++) {
        const struct gen_call *call = &b->calls[i];
        const struct check_method *callee = m->callees[i];
        if (callee == NULL)
            continue;
        if (call->attempts > 1 && !callee->method->options.idempotent)
            gen_warning(g->errors, &call->at, "%u attempts of %s, which is not declared idempotent",
                        call->attempts, callee->path);
        check_timeout(g, m, call, callee, most[call->stage]);
        check_need(g, call, callee, promised[call->stage]);
    }
}

/* What a callee without a timeout of its own can have is the most that any caller gives it. */
static void find_limits(struct check_method *m)
{
    const struct gen_method_options *o = &m->method->options;
    if (o->timeout_us > 0)
        m->limit = o->timeout_us;
    else if (!m->is_called)
        m->limit = GEN_SPAN_FOREVER;
    const struct gen_budget *b = check_budget(m);
    int64_t most[GEN_CALLS_MAX];
    gen_times_most(b, left_for_calls(m), most);
    for (size_t i = 0; i < b->n_calls; i++) {
        struct check_method *callee = m->callees[i];
        int64_t each = gen_times_attempt(&b->calls[i], most[b->calls[i].stage]);
        if (callee == NULL || callee->method->options.timeout_us > 0 || each < callee->limit)
            continue;
        callee->limit = each;
        callee->limiter = m;
    }
}

void gen_check_budgets(const struct check_graph *g)
{
    for (size_t i = 0; i < g->n_order; i++)
        find_needs(g, g->order[i]);
    for (size_t i = g->n_order; i > 0; i--)
        find_limits(g->order[i - 1]);
    for (size_t i = 0; i < g->n_methods; i++) {
        const struct check_method *m = &g->methods[i];
        if (!check_method_alone(g, m))
            continue;
        check_sum(g, m);
        check_calls(g, m);
    }
}
