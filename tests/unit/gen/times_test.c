/* times_test.c - the checker's arithmetic: rounding, caps, the ends of the range; and that it
 * promises no more than a budget gives at run time. */
#include "unit.h"

#include <stint/stint.h>

#include "check_times.h"
#include "clock.h"
#include "span.h"

#define FOREVER GEN_SPAN_FOREVER

struct weights {
    uint32_t weight[4];
    int64_t cap[4]; /* 0: none */
};

static struct gen_stage stages[4];

static struct gen_budget budget_of(size_t n, struct weights w)
{
    for (size_t i = 0; i < n; i++)
        stages[i] =
            (struct gen_stage){.weight = w.weight[i], .cap_us = w.cap[i] > 0 ? w.cap[i] : FOREVER};
    return (struct gen_budget){.stages = stages, .n_stages = n};
}

static void expect(const int64_t *got, size_t n, const int64_t *want)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], want[i]);
}

static void promises_are_rounded_down(void **state)
{
    (void)state;
    struct gen_budget b = budget_of(3, (struct weights){{1, 1, 1}, {0}});
    int64_t got[3];
    gen_times_promised(&b, 100, got);
    expect(got, 3, (const int64_t[]){33, 33, 33});
    gen_times_promised(&b, 2, got);
    expect(got, 3, (const int64_t[]){0, 0, 0});
    gen_times_promised(&b, 3, got);
    expect(got, 3, (const int64_t[]){1, 1, 1});
}

static void the_most_is_what_the_others_leave(void **state)
{
    (void)state;
    struct gen_budget b = budget_of(3, (struct weights){{10, 70, 20}, {0}});
    int64_t got[3];
    gen_times_most(&b, 900, got);
    expect(got, 3, (const int64_t[]){90, 700, 900});
}

static void what_a_cap_leaves_is_promised_to_the_rest(void **state)
{
    (void)state;
    struct gen_budget b = budget_of(3, (struct weights){{50, 25, 25}, {100, 0, 60}});
    int64_t got[3];
    gen_times_promised(&b, 1000, got);
    expect(got, 3, (const int64_t[]){100, 450, 60});
    gen_times_most(&b, 1000, got);
    expect(got, 3, (const int64_t[]){100, 500, 60});
}

static void without_a_limit_only_caps_hold(void **state)
{
    (void)state;
    struct gen_budget b = budget_of(2, (struct weights){{1, 3}, {0, 7}});
    int64_t got[2];
    gen_times_promised(&b, FOREVER, got);
    expect(got, 2, (const int64_t[]){FOREVER, 7});
    gen_times_most(&b, FOREVER, got);
    expect(got, 2, (const int64_t[]){FOREVER, 7});
}

static void the_ends_of_the_range_do_not_overflow(void **state)
{
    (void)state;
    struct gen_budget b =
        budget_of(4, (struct weights){{UINT32_MAX, UINT32_MAX, UINT32_MAX, 1}, {0}});
    int64_t got[4];
    gen_times_promised(&b, GEN_SPAN_MAX, got);
    int64_t sum = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_true(got[i] > 0 && got[i] <= GEN_SPAN_MAX - sum);
        sum += got[i];
    }
    assert_true(sum > GEN_SPAN_MAX - 10);
    gen_times_promised(&b, GEN_SPAN_MAX + 1, got); /* no deadline can be so late */
    expect(got, 4, (const int64_t[]){FOREVER, FOREVER, FOREVER, FOREVER});
}

static void what_is_needed_is_the_least_that_suffices(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        struct weights w;
        int64_t needs[4], least;
    } cases[] = {
        {0, {{0}, {0}}, {0}, 0},
        {1, {{7}, {0}}, {123}, 123},
        {2, {{1, 3}, {0}}, {10, 0}, 40},
        {2, {{1, 3}, {0}}, {10, 30}, 40},
        {2, {{1, 3}, {0}}, {0, 30}, 40},
        {3, {{1, 1, 1}, {0}}, {0, 0, 1000}, 3000},
        {3, {{1, 1, 1}, {0}}, {0, 0, 334}, 1002},
        {2, {{3, 1}, {90, 0}}, {0, 10}, 40},
        {2, {{3, 1}, {6, 0}}, {0, 10}, 16},
        {2, {{99, 1}, {50, 0}}, {50, 100}, 150},
        {3, {{1, 1, 1}, {0}}, {1, 1, 1}, 3},
        {2, {{1, 1}, {5, 0}}, {6, 0}, FOREVER}, /* over its cap: never */
        {2, {{1, UINT32_MAX}, {0}}, {FOREVER / 2, 1}, FOREVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gen_budget b = budget_of(cases[i].n, cases[i].w);
        assert_int_equal(gen_times_needed(&b, cases[i].needs), cases[i].least);
    }
}

static void attempts_share_a_stage_and_have_the_timeout_each(void **state)
{
    (void)state;
    struct gen_call call = {.attempts = 3};
    assert_int_equal(gen_times_attempt(&call, 100), 33);
    assert_int_equal(gen_times_attempt(&call, FOREVER), FOREVER);
    assert_int_equal(gen_call_cap(&call), FOREVER);
    call.timeout_us = 20;
    assert_int_equal(gen_times_attempt(&call, 100), 20);
    assert_int_equal(gen_times_attempt(&call, 30), 10);
    assert_int_equal(gen_times_attempt(&call, FOREVER), 20);
    assert_int_equal(gen_call_cap(&call), 60);
    call.timeout_us = GEN_SPAN_MAX;
    call.attempts = 2000;
    assert_int_equal(gen_call_cap(&call), FOREVER);
}

static void spans_stay_between_nothing_and_forever(void **state)
{
    (void)state;
    assert_int_equal(gen_span_add(FOREVER, 1), FOREVER);
    assert_int_equal(gen_span_add(FOREVER - 1, 1), FOREVER);
    assert_int_equal(gen_span_add(1, 2), 3);
    assert_int_equal(gen_span_times(FOREVER / 2, 3), FOREVER);
    assert_int_equal(gen_span_times(FOREVER, 0), 0);
    assert_int_equal(gen_span_times(5, 3), 15);
    assert_int_equal(gen_span_less(3, 5), 0);
    assert_int_equal(gen_span_less(5, 3), 2);
    assert_int_equal(gen_span_less(FOREVER, 3), FOREVER);
}

static void spans_are_read_and_written(void **state)
{
    (void)state;
    struct stint__arena arena;
    stint__arena_init(&arena, NULL, 0, 65536);
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"0", 0},
                 {"1us", 1},
                 {"999us", 999},
                 {"1ms", 1000},
                 {"1.001ms", 1001},
                 {"33.33ms", 33330},
                 {"999.999ms", 999999},
                 {"1s", 1000000},
                 {"1.5s", 1500000},
                 {"1000.001ms", 1000001},
                 {"3600s", 3600000000},
                 {"no limit", FOREVER}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(gen_span_text(&arena, cases[i].us), cases[i].text);
    assert_int_equal(gen_span_parse("9223372036854775us"), 0); /* more digits than make sense */
    assert_int_equal(gen_span_parse("2562047h"), 2562047 * INT64_C(3600000000));
    assert_int_equal(gen_span_parse("2562048h"), 0); /* more nanoseconds than there are */
    stint__arena_fini(&arena);
}

/* ---- the checker and the budget agree ---- */

static uint64_t dice; /* a linear congruential generator (Knuth's MMIX); seeded by the test */

static uint32_t roll(uint32_t sides)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33) % sides;
}

#define N 5

struct fleet {
    struct gen_call calls[N];
    struct gen_stage stages[N];
    struct gen_budget budget;
    uint32_t weights[N];
    stint_plan_call plan_calls[N];
    stint_plan plan;
};

/* The same budget for both: N stages of one call each. */
static void make(struct fleet *f)
{
    *f = (struct fleet){
        .budget = {.stages = f->stages, .n_stages = N},
        .plan = {.n_stages = N, .weights = f->weights, .n_calls = N, .calls = f->plan_calls}};
    for (size_t i = 0; i < N; i++) {
        struct gen_call call = {.attempts = 1 + roll(3),
                                .timeout_us = (int64_t)roll(2) * (1 + roll(90000))};
        f->calls[i] = call;
        f->weights[i] = 1 + roll(roll(2) > 0 ? 10 : 1000000);
        f->stages[i] = (struct gen_stage){.weight = f->weights[i], .cap_us = gen_call_cap(&call)};
        f->plan_calls[i] = (stint_plan_call){
            .stage = i, .attempts = call.attempts, .timeout = STINT_US(call.timeout_us)};
    }
}

/* Follows the plan from stage `first` on, where every attempt takes all the time that it has. None
 * may have less than promised, and the first stage no more than the most. */
static void follow(const struct fleet *f, int64_t left, size_t first)
{
    int64_t promised[N], most[N];
    gen_times_promised(&f->budget, left, promised);
    gen_times_most(&f->budget, left, most);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_US(left));
    stint_plan_leg legs[N] = {{.own = NULL}};
    stint_plan_budget budget = stint_plan_start(&f->plan, ctx);
    for (size_t i = first; i < N; i++) {
        int64_t took = 0;
        for (uint32_t a = 0; a < f->calls[i].attempts; a++) {
            stint_duration has = stint_ctx_remaining(stint_plan_next(&budget, legs, i));
            assert_true(has / 1000 >= gen_times_attempt(&f->calls[i], promised[i]));
            stint__vclock_advance(has);
            took += has;
        }
        assert_true(i > first || took / 1000 <= most[i]);
    }
    stint_plan_end(&budget, legs);
    stint_ctx_drop(ctx);
}

static void at_run_time_no_call_has_less_than_was_promised(void **state)
{
    (void)state;
    stint__vclock_install((stint_time){1000});
    for (dice = 1; dice < 2000; dice++) {
        uint64_t seed = dice;
        struct fleet f;
        make(&f);
        int64_t left = 1 + roll(1000000);
        for (size_t first = 0; first < N; first++)
            follow(&f, left, first);
        dice = seed;
    }
    stint__vclock_uninstall();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_are_rounded_down),
        cmocka_unit_test(the_most_is_what_the_others_leave),
        cmocka_unit_test(what_a_cap_leaves_is_promised_to_the_rest),
        cmocka_unit_test(without_a_limit_only_caps_hold),
        cmocka_unit_test(the_ends_of_the_range_do_not_overflow),
        cmocka_unit_test(what_is_needed_is_the_least_that_suffices),
        cmocka_unit_test(at_run_time_no_call_has_less_than_was_promised),
        cmocka_unit_test(attempts_share_a_stage_and_have_the_timeout_each),
        cmocka_unit_test(spans_stay_between_nothing_and_forever),
        cmocka_unit_test(spans_are_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
