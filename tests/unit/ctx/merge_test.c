/* merge_test.c - a context with two parents. */
#include "ctx_unit.h"

#include <pthread.h>
#include <sched.h>

#include "ctx_tree.h"

STINT_KEY_DECLARE(colour, char)
STINT_KEY_DEFINE(colour);
STINT_KEY_DECLARE(shape, char)
STINT_KEY_DEFINE(shape);

static char red[] = "red", blue[] = "blue", green[] = "green", circle[] = "round";

static void it_ends_with_either_and_its_cause(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        stint_ctx *parents[2] = {stint_ctx_with_cancel(stint_ctx_background()),
                                 stint_ctx_with_cancel(stint_ctx_background())};
        stint_ctx *merged = stint_ctx_merge(parents[0], parents[1]);
        stint_ctx *child = stint_ctx_with_cancel(merged);
        int calls = 0;
        stint_hook hook;
        assert_true(stint_ctx_after(child, &hook, count_call, &calls));
        assert_int_equal(stint_ctx_err(child), STINT_OK);
        stint_ctx_cancel(parents[which], STINT_ABORTED, "enough");
        assert_ended(merged, STINT_ABORTED, "enough");
        assert_ended(child, STINT_ABORTED, "enough");
        assert_int_equal(calls, 1);
        stint_ctx_cancel(parents[!which], STINT_CANCELLED, "second");
        assert_ended(merged, STINT_ABORTED, "enough");
        stint_ctx_drop(child);
        stint_ctx_drop(merged);
        stint_ctx_drop(parents[0]);
        stint_ctx_drop(parents[1]);
    }
}

static void it_ends_alone(void **state)
{
    (void)state;
    stint_ctx *a = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *b = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *merged = stint_ctx_merge(a, b);
    stint_ctx_cancel(merged, STINT_CANCELLED, "alone");
    assert_int_equal(stint_ctx_err(a), STINT_OK);
    assert_int_equal(stint_ctx_err(b), STINT_OK);
    stint_ctx_drop(merged);
    stint_ctx_cancel(a, STINT_CANCELLED, NULL); /* its hooks are gone */
    stint_ctx_drop(a);
    stint_ctx_drop(b);
}

static void its_deadline_is_the_earlier(void **state)
{
    (void)state;
    stint_ctx *soon = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint_ctx *late = stint_ctx_with_timeout(stint_ctx_background(), 200);
    stint_ctx *ab = stint_ctx_merge(soon, late);
    stint_ctx *ba = stint_ctx_merge(late, soon);
    assert_int_equal(stint_ctx_remaining(ab), 100);
    assert_int_equal(stint_ctx_remaining(ba), 100);
    assert_int_equal(stint__timer_count(), 0);
    stint__vclock_advance(100);
    assert_ended(ab, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    assert_ended(ba, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    stint_ctx_drop(ab);
    stint_ctx_drop(ba);
    stint_ctx_drop(soon);
    stint_ctx_drop(late);
}

static void a_done_parent_makes_it_done_at_once(void **state)
{
    (void)state;
    stint_ctx *live = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *done = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(done, STINT_UNAVAILABLE, "gone");
    stint_ctx *expired = stint_ctx_with_timeout(stint_ctx_background(), 0);
    stint_ctx *merged[3] = {stint_ctx_merge(live, done), stint_ctx_merge(done, live),
                            stint_ctx_merge(live, expired)};
    assert_ended(merged[0], STINT_UNAVAILABLE, "gone");
    assert_ended(merged[1], STINT_UNAVAILABLE, "gone");
    assert_ended(merged[2], STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    for (size_t i = 0; i < 3; i++)
        stint_ctx_drop(merged[i]);
    stint_ctx_drop(live);
    stint_ctx_drop(done);
    stint_ctx_drop(expired);
}

static void values_come_from_the_first_then_the_second(void **state)
{
    (void)state;
    const stint_ctx *root = stint_ctx_background();
    stint_ctx *a = colour_with(root, red);
    stint_ctx *b0 = colour_with(root, blue);
    stint_ctx *b = shape_with(b0, circle);
    stint_ctx *ab = stint_ctx_merge(a, b);
    stint_ctx *bare = stint_ctx_with_cancel(root);
    stint_ctx *one = stint_ctx_merge(bare, b);
    stint_ctx *nested = stint_ctx_merge(one, ab);
    stint_ctx *shadow = colour_with(nested, green);
    assert_string_equal(colour_of(ab), "red");
    assert_string_equal(shape_of(ab), "round");
    assert_string_equal(colour_of(one), "blue");
    assert_string_equal(colour_of(nested), "blue");
    assert_string_equal(shape_of(shadow), "round");
    assert_string_equal(colour_of(shadow), "green");
    assert_null(stint_ctx_value(nested, &(const stint_key){"other"}));
    stint_ctx *all[] = {a, b0, b, ab, bare, one, nested, shadow};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        stint_ctx_drop(all[i]);
}

static void request_info_is_the_firsts_if_it_has_any(void **state)
{
    (void)state;
    stint_request_info ia = stint_request_info_new();
    stint_request_info ib = stint_request_info_new();
    stint_ctx *a = stint_ctx_with_request_info(stint_ctx_background(), &ia);
    stint_ctx *b = stint_ctx_with_request_info(stint_ctx_background(), &ib);
    stint_ctx *ab = stint_ctx_merge(a, b);
    stint_ctx *rb = stint_ctx_merge(stint_ctx_background(), b);
    assert_string_equal(stint_ctx_request_info(ab)->request_id, ia.request_id);
    assert_string_equal(stint_ctx_request_info(rb)->request_id, ib.request_id);
    stint_ctx_drop(a);
    stint_ctx_drop(b);
    stint_ctx_drop(ab);
    stint_ctx_drop(rb);
}

static void both_may_be_the_same_and_its_ancestors(void **state)
{
    (void)state;
    stint_ctx *a = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *child = stint_ctx_with_cancel(a);
    stint_ctx *twice = stint_ctx_merge(a, a);
    stint_ctx *family = stint_ctx_merge(a, child);
    stint_ctx_cancel(a, STINT_CANCELLED, "all");
    assert_ended(twice, STINT_CANCELLED, "all");
    assert_ended(family, STINT_CANCELLED, "all");
    stint_ctx_drop(twice);
    stint_ctx_drop(family);
    stint_ctx_drop(child);
    stint_ctx_drop(a);
}

struct race {
    pthread_barrier_t *start;
    stint_ctx *ctx;
};

static void *drop_in_race(void *arg)
{
    struct race *r = arg;
    pthread_barrier_wait(r->start);
    stint_ctx_drop(r->ctx);
    return NULL;
}

/* Both parents and the merged context are dropped by three threads at once. */
static void parents_and_child_may_go_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        stint_ctx *a = stint_ctx_with_cancel(stint_ctx_background());
        stint_ctx *b = stint_ctx_with_cancel(stint_ctx_background());
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, 3);
        struct race races[3] = {{&start, a}, {&start, b}, {&start, stint_ctx_merge(a, b)}};
        pthread_t threads[3];
        for (size_t t = 0; t < 3; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, drop_in_race, &races[t]), 0);
        for (size_t t = 0; t < 3; t++)
            pthread_join(threads[t], NULL);
        pthread_barrier_destroy(&start);
        assert_int_equal(stint_ctx_live_count(), 0);
    }
}

/* A thread to release a merged context in, while its parent is about to end it. */
static pthread_t releaser;
static stint_ctx *to_release;

static void *release(void *arg)
{
    stint_ctx_unref(arg);
    return NULL;
}

/* NOLINTBEGIN(cert-dcl51-cpp,readability-identifier-naming): the linker's names. */
bool __real_stint__ctx_try_ref(stint_ctx *ctx);
bool __wrap_stint__ctx_try_ref(stint_ctx *ctx);
bool __wrap_stint__ctx_try_ref(stint_ctx *ctx)
{
    if (ctx == to_release) {
        to_release = NULL;
        (void)pthread_create(&releaser, NULL, release, ctx);
        while (atomic_load(&ctx->refs) > 0)
            sched_yield();
    }
    return __real_stint__ctx_try_ref(ctx);
}
/* NOLINTEND(cert-dcl51-cpp,readability-identifier-naming) */

/* Its last reference goes when the parent's hook has begun: it is not brought back to life, and it
 * is still there until the hook has ended. */
static void it_may_go_while_its_parent_ends(void **state)
{
    (void)state;
    stint_ctx *a = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *b = stint_ctx_with_cancel(stint_ctx_background());
    to_release = stint_ctx_merge(a, b);
    stint_ctx_cancel(a, STINT_CANCELLED, NULL);
    assert_null(to_release);
    pthread_join(releaser, NULL);
    assert_int_equal(stint_ctx_live_count(), 2);
    stint_ctx_drop(a);
    stint_ctx_drop(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(it_ends_with_either_and_its_cause),
        VIRTUAL_TEST(it_ends_alone),
        VIRTUAL_TEST(its_deadline_is_the_earlier),
        VIRTUAL_TEST(a_done_parent_makes_it_done_at_once),
        VIRTUAL_TEST(values_come_from_the_first_then_the_second),
        VIRTUAL_TEST(request_info_is_the_firsts_if_it_has_any),
        VIRTUAL_TEST(both_may_be_the_same_and_its_ancestors),
        REAL_TEST(parents_and_child_may_go_at_once),
        REAL_TEST(it_may_go_while_its_parent_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
