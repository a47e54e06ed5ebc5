/* memory_test.c - every allocation of every function fails in turn. */
#include "budget_unit.h"

#define MS STINT_MS(1)

struct countdown {
    size_t left; /* allocations that still succeed */
    bool failed;
};

static bool one_fails(void *arg, size_t n)
{
    (void)n;
    struct countdown *c = arg;
    if (c->left-- > 0)
        return true;
    c->failed = true;
    return false;
}

/* `code`, or out of memory. */
static void expect(const stint_ctx *ctx, stint_code code)
{
    stint_code got = stint_ctx_err(ctx);
    assert_true(got == code || got == STINT_RESOURCE_EXHAUSTED);
}

static void check(stint_ctx *ctx, stint_code code)
{
    expect(ctx, code);
    stint_ctx_drop(ctx);
}

static void follow_a_plan(const stint_ctx *ctx)
{
    static const uint32_t weights[] = {1, 1};
    static const stint_plan_call calls[] = {
        {.method = "t.T/A", .stage = 0, .attempts = 1},
        {.method = "t.T/B", .stage = 1, .attempts = 1, .timeout = STINT_MS(1)},
    };
    static const stint_plan plan = {
        .n_stages = 2, .weights = weights, .n_calls = 2, .calls = calls};
    stint_plan_leg legs[2] = {{.own = NULL}};
    stint_plan_budget b = stint_plan_start(&plan, ctx);
    expect(stint_plan_next(&b, legs, 0), STINT_OK);
    expect(stint_plan_next(&b, legs, 1), STINT_OK);
    expect(stint_plan_next(&b, legs, 1), STINT_FAILED_PRECONDITION);
    expect(stint_plan_next(&b, legs, 0), STINT_FAILED_PRECONDITION);
    stint_plan_end(&b, legs);
}

static void use_everything(void)
{
    stint_ctx *ctx = with_left(100 * MS);
    {
        STINT_BUDGET_WEIGHTED(b, ctx, 10 * MS, 1, 0);
        expect(stint_budget_next(&b), STINT_OK);
        expect(stint_budget_next(&b), STINT_DEADLINE_EXCEEDED);
        expect(stint_budget_next(&b), STINT_FAILED_PRECONDITION);
    }
    follow_a_plan(ctx);
    check(stint_ctx_with_reserve(ctx, 10 * MS), STINT_OK);
    check(stint_ctx_with_cap(ctx, 10 * MS, 10 * MS), STINT_OK);
    check(stint_ctx_with_cap(ctx, 10 * MS, 200 * MS), STINT_DEADLINE_EXCEEDED);
    check(stint_ctx_with_minimum(ctx, 10 * MS), STINT_OK);
    check(stint_ctx_with_minimum(ctx, 200 * MS), STINT_DEADLINE_EXCEEDED);
    stint_ctx *ext = stint_ctx_extend(ctx, 200 * MS, NULL, (stint_log){NULL, NULL});
    expect(ext, STINT_OK);
    stint_ctx_cancel(ctx, STINT_ABORTED, "over");
    expect(ext, STINT_ABORTED);
    stint_ctx_drop(ext);
    stint_ctx_drop(ctx);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    struct countdown c = {.failed = true};
    size_t n = 0;
    for (; c.failed; n++) {
        c = (struct countdown){.left = n};
        stint__alloc_set_gate(one_fails, &c);
        use_everything();
        stint__alloc_set_gate(NULL, NULL);
        assert_int_equal(stint_ctx_live_count(), 0);
    }
    assert_true(n > 20); /* it did fail at each of them */
}

/* Callers act on it; the text is for people. */
static void the_reason_needs_no_memory(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(MS);
    struct countdown c = {.left = 1};
    stint__alloc_set_gate(one_fails, &c);
    stint_ctx *none = stint_ctx_with_minimum(ctx, 2 * MS);
    stint__alloc_set_gate(NULL, NULL);
    assert_true(c.failed);
    assert_insufficient(none, "context ended: INSUFFICIENT_BUDGET");
    stint_ctx_drop(none);
    stint_ctx_drop(ctx);
}

static void out_of_memory_extends_nothing(void **state)
{
    (void)state;
    stint_budget_stats before = stats_now();
    stint_ctx *ctx = with_left(MS);
    struct countdown c = {.left = 0};
    stint__alloc_set_gate(one_fails, &c);
    stint_ctx *ext = stint_ctx_extend(ctx, 2 * MS, NULL, (stint_log){NULL, NULL});
    stint__alloc_set_gate(NULL, NULL);
    assert_ended(ext, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
    assert_int_equal(stats_now().extended, before.extended);
    stint_ctx *further = stint_ctx_extend(ext, 2 * MS, NULL, (stint_log){NULL, NULL});
    assert_ended(further, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
    stint_ctx *below = stint_ctx_with_timeout(ext, MS); /* has a deadline, and a node of its own */
    stint_ctx *below_ext = stint_ctx_extend(below, 2 * MS, NULL, (stint_log){NULL, NULL});
    assert_ended(below_ext, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
    stint_ctx_drop(below_ext);
    stint_ctx_drop(below);
    stint_ctx_drop(further);
    stint_ctx_drop(ext);
    stint_ctx_drop(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(any_allocation_may_fail),
        VIRTUAL_TEST(the_reason_needs_no_memory),
        VIRTUAL_TEST(out_of_memory_extends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
