/* plan_test.c - declared budgets: what each call of a plan gets, in order and out of it. */
#include "budget_unit.h"

#define MS STINT_MS(1)

/* A, then B and three attempts of C at the same time, then two attempts of D, 30 ms at most. */
enum { A, B, C, D, CALLS };

static const stint_plan_call calls[CALLS] = {
    [A] = {.method = "t.T/A", .stage = 0, .attempts = 1},
    [B] = {.method = "t.T/B", .stage = 1, .attempts = 1},
    [C] = {.method = "t.T/C", .stage = 1, .attempts = 3},
    [D] = {.method = "t.T/D", .stage = 2, .attempts = 2, .timeout = STINT_MS(30)},
};
static const uint32_t weights[] = {20, 30, 50};
static const stint_plan plan = {
    .n_stages = 3,
    .weights = weights,
    .n_calls = CALLS,
    .calls = calls,
    .work = STINT_MS(10),
};

struct follow {
    stint_ctx *ctx;
    stint_plan_budget budget;
    stint_plan_leg legs[CALLS];
};

/* Follows the plan with 110 ms: 100 for the calls. */
static int begin(void **state)
{
    static struct follow f;
    assert_int_equal(virtual_setup(state), 0);
    f = (struct follow){.ctx = with_left(110 * MS)};
    f.budget = stint_plan_start(&plan, f.ctx);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct follow *f = *state;
    stint_plan_end(&f->budget, f->legs);
    stint_ctx_drop(f->ctx);
    return virtual_teardown(state);
}

static const stint_ctx *next(struct follow *f, size_t index)
{
    return stint_plan_next(&f->budget, f->legs, index);
}

static void each_stage_has_its_weight_and_each_attempt_its_part(void **state)
{
    struct follow *f = *state;
    assert_left(next(f, A), 20 * MS);
    stint__vclock_advance(20 * MS);
    assert_left(next(f, B), 30 * MS);
    assert_left(next(f, C), 10 * MS);
    stint__vclock_advance(30 * MS);
    assert_left(next(f, D), 25 * MS);
    stint__vclock_advance(25 * MS);
    assert_left(next(f, D), 25 * MS);
    assert_left(f->ctx, 35 * MS); /* with the 10 for work */
}

static void parallel_calls_end_at_the_same_time(void **state)
{
    struct follow *f = *state;
    stint__vclock_advance(20 * MS);
    const stint_ctx *b = next(f, B); /* the 80 left, without A: 30/80 */
    assert_left(b, 30 * MS);
    stint__vclock_advance(9 * MS);
    const stint_ctx *c = next(f, C);
    assert_left(c, 7 * MS); /* the first of three in the 21 ms left */
    assert_left(b, 21 * MS);
}

static void what_an_attempt_leaves_is_the_next_ones(void **state)
{
    struct follow *f = *state;
    (void)next(f, A);
    stint__vclock_advance(20 * MS);
    assert_left(next(f, C), 10 * MS);
    stint__vclock_advance(4 * MS);
    assert_left(next(f, C), 13 * MS);
    stint__vclock_advance(20 * MS); /* 7 too much */
    assert_left(next(f, C), 6 * MS);
}

static void a_timeout_is_for_each_attempt(void **state)
{
    struct follow *f = *state;
    const stint_ctx *first = next(f, D); /* all before it left out: half of 100 would be 50 */
    assert_left(first, 30 * MS);
    stint__vclock_advance(30 * MS);
    assert_ended(first, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_left(next(f, D), 30 * MS);
}

static void a_later_stage_ends_what_runs(void **state)
{
    struct follow *f = *state;
    const stint_ctx *a = next(f, A);
    const stint_ctx *b = next(f, B);
    assert_int_equal(stint_ctx_err(a), STINT_CANCELLED);
    const stint_ctx *c = next(f, C);
    assert_int_equal(stint_ctx_err(b), STINT_OK);
    (void)next(f, D);
    assert_int_equal(stint_ctx_err(b), STINT_CANCELLED);
    assert_int_equal(stint_ctx_err(c), STINT_CANCELLED);
}

static void going_back_fails_and_harms_nothing(void **state)
{
    struct follow *f = *state;
    const stint_ctx *b = next(f, B);
    assert_ended(next(f, A), STINT_FAILED_PRECONDITION,
                 "the budget declares t.T/A before what was called already");
    const stint_ctx *d = next(f, D);
    assert_ended(next(f, B), STINT_FAILED_PRECONDITION,
                 "the budget declares t.T/B before what was called already");
    assert_int_equal(stint_ctx_err(b), STINT_CANCELLED);
    assert_int_equal(stint_ctx_err(d), STINT_OK);
    assert_int_equal(stint_ctx_err(f->ctx), STINT_OK);
}

static void one_attempt_too_many_fails_every_time(void **state)
{
    struct follow *f = *state;
    assert_left(next(f, A), 20 * MS);
    for (int i = 0; i < 3; i++)
        assert_ended(next(f, A), STINT_FAILED_PRECONDITION,
                     "the budget declares no more attempts of t.T/A than 1");
    assert_left(next(f, B), 100 * MS * 30 / 80); /* of all 100: no time has passed */
}

static void work_is_kept_back(void **state)
{
    struct follow *f = *state;
    stint__vclock_advance(101 * MS);
    assert_insufficient(next(f, A),
                        "leg 1 of 3 has no time: 9.000 ms are left, 10.000 ms are reserved");
    assert_left(f->ctx, 9 * MS);
}

static void a_parent_that_is_done_says_why(void **state)
{
    struct follow *f = *state;
    stint_ctx_cancel(f->ctx, STINT_ABORTED, "enough");
    for (size_t i = 0; i < CALLS; i++)
        assert_ended(next(f, i), STINT_ABORTED, "enough");
    assert_ended(next(f, A), STINT_ABORTED, "enough"); /* too late, too */
}

static void without_a_deadline_timeouts_hold(void **state)
{
    (void)state;
    stint_plan_leg legs[CALLS] = {{.own = NULL}};
    stint_plan_budget b = stint_plan_start(&plan, stint_ctx_background());
    assert_left(stint_plan_next(&b, legs, A), STINT_DURATION_FOREVER);
    assert_left(stint_plan_next(&b, legs, D), 30 * MS);
    stint_plan_end(&b, legs);
}

static void after_its_end_it_gives_nothing(void **state)
{
    struct follow *f = *state;
    (void)next(f, A);
    stint_plan_end(&f->budget, f->legs);
    assert_int_equal(stint_ctx_err(next(f, A)), STINT_FAILED_PRECONDITION);
    assert_int_equal(stint_ctx_err(next(f, D)), STINT_FAILED_PRECONDITION);
    stint_plan_end(&f->budget, f->legs);
}

#define PLAN_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN_TEST(each_stage_has_its_weight_and_each_attempt_its_part),
        PLAN_TEST(parallel_calls_end_at_the_same_time),
        PLAN_TEST(what_an_attempt_leaves_is_the_next_ones),
        PLAN_TEST(a_timeout_is_for_each_attempt),
        PLAN_TEST(a_later_stage_ends_what_runs),
        PLAN_TEST(going_back_fails_and_harms_nothing),
        PLAN_TEST(one_attempt_too_many_fails_every_time),
        PLAN_TEST(work_is_kept_back),
        PLAN_TEST(a_parent_that_is_done_says_why),
        PLAN_TEST(without_a_deadline_timeouts_hold),
        PLAN_TEST(after_its_end_it_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
