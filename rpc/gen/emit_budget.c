/* emit_budget.c - writes the typed budgets of methods that declare calls, over stint/plan.h.
 * Single-threaded. */
#include "emit.h"

#include "names.h"
#include "span.h"
#include "template.h"

static const char header_begin[] = "\n"
                                   "/* How a handler of $method$ divides its time. */\n"
                                   "typedef struct $function$_budget {\n"
                                   "    stint_plan_budget plan;\n"
                                   "    stint_plan_leg legs[$n_calls$];\n"
                                   "} $function$_budget;\n"
                                   "$function$_budget $function$_budget_start("
                                   "const stint_ctx *ctx);\n"
                                   "void $function$_budget_end($function$_budget *b);\n";

static const char header_leg[] = "/* $callee$: $part$ */\n"
                                 "const stint_ctx *$leg$($function$_budget *b);\n";

static const char source_weights[] = "\n"
                                     "static const uint32_t weights_$static$[] = {$weights$};\n"
                                     "\n"
                                     "static const stint_plan_call calls_$static$[] = {\n";

static const char source_call[] = "    {\n"
                                  "        .method = \"$callee$\",\n"
                                  "        .stage = $stage$,\n"
                                  "        .attempts = $attempts$,\n"
                                  "        .timeout = $timeout$,\n"
                                  "    },\n";

static const char source_plan[] =
    "};\n"
    "\n"
    "static const stint_plan plan_$static$ = {\n"
    "    .n_stages = $n_stages$,\n"
    "    .weights = weights_$static$,\n"
    "    .n_calls = $n_calls$,\n"
    "    .calls = calls_$static$,\n"
    "    .work = $work$,\n"
    "};\n"
    "\n"
    "$function$_budget $function$_budget_start(const stint_ctx *ctx)\n"
    "{\n"
    "    const stint_plan *plan = &plan_$static$;\n"
    "    $function$_budget b = {.plan = stint_plan_start(plan, ctx)};\n"
    "    return b;\n"
    "}\n"
    "\n"
    "void $function$_budget_end($function$_budget *b)\n"
    "{\n"
    "    stint_plan_end(&b->plan, b->legs);\n"
    "}\n";

static const char source_leg[] = "\n"
                                 "const stint_ctx *$leg$($function$_budget *b)\n"
                                 "{\n"
                                 "    return stint_plan_next(&b->plan, b->legs, $index$);\n"
                                 "}\n";

/* What a call is given, for people. */
static const char *part_text(struct stint__arena *arena, const struct gen_budget *b,
                             const struct gen_call *call)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->n_stages; i++)
        sum += b->stages[i].weight;
    const struct gen_stage *stage = &b->stages[call->stage];
    struct gen_text t;
    gen_text_init(&t, arena);
    gen_text_printf(&t, "stage %zu of %zu, weight %u of %llu", call->stage + 1, b->n_stages,
                    stage->weight, (unsigned long long)sum);
    if (call->attempts > 1)
        gen_text_printf(&t, ", %u attempts", call->attempts);
    if (call->timeout_us > 0)
        gen_text_printf(&t, ", %s%s at most", call->attempts > 1 ? "each " : "",
                        gen_span_text(arena, call->timeout_us));
    return t.data;
}

static const char *weights_text(struct stint__arena *arena, const struct gen_budget *b)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    for (size_t i = 0; i < b->n_stages; i++)
        gen_text_printf(&t, "%s%u", i > 0 ? ", " : "", b->stages[i].weight);
    return t.data;
}

static void emit_call(struct gen_text *t, const char *template, const struct gen_method *method,
                      const struct gen_call *call)
{
    struct stint__arena *arena = t->arena;
    const struct gen_budget *b = &method->options.budget;
    const struct gen_var vars[] = {
        {"function", method->function},
        {"leg", gen_format(arena, "%s_leg_%s", method->function, call->name)},
        {"callee", call->method},
        {"part", part_text(arena, b, call)},
        {"index", gen_format(arena, "%zu", (size_t)(call - b->calls))},
        {"stage", gen_format(arena, "%zu", call->stage)},
        {"attempts", gen_format(arena, "%u", call->attempts)},
        {"timeout", gen_span_code(arena, call->timeout_us)},
        {NULL, NULL},
    };
    gen_template_add(t, template, vars);
}

static void emit_calls(struct gen_text *t, const char *template, const struct gen_method *method)
{
    const struct gen_budget *b = &method->options.budget;
    for (size_t i = 0; i < b->n_calls; i++)
        emit_call(t, template, method, &b->calls[i]);
}

/* A line of a macro that goes on: the backslash stands in the last column. */
static void add_macro_line(struct gen_text *t, const char *line)
{
    gen_text_printf(t, "%-*s\\\n", GEN_COLUMNS - 1, line);
}

static void emit_macro(struct gen_text *t, const struct gen_method *method)
{
    struct stint__arena *arena = t->arena;
    const char *f = method->function;
    const char *upper = gen_name_upper(arena, f);
    gen_text_add(t, "#if STINT_HAVE_CLEANUP\n");
    add_macro_line(t, gen_format(arena, "#define %s_BUDGET(b, ctx)", upper));
    add_macro_line(t, gen_format(arena, "    STINT_CLEANUP(%s_budget_end)", f));
    gen_text_printf(t, "    %s_budget b = %s_budget_start((ctx))\n#endif\n", f, f);
}

void gen_emit_budget_header(struct gen_text *t, const struct gen_method *method)
{
    const struct gen_budget *b = &method->options.budget;
    if (b->n_calls == 0)
        return;
    const struct gen_var vars[] = {
        {"method", method->proto->name},
        {"function", method->function},
        {"n_calls", gen_format(t->arena, "%zu", b->n_calls)},
        {NULL, NULL},
    };
    gen_template_add(t, header_begin, vars);
    emit_calls(t, header_leg, method);
    emit_macro(t, method);
}

void gen_emit_budget_source(struct gen_text *t, const struct gen_service *service,
                            const struct gen_method *method)
{
    struct stint__arena *arena = t->arena;
    const struct gen_budget *b = &method->options.budget;
    if (b->n_calls == 0)
        return;
    const struct gen_var vars[] = {
        {"static", gen_format(arena, "%s_%s", service->name, method->name)},
        {"function", method->function},
        {"n_calls", gen_format(arena, "%zu", b->n_calls)},
        {"n_stages", gen_format(arena, "%zu", b->n_stages)},
        {"weights", weights_text(arena, b)},
        {"work", gen_span_code(arena, method->options.work_us)},
        {NULL, NULL},
    };
    gen_template_add(t, source_weights, vars);
    emit_calls(t, source_call, method);
    gen_template_add(t, source_plan, vars);
    emit_calls(t, source_leg, method);
}
