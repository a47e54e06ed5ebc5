/* ctx_memory_test.c - every allocation of every function fails in turn. */
#include "ctx_unit.h"

#include <stdlib.h>

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

static bool never(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return false;
}

static void the_exhausted_context_takes_everything(void **state)
{
    (void)state;
    stint__alloc_set_gate(never, NULL);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint__alloc_set_gate(NULL, NULL);
    assert_ptr_equal(ctx, stint__ctx_exhausted());
    assert_int_equal(stint_ctx_live_count(), 0);
    assert_ended(ctx, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
    stint_ctx_cancel(ctx, STINT_CANCELLED, "no effect");
    stint_ctx_unref(stint_ctx_ref(ctx));
    int calls = 0;
    stint_hook hook;
    assert_false(stint_ctx_after(ctx, &hook, count_call, &calls));
    assert_true(stint_hook_stop(&hook));
    int fd = -2;
    assert_int_equal(stint_ctx_fd(ctx, &fd, NULL), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(stint_ctx_sleep(ctx, 1), STINT_RESOURCE_EXHAUSTED);
    assert_false(stint__ctx_is_eternal(ctx));
    stint_ctx *child = stint_ctx_with_timeout(ctx, STINT_SECONDS(1)); /* memory is back */
    stint_ctx *merged = stint_ctx_merge(stint_ctx_background(), ctx);
    stint_ctx *detached = stint_ctx_without_cancel(ctx);
    assert_ended(child, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
    assert_ended(merged, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
    assert_int_equal(stint_ctx_err(detached), STINT_OK);
    stint_ctx_drop(child);
    stint_ctx_drop(merged);
    stint_ctx_drop(detached);
    stint_ctx_drop(ctx);
    assert_ended(ctx, STINT_RESOURCE_EXHAUSTED, "out of memory for a context");
}

/* Makes one of everything, cancels it, and releases it. Whatever fails reports it. */
static void use_everything(void)
{
    static const stint_key key = {"key"};
    int value;
    stint_request_info info = stint_request_info_new();
    stint_metadata *md = stint_metadata_new();
    if (md != NULL) {
        stint_code code = stint_metadata_add(md, "k", "v", 1, NULL);
        assert_true(code == STINT_OK || code == STINT_RESOURCE_EXHAUSTED);
        assert_int_equal(stint_metadata_count(md), code == STINT_OK);
    }
    enum { COUNT = 9 };
    stint_ctx *c[COUNT];
    c[0] = stint__ctx_new_call((stint_time){START + 100}, &info, 0, false);
    c[1] = stint_ctx_with_cancel(c[0]);
    c[2] = stint_ctx_with_value(c[1], &key, &value, NULL);
    c[3] = stint_ctx_with_timeout(c[2], 50);
    c[4] = stint_ctx_with_request_info(c[3], &info);
    c[5] = stint_ctx_with_metadata(c[4], md);
    c[6] = stint_ctx_without_cancel(c[5]);
    c[7] = stint_ctx_with_deadline(c[6], (stint_time){START + 10});
    c[8] = stint_ctx_merge(c[7], c[5]);
    stint_metadata_free(md);
    for (size_t i = 0; i < COUNT; i++) {
        stint_code code = stint_ctx_err(c[i]);
        assert_true(code == STINT_OK || code == STINT_RESOURCE_EXHAUSTED);
    }
    int calls = 0;
    stint_hook hook;
    bool armed = stint_ctx_after(c[8], &hook, count_call, &calls);
    assert_true(armed || stint_ctx_err(c[8]) == STINT_RESOURCE_EXHAUSTED);
    stint_ctx_cancel(c[0], STINT_ABORTED, "over");
    for (size_t i = 0; i < COUNT; i++)
        assert_true(stint_ctx_err(c[i]) != STINT_OK || i == 6 || i == 7);
    assert_int_equal(calls, armed);
    for (size_t i = 0; i < COUNT; i++)
        stint_ctx_drop(c[i * 4 % COUNT]);
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
        assert_int_equal(stint__timer_count(), 0);
    }
    assert_true(n > 12); /* it did fail at each of them */
}

static void a_cause_that_cannot_be_copied_is_left_out(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint__alloc_set_gate(never, NULL);
    stint_ctx_cancel(ctx, STINT_ABORTED, "too much");
    stint__alloc_set_gate(NULL, NULL);
    assert_ended(ctx, STINT_ABORTED, "context ended: ABORTED");
    stint_ctx_drop(ctx);
}

static void do_nothing(struct stint__timer *t)
{
    (void)t;
}

/* No timer can be armed: a hook or a descriptor would never hear of the deadline. */
static void without_timers_nobody_is_left_waiting(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    struct stint__timer *timers = calloc(COUNT, sizeof *timers);
    assert_non_null(timers);
    stint_ctx *a = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint_ctx *b = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint__alloc_set_gate(never, NULL);
    size_t armed = 0;
    for (; armed < COUNT; armed++) { /* use up the memory that there is */
        stint__timer_init(&timers[armed], do_nothing);
        if (!stint__timer_arm(&timers[armed], (stint_time){START + 1000}))
            break;
    }
    assert_true(armed < COUNT);

    int calls = 0;
    stint_hook hook;
    assert_false(stint_ctx_after(a, &hook, count_call, &calls));
    assert_ended(a, STINT_RESOURCE_EXHAUSTED, "out of memory for the timer of a deadline");

    int fd = -2;
    stint_error e;
    assert_int_equal(stint_ctx_fd(b, &fd, &e), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(fd, -2);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    assert_int_equal(stint_ctx_cond_wait(b, &cond, &mutex), STINT_RESOURCE_EXHAUSTED);
    pthread_mutex_unlock(&mutex);
    assert_int_equal(stint_ctx_err(b), STINT_OK);

    stint__alloc_set_gate(NULL, NULL);
    assert_int_equal(calls, 0);
    for (size_t i = 0; i < armed; i++)
        assert_true(stint__timer_disarm(&timers[i]));
    free(timers);
    stint_ctx_drop(a);
    stint_ctx_drop(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(the_exhausted_context_takes_everything),
        VIRTUAL_TEST(any_allocation_may_fail),
        VIRTUAL_TEST(a_cause_that_cannot_be_copied_is_left_out),
        VIRTUAL_TEST(without_timers_nobody_is_left_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
