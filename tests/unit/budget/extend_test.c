/* extend_test.c - contexts that outlive a deadline but not a cancellation. */
#include "budget_unit.h"

#include <string.h>

#define MS STINT_MS(1)

static const stint_log silent = {NULL, NULL};

static stint_ctx *extend(const stint_ctx *parent, stint_duration timeout)
{
    return stint_ctx_extend(parent, timeout, "test", silent);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Lets ctx's deadline pass so that it is noticed by its timer (by a hook, that is), by somebody who
 * looks, or by nobody. */
enum noticed { BY_TIMER, BY_LOOKING, BY_NOBODY, WAYS };

static void expire(stint_ctx *ctx, enum noticed way)
{
    stint_hook hook;
    if (way == BY_TIMER)
        assert_true(stint_ctx_after(ctx, &hook, nothing, NULL));
    stint__vclock_advance(stint_ctx_remaining(ctx));
    if (way == BY_LOOKING)
        assert_int_equal(stint_ctx_err(ctx), STINT_DEADLINE_EXCEEDED);
}

static void it_outlives_the_deadline_and_has_its_own(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        stint_ctx *top = with_left(20 * MS);
        stint_ctx *ctx = stint_ctx_with_timeout(top, 10 * MS);
        stint_ctx *early = extend(ctx, 50 * MS);
        stint_ctx *child = stint_ctx_with_timeout(early, 100 * MS);
        expire(ctx, (enum noticed)way);
        stint_ctx *afterwards = extend(ctx, 50 * MS);
        expire(top, (enum noticed)way);
        assert_left(early, 30 * MS);
        assert_left(child, 30 * MS);
        assert_left(afterwards, 40 * MS);
        stint__vclock_advance(30 * MS);
        assert_ended(early, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
        assert_ended(child, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
        assert_left(afterwards, 10 * MS);
        stint_ctx_drop(top);
        stint_ctx_drop(ctx);
        stint_ctx_drop(early);
        stint_ctx_drop(child);
        stint_ctx_drop(afterwards);
    }
}

static void cancelling_the_parent_ends_it(void **state)
{
    (void)state;
    for (int way = 0; way <= WAYS; way++) {
        stint_ctx *ctx = with_left(10 * MS);
        stint_ctx *ext = extend(ctx, 50 * MS);
        stint_ctx *child = stint_ctx_with_cancel(ext);
        int calls = 0;
        stint_hook hook;
        assert_true(stint_ctx_after(child, &hook, count_call, &calls));
        if (way < WAYS) /* else: before the deadline */
            expire(ctx, (enum noticed)way);
        assert_int_equal(stint_ctx_err(ext), STINT_OK);
        stint_ctx_cancel(ctx, STINT_ABORTED, "the user left");
        assert_int_equal(calls, 1);
        assert_ended(ext, STINT_ABORTED, "the user left");
        assert_ended(child, STINT_ABORTED, "the user left");
        if (way < WAYS)
            assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT); /* the first cause wins */
        stint_ctx_drop(child);
        stint_ctx_drop(ext);
        stint_ctx_drop(ctx);
    }
}

static void cancelling_further_up_ends_it(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        stint_ctx *top = stint_ctx_with_cancel(stint_ctx_background());
        stint_ctx *ctx = stint_ctx_with_timeout(top, 10 * MS);
        stint_ctx *below = stint_ctx_with_cancel(ctx);
        stint_ctx *ext = extend(below, 50 * MS);
        expire(ctx, (enum noticed)way);
        stint_ctx_cancel(top, STINT_ABORTED, "the user left");
        assert_ended(ext, STINT_ABORTED, "the user left");
        stint_ctx_drop(ext);
        stint_ctx_drop(below);
        stint_ctx_drop(ctx);
        stint_ctx_drop(top);
    }
}

static void dropping_the_parent_ends_it(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(10 * MS);
    stint_ctx *ext = extend(ctx, 50 * MS);
    expire(ctx, BY_TIMER);
    stint_ctx_drop(ctx);
    assert_ended(ext, STINT_CANCELLED, "context dropped");
    stint_ctx_drop(ext);
}

static void releasing_the_parent_does_not(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(10 * MS);
    stint_ctx *ext = extend(ctx, 50 * MS);
    stint_ctx_unref(ctx);
    stint__vclock_advance(20 * MS);
    assert_left(ext, 30 * MS);
    stint_ctx_drop(ext);
}

static void others_are_not_concerned(void **state)
{
    (void)state;
    stint_ctx *top = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *a = stint_ctx_with_timeout(top, 10 * MS);
    stint_ctx *b = stint_ctx_with_timeout(top, 10 * MS);
    stint_ctx *ext = extend(a, 50 * MS);
    stint_ctx *below = stint_ctx_with_cancel(a); /* beside it */
    stint_ctx *detached = stint_ctx_without_cancel(a);
    stint_ctx *other = with_left(10 * MS);
    stint_ctx *detached_ext = extend(other, 50 * MS);
    stint_ctx_cancel(b, STINT_CANCELLED, NULL);
    stint_ctx_cancel(below, STINT_CANCELLED, NULL);
    stint_ctx_cancel(detached, STINT_CANCELLED, NULL);
    assert_left(ext, 50 * MS);
    stint_ctx_cancel(ext, STINT_CANCELLED, NULL);
    assert_left(a, 10 * MS);
    assert_left(detached_ext, 50 * MS);
    stint_ctx *all[] = {top, a, b, ext, below, detached, other, detached_ext};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        stint_ctx_drop(all[i]);
}

static void extending_what_is_cancelled_is_done_at_once(void **state)
{
    (void)state;
    stint_budget_stats before = stats_now();
    stint_ctx *ctx = with_left(10 * MS);
    stint_ctx_cancel(ctx, STINT_ABORTED, "the user left");
    stint_ctx *ext = extend(ctx, 50 * MS);
    assert_ended(ext, STINT_ABORTED, "the user left");
    assert_int_equal(stats_now().extended, before.extended);
    stint_ctx_drop(ext);
    stint_ctx_drop(ctx);
}

static void extending_what_was_cancelled_after_its_deadline_too(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        stint_ctx *top = stint_ctx_with_cancel(stint_ctx_background());
        stint_ctx *ctx = stint_ctx_with_timeout(top, 10 * MS);
        stint_ctx *below = stint_ctx_with_cancel(ctx);
        expire(ctx, (enum noticed)way);
        stint_ctx_cancel(ctx, STINT_ABORTED, "the user left");
        assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
        stint_ctx *ext = extend(ctx, 50 * MS);
        stint_ctx *deeper = extend(below, 50 * MS);
        assert_ended(ext, STINT_CANCELLED, "cancelled after its deadline");
        assert_ended(deeper, STINT_CANCELLED, "cancelled after its deadline");
        stint_ctx_drop(ext);
        stint_ctx_drop(deeper);
        stint_ctx_cancel(top, STINT_UNAVAILABLE, "all is over");
        ext = extend(ctx, 50 * MS); /* the nearest one counts */
        assert_ended(ext, STINT_CANCELLED, "cancelled after its deadline");
        stint_ctx_drop(ext);
        stint_ctx_drop(below);
        stint_ctx_drop(ctx);
        stint_ctx_drop(top);
    }
}

static void extending_below_what_was_cancelled_has_its_cause(void **state)
{
    (void)state;
    stint_ctx *top = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *ctx = stint_ctx_with_timeout(top, 10 * MS);
    expire(ctx, BY_LOOKING);
    stint_ctx_cancel(top, STINT_UNAVAILABLE, "all is over");
    stint_ctx *ext = extend(ctx, 50 * MS);
    assert_ended(ext, STINT_UNAVAILABLE, "all is over");
    stint_ctx_drop(ext);
    stint_ctx_drop(ctx);
    stint_ctx_drop(top);
}

static void extensions_can_be_extended(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(10 * MS);
    stint_ctx *one = extend(ctx, 20 * MS);
    stint_ctx *two = extend(one, 40 * MS);
    stint_ctx *three = extend(two, 80 * MS);
    expire(ctx, BY_TIMER);
    expire(one, BY_TIMER);
    assert_left(two, 20 * MS);
    assert_left(three, 60 * MS);
    stint_ctx_cancel(ctx, STINT_ABORTED, "the user left");
    assert_ended(one, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_ended(two, STINT_ABORTED, "the user left");
    assert_ended(three, STINT_ABORTED, "the user left");
    stint_ctx_drop(one);
    stint_ctx_drop(two);
    stint_ctx_drop(three);
    stint_ctx_drop(ctx);
}

static void cancellations_come_through_merges(void **state)
{
    (void)state;
    stint_ctx *a = with_left(10 * MS);
    stint_ctx *b = with_left(30 * MS);
    stint_ctx *merged = stint_ctx_merge(a, b);
    stint_ctx *ext = extend(merged, 50 * MS);
    expire(merged, BY_TIMER);
    assert_left(ext, 40 * MS);
    stint_ctx_cancel(b, STINT_ABORTED, "the user left");
    assert_ended(ext, STINT_ABORTED, "the user left");
    stint_ctx_drop(ext);
    stint_ctx_drop(merged);
    stint_ctx_drop(b);
    stint_ctx_drop(a);
}

/* Before and after the merged context expired with it; by another way, nobody is told of that. */
static void cancellations_after_the_deadline_too(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        for (int which = 0; which < 2; which++) {
            stint_ctx *top = stint_ctx_with_cancel(stint_ctx_background());
            stint_ctx *soon = stint_ctx_with_timeout(top, 10 * MS);
            stint_ctx *other = stint_ctx_with_cancel(stint_ctx_background());
            stint_ctx *before =
                which == 0 ? stint_ctx_merge(soon, other) : stint_ctx_merge(other, soon);
            stint_ctx *early = extend(before, 50 * MS);
            expire(soon, (enum noticed)way);
            stint_ctx *after = stint_ctx_merge(other, soon);
            stint_ctx *late = extend(after, 50 * MS);
            assert_left(early, 40 * MS);
            assert_left(late, 50 * MS);
            stint_ctx_cancel(which == 0 ? soon : top, STINT_CANCELLED, "the user left");
            assert_int_equal(stint_ctx_err(early), STINT_CANCELLED);
            assert_int_equal(stint_ctx_err(late), STINT_CANCELLED);
            assert_ended(before, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
            stint_ctx *too_late = extend(before, 50 * MS);
            assert_int_equal(stint_ctx_err(too_late), STINT_CANCELLED);
            stint_ctx *all[] = {too_late, late, after, early, before, other, soon, top};
            for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
                stint_ctx_drop(all[i]);
        }
    }
}

static void it_carries_what_its_parent_does(void **state)
{
    (void)state;
    static const stint_key key = {"key"};
    int value;
    stint_request_info info = stint_request_info_new();
    stint_ctx *a = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_ctx *b = stint_ctx_with_value(a, &key, &value, NULL);
    stint_ctx *c = stint_ctx_with_timeout(b, 10 * MS);
    stint_ctx *ext = extend(c, 50 * MS);
    stint_ctx_drop(c);
    stint_ctx_drop(b);
    stint_ctx_drop(a);
    assert_ptr_equal(stint_ctx_value(ext, &key), &value);
    assert_string_equal(stint_ctx_request_info(ext)->request_id, info.request_id);
    stint_ctx_drop(ext);
}

static void it_is_bounded(void **state)
{
    (void)state;
    stint_ctx *ctx = with_left(10 * MS);
    const stint_duration longer[] = {STINT_EXTEND_MAX, STINT_EXTEND_MAX + 1,
                                     STINT_DURATION_FOREVER};
    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        stint_ctx *ext = extend(ctx, longer[i]);
        stint_ctx *free = extend(stint_ctx_background(), longer[i]);
        assert_left(ext, STINT_EXTEND_MAX);
        assert_left(free, STINT_EXTEND_MAX);
        stint_ctx_drop(free);
        stint_ctx_drop(ext);
    }
    const stint_duration none[] = {0, -1, INT64_MIN};
    stint__vclock_advance(10 * MS);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        stint_ctx *ext = extend(ctx, none[i]);
        assert_ended(ext, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
        stint_ctx_drop(ext);
    }
    stint_ctx_drop(ctx);
}

/* ---- counted and logged ---- */

struct lines {
    unsigned n;
    uint64_t suppressed;
    stint_log_level level;
    char text[256];
};

static void on_line(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    struct lines *l = arg;
    l->n++;
    l->level = level;
    l->suppressed += suppressed;
    strncpy(l->text, text, sizeof l->text - 1);
}

static void what_extends_is_counted(void **state)
{
    (void)state;
    stint_budget_stats before = stats_now();
    stint_ctx *ctx = with_left(10 * MS);
    stint_ctx_drop(extend(ctx, 50 * MS)); /* 40 more */
    stint__vclock_advance(20 * MS);
    stint_ctx_drop(extend(ctx, 50 * MS)); /* from now on */
    stint_budget_stats after = stats_now();
    assert_int_equal(after.extended, before.extended + 2);
    assert_int_equal(after.extended_time, before.extended_time + (uint64_t)(90 * MS));
    stint_ctx_drop(ctx);
}

static void what_does_not_extend_is_not(void **state)
{
    (void)state;
    struct lines seen = {0};
    const stint_log log = {on_line, &seen};
    stint_budget_stats before = stats_now();
    stint_ctx *ctx = with_left(10 * MS);
    stint_ctx *less = stint_ctx_extend(ctx, 5 * MS, "less", log);
    stint_ctx *equal = stint_ctx_extend(ctx, 10 * MS, "equal", log);
    stint_ctx *free = stint_ctx_extend(stint_ctx_background(), 10 * MS, "no deadline", log);
    assert_left(less, 5 * MS);
    assert_left(equal, 10 * MS);
    assert_left(free, 10 * MS);
    assert_int_equal(stats_now().extended, before.extended);
    assert_int_equal(seen.n, 0);
    stint_ctx_drop(less);
    stint_ctx_drop(equal);
    stint_ctx_drop(free);
    stint_ctx_drop(ctx);
}

/* The limit on lines is the process's, so each of these tests has seconds of its own. */
static void what_extends_is_logged(void **state)
{
    (void)state;
    stint__vclock_advance(STINT_SECONDS(100));
    struct lines seen = {0};
    const stint_log log = {on_line, &seen};
    stint_request_info info = {.trace_id = {1}, .request_id = "order-66"};
    stint_ctx *call = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_ctx *ctx = stint_ctx_with_timeout(call, 10 * MS);
    stint_ctx_drop(stint_ctx_extend(ctx, 50 * MS, "give back the stock", log));
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.level, STINT_LOG_INFO);
    assert_string_equal(seen.text,
                        "deadline extended by 40.000 ms: give back the stock (request order-66, "
                        "trace 01000000000000000000000000000000)");
    stint_ctx_drop(ctx);
    stint_ctx_drop(call);
    ctx = with_left(10 * MS);
    stint_ctx_drop(stint_ctx_extend(ctx, 50 * MS, NULL, log));
    assert_string_equal(seen.text,
                        "deadline extended by 40.000 ms: no reason given (request , trace )");
    stint_ctx_drop(ctx);
}

static void at_most_ten_lines_a_second(void **state)
{
    (void)state;
    stint__vclock_advance(STINT_SECONDS(200));
    struct lines seen[2] = {{0}, {0}};
    stint_budget_stats before = stats_now();
    stint_ctx *ctx = with_left(10 * MS);
    for (unsigned i = 0; i < 24; i++)
        stint_ctx_drop(stint_ctx_extend(ctx, 50 * MS, "again", (stint_log){on_line, &seen[i % 2]}));
    assert_int_equal(seen[0].n + seen[1].n, 10); /* of both logs together */
    stint__vclock_advance(STINT_SECONDS(1));
    stint_ctx_drop(stint_ctx_extend(ctx, 50 * MS, "again", (stint_log){on_line, &seen[0]}));
    assert_int_equal(seen[0].n + seen[1].n, 11);
    assert_int_equal(seen[0].suppressed, 14);
    assert_int_equal(stats_now().extended, before.extended + 25);
    stint_ctx_drop(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(it_outlives_the_deadline_and_has_its_own),
        VIRTUAL_TEST(cancelling_the_parent_ends_it),
        VIRTUAL_TEST(cancelling_further_up_ends_it),
        VIRTUAL_TEST(dropping_the_parent_ends_it),
        VIRTUAL_TEST(releasing_the_parent_does_not),
        VIRTUAL_TEST(others_are_not_concerned),
        VIRTUAL_TEST(extending_what_is_cancelled_is_done_at_once),
        VIRTUAL_TEST(extending_what_was_cancelled_after_its_deadline_too),
        VIRTUAL_TEST(extending_below_what_was_cancelled_has_its_cause),
        VIRTUAL_TEST(extensions_can_be_extended),
        VIRTUAL_TEST(cancellations_come_through_merges),
        VIRTUAL_TEST(cancellations_after_the_deadline_too),
        VIRTUAL_TEST(it_carries_what_its_parent_does),
        VIRTUAL_TEST(it_is_bounded),
        VIRTUAL_TEST(what_extends_is_counted),
        VIRTUAL_TEST(what_does_not_extend_is_not),
        VIRTUAL_TEST(what_extends_is_logged),
        VIRTUAL_TEST(at_most_ten_lines_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
