/* limits_test.c - reserves, caps and minimums of single contexts. */
#include "budget_unit.h"

#include <string.h>

#define MS STINT_MS(1)

static void check_left(stint_ctx *ctx, stint_duration left)
{
    assert_left(ctx, left);
    stint_ctx_drop(ctx);
}

static void check_insufficient(stint_ctx *ctx, const char *text)
{
    assert_insufficient(ctx, text);
    stint_ctx_drop(ctx);
}

static void a_reserve_is_kept_from_the_deadline(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    check_left(stint_ctx_with_reserve(ctx, 30 * MS), 70 * MS);
    check_left(stint_ctx_with_reserve(ctx, 0), 100 * MS);
    check_left(stint_ctx_with_reserve(ctx, -MS), 100 * MS);
    check_left(stint_ctx_with_reserve(ctx, INT64_MIN), 100 * MS);
    check_left(stint_ctx_with_reserve(ctx, 100 * MS - 1), 1);
    check_insufficient(stint_ctx_with_reserve(ctx, 100 * MS),
                       "a call has no time: 100.000 ms are left, 100.000 ms are reserved");
    check_insufficient(
        stint_ctx_with_reserve(ctx, STINT_DURATION_FOREVER),
        "a call has no time: 100.000 ms are left, 9223372036854.775 ms are reserved");
    check_left(stint_ctx_with_reserve(stint_ctx_background(), 30 * MS), STINT_DURATION_FOREVER);
    stint_ctx_drop(ctx);
}

static void a_cap_is_the_less_of_two(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    check_left(stint_ctx_with_cap(ctx, 50 * MS, 30 * MS), 50 * MS);
    check_left(stint_ctx_with_cap(ctx, 80 * MS, 30 * MS), 70 * MS);
    check_left(stint_ctx_with_cap(ctx, STINT_DURATION_FOREVER, 30 * MS), 70 * MS);
    check_left(stint_ctx_with_cap(ctx, 80 * MS, INT64_MIN), 80 * MS);
    check_left(stint_ctx_with_cap(ctx, 200 * MS, -30 * MS), 100 * MS); /* never more than that */
    check_left(stint_ctx_with_cap(ctx, 1, 0), 1);
    check_insufficient(stint_ctx_with_cap(ctx, 50 * MS, 100 * MS),
                       "a call has no time: 100.000 ms are left, 100.000 ms are reserved");
    check_insufficient(stint_ctx_with_cap(ctx, 0, 0), "a cap of 0.000 ms leaves no time");
    check_insufficient(stint_ctx_with_cap(ctx, INT64_MIN, 0),
                       "a cap of -9223372036854.775 ms leaves no time");
    check_left(stint_ctx_with_cap(stint_ctx_background(), 50 * MS, 30 * MS), 50 * MS);
    check_left(stint_ctx_with_cap(stint_ctx_background(), STINT_DURATION_FOREVER, 30 * MS),
               STINT_DURATION_FOREVER);
    stint_ctx_drop(ctx);
}

static void a_minimum_is_there_or_nothing_is(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(5 * MS);
    check_left(stint_ctx_with_minimum(ctx, 5 * MS), 5 * MS);
    check_left(stint_ctx_with_minimum(ctx, 0), 5 * MS);
    check_left(stint_ctx_with_minimum(ctx, INT64_MIN), 5 * MS);
    check_insufficient(stint_ctx_with_minimum(ctx, STINT_DURATION_FOREVER),
                       "5.000 ms are left, and at least 9223372036854.775 ms are needed");
    stint__vclock_advance(STINT_US(1));
    check_insufficient(stint_ctx_with_minimum(ctx, 5 * MS),
                       "4.999 ms are left, and at least 5.000 ms are needed");
    check_left(stint_ctx_with_minimum(stint_ctx_background(), STINT_SECONDS(3600)),
               STINT_DURATION_FOREVER);
    stint_ctx_drop(ctx);
}

static void a_minimum_looks_only_once(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(5 * MS);
    stint_ctx *begun = stint_ctx_with_minimum(ctx, 5 * MS);
    stint__vclock_advance(4 * MS);
    assert_left(begun, MS);
    stint_ctx_drop(begun);
    stint_ctx_drop(ctx);
}

static void what_is_below_is_done_for_the_same_reason(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(5 * MS);
    const char *text = "5.000 ms are left, and at least 6.000 ms are needed";
    stint_ctx *none = stint_ctx_with_minimum(ctx, 6 * MS);
    stint_ctx *other = with_left(7 * MS);
    check_insufficient(stint_ctx_with_timeout(none, MS), text);
    check_insufficient(stint_ctx_with_reserve(none, 10 * MS), text);
    check_insufficient(stint_ctx_merge(other, none), text);
    STINT_BUDGET(b, none, 1, 0);
    assert_insufficient(stint_budget_next(&b), text);
    assert_left(ctx, 5 * MS); /* the parent is not concerned */
    stint_budget_end(&b);
    stint_ctx_drop(other);
    stint_ctx_drop(none);
    stint_ctx_drop(ctx);
}

static void limits_combine(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 2, 20 * MS);
    check_left(stint_ctx_with_minimum(stint_budget_next(&b), 40 * MS), 40 * MS);
    stint__vclock_advance(50 * MS);
    check_insufficient(stint_ctx_with_minimum(stint_budget_next(&b), 40 * MS),
                       "30.000 ms are left, and at least 40.000 ms are needed");
    stint_ctx_drop(ctx);
}

/* The constructors, all with arguments that ask too much. */
static stint_ctx *asks_too_much(unsigned i, const stint_ctx *ctx)
{
    switch (i) {
    case 0:
        return stint_ctx_with_reserve(ctx, STINT_SECONDS(9));
    case 1:
        return stint_ctx_with_cap(ctx, 0, 0);
    case 2:
        return stint_ctx_with_cap(ctx, MS, STINT_SECONDS(9));
    default:
        return stint_ctx_with_minimum(ctx, STINT_SECONDS(9));
    }
}

static void a_parent_that_is_done_passes_on_its_own_cause(void **state)
{
    (void)state;
    stint_ctx *cancelled = with_left(MS);
    stint_ctx *expired = with_left(MS);
    stint_ctx_cancel(cancelled, STINT_ABORTED, "the user left");
    stint__vclock_advance(MS);
    for (unsigned i = 0; i < 4; i++) {
        stint_ctx *a = asks_too_much(i, cancelled);
        stint_ctx *b = asks_too_much(i, expired);
        assert_ended(a, STINT_ABORTED, "the user left");
        assert_ended(b, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
        stint_ctx_drop(a);
        stint_ctx_drop(b);
    }
    stint_ctx_drop(cancelled);
    stint_ctx_drop(expired);
}

static void what_is_refused_is_counted(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(MS);
    uint64_t before = stats_now().insufficient;
    for (unsigned i = 0; i < 4; i++)
        stint_ctx_drop(asks_too_much(i, ctx));
    stint_ctx_drop(stint_ctx_with_minimum(ctx, MS));
    assert_int_equal(stats_now().insufficient, before + 4);
    stint_ctx_drop(ctx);
}

static void stats_of_an_older_caller_are_cut(void **state)
{
    (void)state;
    stint_budget_stats stats;
    memset(&stats, 0x55, sizeof stats);
    stats.size = offsetof(stint_budget_stats, extended);
    stint_budget_stats_get(&stats);
    assert_int_equal(stats.size, offsetof(stint_budget_stats, extended));
    assert_int_equal(stats.insufficient, stats_now().insufficient);
    assert_int_equal(stats.extended, UINT64_C(0x5555555555555555));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_reserve_is_kept_from_the_deadline),
        VIRTUAL_TEST(a_cap_is_the_less_of_two),
        VIRTUAL_TEST(a_minimum_is_there_or_nothing_is),
        VIRTUAL_TEST(a_minimum_looks_only_once),
        VIRTUAL_TEST(what_is_below_is_done_for_the_same_reason),
        VIRTUAL_TEST(limits_combine),
        VIRTUAL_TEST(a_parent_that_is_done_passes_on_its_own_cause),
        VIRTUAL_TEST(what_is_refused_is_counted),
        VIRTUAL_TEST(stats_of_an_older_caller_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
