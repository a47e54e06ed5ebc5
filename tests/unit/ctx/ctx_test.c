/* ctx_test.c - each sentence of what Go documents for its contexts, for ours. */
#include "ctx_unit.h"

static void the_roots_are_never_done(void **state)
{
    (void)state;
    const stint_ctx *roots[] = {stint_ctx_background(), stint_ctx_todo()};
    assert_ptr_not_equal(roots[0], roots[1]);
    for (size_t i = 0; i < 2; i++) {
        const stint_ctx *root = roots[i];
        stint_time deadline = {7};
        stint_error e;
        assert_false(stint_ctx_deadline(root, &deadline));
        assert_int_equal(deadline.ns, 7); /* untouched */
        assert_true(stint_ctx_remaining(root) == STINT_DURATION_FOREVER);
        stint_ctx_unref(stint_ctx_ref(root));
        stint_ctx_unref(root);
        assert_int_equal(stint_ctx_err(root), STINT_OK);
        stint_ctx_cause(root, &e);
        assert_int_equal(e.code, STINT_OK);
        assert_string_equal(e.message, "");
        assert_null(stint_ctx_request_info(root));
        assert_null(stint_ctx_metadata(root));
        assert_true(stint__ctx_is_eternal(root));
    }
}

static void cancel_ends_with_its_cause(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_int_equal(stint_ctx_live_count(), 1);
    assert_false(stint__ctx_is_eternal(ctx));
    assert_int_equal(stint_ctx_err(ctx), STINT_OK);
    char cause[] = "the user left";
    stint_ctx_cancel(ctx, STINT_CANCELLED, cause);
    cause[0] = 'X'; /* it is a copy */
    assert_ended(ctx, STINT_CANCELLED, "the user left");
    stint_ctx_drop(ctx);
}

static void the_first_cause_wins(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(ctx, STINT_ABORTED, "first");
    stint_ctx_cancel(ctx, STINT_CANCELLED, "second");
    assert_ended(ctx, STINT_ABORTED, "first");
    stint_ctx_drop(ctx);
}

static void a_cause_is_optional_and_ok_is_no_code(void **state)
{
    (void)state;
    stint_ctx *a = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *b = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(a, STINT_OK, NULL);
    stint_ctx_cancel(b, STINT_UNAVAILABLE, NULL);
    assert_ended(a, STINT_CANCELLED, "context ended: CANCELLED");
    assert_ended(b, STINT_UNAVAILABLE, "context ended: UNAVAILABLE");
    stint_ctx_drop(a);
    stint_ctx_drop(b);
}

static void drop_cancels_what_others_still_hold(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    const stint_ctx *seen = stint_ctx_ref(ctx);
    stint_ctx *child = stint_ctx_with_cancel(ctx);
    stint_ctx_drop(ctx);
    assert_ended(seen, STINT_CANCELLED, "context dropped");
    assert_ended(child, STINT_CANCELLED, "context dropped");
    stint_ctx_unref(seen);
    stint_ctx_drop(child);
    stint_ctx_drop(NULL);
    stint_ctx_cancel(NULL, STINT_CANCELLED, NULL);
    stint_ctx_unref(NULL);
}

static void unref_does_not_cancel(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *child = stint_ctx_with_cancel(ctx);
    stint_ctx_unref(ctx);
    assert_int_equal(stint_ctx_err(child), STINT_OK);
    assert_int_equal(stint_ctx_live_count(), 2); /* the child keeps its parent */
    stint_ctx_unref(child);
}

/* background - a - b - c, and a - d */
static void cancelling_reaches_down_and_nowhere_else(void **state)
{
    (void)state;
    stint_ctx *a = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *b = stint_ctx_with_timeout(a, STINT_SECONDS(1));
    stint_ctx *c = stint_ctx_with_cancel(b);
    stint_ctx *d = stint_ctx_with_cancel(a);
    stint_ctx_cancel(b, STINT_CANCELLED, "b");
    assert_ended(b, STINT_CANCELLED, "b");
    assert_ended(c, STINT_CANCELLED, "b");
    assert_int_equal(stint_ctx_err(a), STINT_OK);
    assert_int_equal(stint_ctx_err(d), STINT_OK);
    stint_ctx_cancel(a, STINT_CANCELLED, "a");
    assert_ended(c, STINT_CANCELLED, "b");
    assert_ended(d, STINT_CANCELLED, "a");
    stint_ctx_drop(a);
    stint_ctx_drop(b);
    stint_ctx_drop(c);
    stint_ctx_drop(d);
}

static void a_child_of_a_done_context_is_done(void **state)
{
    (void)state;
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(parent, STINT_ABORTED, "over");
    stint_ctx *child = stint_ctx_with_timeout(parent, STINT_SECONDS(1));
    stint_ctx *grandchild = stint_ctx_with_cancel(child);
    stint_ctx_drop(parent);
    assert_ended(child, STINT_ABORTED, "over");
    assert_ended(grandchild, STINT_ABORTED, "over");
    stint_ctx_drop(child);
    stint_ctx_drop(grandchild);
}

/* ---- deadlines ---- */

static int64_t deadline_of(const stint_ctx *ctx)
{
    stint_time deadline;
    assert_true(stint_ctx_deadline(ctx, &deadline));
    return deadline.ns;
}

static void a_deadline_is_exact(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    assert_int_equal(deadline_of(ctx), START + 100);
    assert_int_equal(stint_ctx_remaining(ctx), 100);
    stint__vclock_advance(99);
    assert_int_equal(stint_ctx_err(ctx), STINT_OK);
    assert_int_equal(stint_ctx_remaining(ctx), 1);
    stint__vclock_advance(1);
    assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_int_equal(deadline_of(ctx), START + 100); /* still to be asked for */
    stint_ctx_drop(ctx);
}

static void no_timer_is_armed_until_somebody_waits(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint_ctx *child = stint_ctx_with_cancel(ctx);
    (void)stint_ctx_err(child);
    assert_int_equal(stint__timer_count(), 0);
    int calls = 0;
    stint_hook hooks[2];
    assert_true(stint__ctx_after_cancel(child, &hooks[0], count_call, &calls));
    assert_int_equal(stint__timer_count(), 0);
    assert_true(stint_ctx_after(child, &hooks[1], count_call, &calls));
    assert_int_equal(stint__timer_count(), 1);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(stint__timer_count(), 0);
    assert_int_equal(calls, 2);
    stint_ctx_drop(child);
    stint_ctx_drop(ctx);
}

static void a_child_is_done_no_later_than_its_parent(void **state)
{
    (void)state;
    stint_ctx *parent = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint_ctx *longer = stint_ctx_with_timeout(parent, 200);
    stint_ctx *shorter = stint_ctx_with_timeout(parent, 50);
    stint_ctx *same = stint_ctx_with_cancel(parent);
    assert_int_equal(deadline_of(longer), START + 100);
    assert_int_equal(deadline_of(shorter), START + 50);
    assert_int_equal(deadline_of(same), START + 100);
    stint__vclock_advance(50);
    assert_ended(shorter, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_int_equal(stint_ctx_err(parent), STINT_OK);
    assert_int_equal(stint_ctx_err(longer), STINT_OK);
    stint__vclock_advance(50);
    assert_ended(longer, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_ended(same, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    stint_ctx_drop(parent);
    stint_ctx_drop(longer);
    stint_ctx_drop(shorter);
    stint_ctx_drop(same);
}

static void a_timeout_of_nothing_is_done_at_once(void **state)
{
    (void)state;
    const stint_duration spans[] = {0, -1, -STINT_SECONDS(5), INT64_MIN};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), spans[i]);
        assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
        stint_ctx_drop(ctx);
    }
}

static void for_ever_is_no_deadline(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_DURATION_FOREVER);
    stint_time deadline;
    assert_false(stint_ctx_deadline(ctx, &deadline));
    assert_true(stint_ctx_remaining(ctx) == STINT_DURATION_FOREVER);
    stint_ctx_drop(ctx);
}

static void a_passed_deadline_beats_a_later_cancel(void **state)
{
    (void)state;
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *ctx = stint_ctx_with_timeout(parent, 100);
    stint__vclock_advance(100); /* nobody looks */
    stint_ctx_cancel(parent, STINT_CANCELLED, "too late for one");
    assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_ended(parent, STINT_CANCELLED, "too late for one");
    stint_ctx_drop(ctx);
    stint_ctx_drop(parent);
}

static void a_cancel_beats_a_later_deadline(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint__vclock_advance(99);
    stint_ctx_cancel(ctx, STINT_CANCELLED, "in time");
    stint__vclock_advance(100);
    assert_ended(ctx, STINT_CANCELLED, "in time");
    stint_ctx_drop(ctx);
}

/* ---- detaching ---- */

static void without_cancel_outlives_its_parent(void **state)
{
    (void)state;
    stint_ctx *parent = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint_ctx *detached = stint_ctx_without_cancel(parent);
    stint_ctx *child = stint_ctx_with_timeout(detached, 500);
    stint_time deadline;
    assert_false(stint_ctx_deadline(detached, &deadline));
    stint_ctx_cancel(parent, STINT_CANCELLED, NULL);
    stint_ctx_drop(parent);
    stint__vclock_advance(100);
    assert_int_equal(stint_ctx_err(detached), STINT_OK);
    assert_int_equal(stint_ctx_remaining(child), 400);
    stint_ctx_cancel(detached, STINT_CANCELLED, "its own");
    assert_ended(child, STINT_CANCELLED, "its own");
    stint_ctx_drop(child);
    stint_ctx_drop(detached);
}

static void a_call_is_a_root_with_deadline_and_info(void **state)
{
    (void)state;
    stint_request_info info = stint_request_info_new();
    stint_ctx *call = stint__ctx_new_call((stint_time){START + 100}, &info, 0, false);
    assert_int_equal(stint_ctx_live_count(), 1);
    assert_int_equal(deadline_of(call), START + 100);
    assert_string_equal(stint_ctx_request_info(call)->request_id, info.request_id);
    stint__vclock_advance(100);
    assert_ended(call, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    stint_ctx_drop(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(the_roots_are_never_done),
        VIRTUAL_TEST(cancel_ends_with_its_cause),
        VIRTUAL_TEST(the_first_cause_wins),
        VIRTUAL_TEST(a_cause_is_optional_and_ok_is_no_code),
        VIRTUAL_TEST(drop_cancels_what_others_still_hold),
        VIRTUAL_TEST(unref_does_not_cancel),
        VIRTUAL_TEST(cancelling_reaches_down_and_nowhere_else),
        VIRTUAL_TEST(a_child_of_a_done_context_is_done),
        VIRTUAL_TEST(a_deadline_is_exact),
        VIRTUAL_TEST(no_timer_is_armed_until_somebody_waits),
        VIRTUAL_TEST(a_child_is_done_no_later_than_its_parent),
        VIRTUAL_TEST(a_timeout_of_nothing_is_done_at_once),
        VIRTUAL_TEST(for_ever_is_no_deadline),
        VIRTUAL_TEST(a_passed_deadline_beats_a_later_cancel),
        VIRTUAL_TEST(a_cancel_beats_a_later_deadline),
        VIRTUAL_TEST(without_cancel_outlives_its_parent),
        VIRTUAL_TEST(a_call_is_a_root_with_deadline_and_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
