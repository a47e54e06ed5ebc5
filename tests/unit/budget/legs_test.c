/* legs_test.c - sequential legs: what each one gets, and what there is when nothing is to be had.
 */
#include "budget_unit.h"

#define MS STINT_MS(1)

static void equal_legs_share_what_is_left_beside_the_reserve(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 3, 10 * MS);
    assert_left(stint_budget_next(&b), 30 * MS);
    stint__vclock_advance(30 * MS);
    assert_left(stint_budget_next(&b), 30 * MS);
    stint__vclock_advance(30 * MS);
    assert_left(stint_budget_next(&b), 30 * MS);
    stint_ctx_drop(ctx);
}

static void what_a_leg_leaves_rolls_over(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 3, 10 * MS);
    assert_left(stint_budget_next(&b), 30 * MS);
    stint__vclock_advance(10 * MS); /* 20 are left over: 10 for each of the two */
    assert_left(stint_budget_next(&b), 40 * MS);
    assert_left(stint_budget_next(&b), 80 * MS); /* the second needed none */
    stint_ctx_drop(ctx);
}

static void what_is_used_too_much_is_missing_later(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 3, 10 * MS);
    const stint_ctx *leg = stint_budget_next(&b);
    stint__vclock_advance(50 * MS);
    assert_ended(leg, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_left(stint_budget_next(&b), 20 * MS);
    stint__vclock_advance(45 * MS); /* into the reserve */
    assert_insufficient(stint_budget_next(&b),
                        "leg 3 of 3 has no time: 5.000 ms are left, 10.000 ms are reserved");
    stint_ctx_drop(ctx);
}

static void weights_divide_in_proportion(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(205 * MS);
    STINT_BUDGET_WEIGHTED(b, ctx, 5 * MS, 10, 70, 20);
    assert_left(stint_budget_next(&b), 20 * MS);
    stint__vclock_advance(20 * MS);
    assert_left(stint_budget_next(&b), 140 * MS);
    stint__vclock_advance(50 * MS);
    assert_left(stint_budget_next(&b), 130 * MS); /* 40 and the 90 left over */
    stint_ctx_drop(ctx);
}

static void left_over_time_is_divided_by_weight(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET_WEIGHTED(b, ctx, 0, 10, 70, 20);
    assert_left(stint_budget_next(&b), 10 * MS);
    stint__vclock_advance(1 * MS);
    assert_left(stint_budget_next(&b), 77 * MS); /* 99 * 70/90 */
    stint_ctx_drop(ctx);
}

static void without_a_deadline_legs_have_none(void **state)
{
    (void)state;
    STINT_BUDGET(b, stint_ctx_background(), 2, 10 * MS);
    for (int i = 0; i < 2; i++)
        assert_left(stint_budget_next(&b), STINT_DURATION_FOREVER);
    STINT_BUDGET_WEIGHTED(w, stint_ctx_background(), 10 * MS, 0, 1);
    assert_insufficient(stint_budget_next(&w), "leg 1 of 2 has no weight");
    assert_left(stint_budget_next(&w), STINT_DURATION_FOREVER);
}

static void more_legs_than_declared_are_a_mistake(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 1, 0);
    assert_left(stint_budget_next(&b), 100 * MS);
    for (int i = 0; i < 2; i++)
        assert_ended(stint_budget_next(&b), STINT_FAILED_PRECONDITION,
                     "the budget has no leg after its 1");
    STINT_BUDGET(none, ctx, 0, 0);
    assert_ended(stint_budget_next(&none), STINT_FAILED_PRECONDITION,
                 "the budget has no leg after its 0");
    assert_left(ctx, 100 * MS);
    stint_ctx_drop(ctx);
}

static void a_reserve_may_be_absurd(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    const stint_duration negative[] = {-1, -100 * MS, INT64_MIN};
    for (size_t i = 0; i < sizeof negative / sizeof negative[0]; i++) {
        STINT_BUDGET(b, ctx, 2, negative[i]); /* counts as none */
        assert_left(stint_budget_next(&b), 50 * MS);
    }
    const stint_duration all[] = {100 * MS, 101 * MS, STINT_DURATION_FOREVER};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        STINT_BUDGET(b, ctx, 2, all[i]);
        stint_error e;
        stint_ctx_cause(stint_budget_next(&b), &e);
        assert_int_equal(e.code, STINT_DEADLINE_EXCEEDED);
        assert_int_equal(e.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    }
    STINT_BUDGET(barely, ctx, 1, 100 * MS - 1);
    assert_left(stint_budget_next(&barely), 1);
    stint_ctx_drop(ctx);
}

static void a_weight_of_zero_has_no_time(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET_WEIGHTED(b, ctx, 0, 0, 5, 0);
    assert_insufficient(stint_budget_next(&b), "leg 1 of 3 has no weight");
    assert_left(stint_budget_next(&b), 100 * MS);
    assert_insufficient(stint_budget_next(&b), "leg 3 of 3 has no weight");
    STINT_BUDGET_WEIGHTED(zeros, ctx, 0, 0, 0);
    assert_insufficient(stint_budget_next(&zeros), "leg 1 of 2 has no weight");
    assert_insufficient(stint_budget_next(&zeros), "leg 2 of 2 has no weight");
    stint_ctx_drop(ctx);
}

static void huge_weights_and_huge_times_do_not_overflow(void **state)
{
    (void)state;
    const stint_duration left = INT64_MAX - 2 * (int64_t)START;
    stint_ctx *ctx = with_left(left);
    STINT_BUDGET_WEIGHTED(b, ctx, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    for (int i = 4; i > 1; i--) {
        stint_duration own = stint_ctx_remaining(stint_budget_next(&b));
        assert_true(own <= left / i && own > left / i - 16);
    }
    assert_left(stint_budget_next(&b), left);
    STINT_BUDGET_WEIGHTED(uneven, ctx, 0, 1, UINT32_MAX);
    assert_left(stint_budget_next(&uneven), left >> 32);
    assert_left(stint_budget_next(&uneven), left);
    STINT_BUDGET(many, ctx, SIZE_MAX, 0);
    /* less than a nanosecond for each */
    assert_int_equal(stint_ctx_err(stint_budget_next(&many)), STINT_DEADLINE_EXCEEDED);
    stint_ctx_drop(ctx);
}

static void a_share_below_a_nanosecond_is_none(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(3);
    STINT_BUDGET(b, ctx, 4, 0);
    assert_insufficient(stint_budget_next(&b),
                        "leg 1 of 4 has no time: 0.000 ms are left, 0.000 ms are reserved");
    assert_left(stint_budget_next(&b), 1);
    assert_left(stint_budget_next(&b), 1);
    assert_left(stint_budget_next(&b), 3);
    stint_ctx_drop(ctx);
}

static void the_next_leg_ends_the_one_before(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 2, 0);
    const stint_ctx *first = stint_ctx_ref(stint_budget_next(&b));
    stint_ctx *below = stint_ctx_with_cancel(first);
    const stint_ctx *second = stint_ctx_ref(stint_budget_next(&b));
    assert_ended(first, STINT_CANCELLED, "context dropped");
    assert_ended(below, STINT_CANCELLED, "context dropped");
    assert_left(second, 100 * MS);
    stint_budget_end(&b);
    assert_ended(second, STINT_CANCELLED, "context dropped");
    assert_left(ctx, 100 * MS);
    stint_ctx_unref(first);
    stint_ctx_unref(second);
    stint_ctx_drop(below);
    stint_ctx_drop(ctx);
}

static void a_cancelled_parent_gives_its_cause_to_all_legs(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 2, 0);
    const stint_ctx *leg = stint_budget_next(&b);
    stint_ctx_cancel(ctx, STINT_ABORTED, "the user left");
    assert_ended(leg, STINT_ABORTED, "the user left");
    for (int i = 0; i < 2; i++) /* the second leg, and one too many */
        assert_ended(stint_budget_next(&b), STINT_ABORTED, "the user left");
    stint_ctx_drop(ctx);
}

static void an_expired_parent_gives_its_cause_to_all_legs(void **state)
{
    (void)state;
    stint_budget_stats before = stats_now();
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 2, 10 * MS);
    stint__vclock_advance(100 * MS); /* and nobody has looked yet */
    for (int i = 0; i < 3; i++)
        assert_ended(stint_budget_next(&b), STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_int_equal(stats_now().insufficient, before.insufficient);
    stint_ctx_drop(ctx);
}

static void the_parent_may_be_released_first(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 2, 0);
    stint_ctx_unref(ctx);
    assert_left(stint_budget_next(&b), 50 * MS);
}

static void after_the_end_there_are_no_legs(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(100 * MS);
    STINT_BUDGET(b, ctx, 2, 0);
    (void)stint_budget_next(&b);
    stint_budget_end(&b);
    stint_budget_end(&b);
    assert_int_equal(stint_ctx_live_count(), 1);
    assert_ended(stint_budget_next(&b), STINT_FAILED_PRECONDITION,
                 "the budget has no leg after its 0");
    stint_budget_end(NULL);
    stint_ctx_drop(ctx);
}

static void a_leg_carries_what_its_parent_does(void **state)
{
    (void)state;
    static const stint_key key = {"key"};
    int value;
    stint_request_info info = stint_request_info_new();
    stint_ctx *a = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_ctx *ctx = stint_ctx_with_value(a, &key, &value, NULL);
    STINT_BUDGET(b, ctx, 1, 0);
    const stint_ctx *leg = stint_budget_next(&b);
    assert_ptr_equal(stint_ctx_value(leg, &key), &value);
    assert_string_equal(stint_ctx_request_info(leg)->request_id, info.request_id);
    stint_ctx_drop(ctx);
    stint_ctx_drop(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(equal_legs_share_what_is_left_beside_the_reserve),
        VIRTUAL_TEST(what_a_leg_leaves_rolls_over),
        VIRTUAL_TEST(what_is_used_too_much_is_missing_later),
        VIRTUAL_TEST(weights_divide_in_proportion),
        VIRTUAL_TEST(left_over_time_is_divided_by_weight),
        VIRTUAL_TEST(without_a_deadline_legs_have_none),
        VIRTUAL_TEST(more_legs_than_declared_are_a_mistake),
        VIRTUAL_TEST(a_reserve_may_be_absurd),
        VIRTUAL_TEST(a_weight_of_zero_has_no_time),
        VIRTUAL_TEST(huge_weights_and_huge_times_do_not_overflow),
        VIRTUAL_TEST(a_share_below_a_nanosecond_is_none),
        VIRTUAL_TEST(the_next_leg_ends_the_one_before),
        VIRTUAL_TEST(a_cancelled_parent_gives_its_cause_to_all_legs),
        VIRTUAL_TEST(an_expired_parent_gives_its_cause_to_all_legs),
        VIRTUAL_TEST(the_parent_may_be_released_first),
        VIRTUAL_TEST(after_the_end_there_are_no_legs),
        VIRTUAL_TEST(a_leg_carries_what_its_parent_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
