/* hook_test.c - functions that run when a context is done: once or never, and when stop returns. */
#include "ctx_unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

static void a_hook_runs_before_cancel_returns(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *child = stint_ctx_with_cancel(ctx);
    int calls = 0;
    stint_hook hooks[3];
    assert_true(stint_ctx_after(ctx, &hooks[0], count_call, &calls));
    assert_true(stint_ctx_after(child, &hooks[1], count_call, &calls));
    assert_true(stint_ctx_after(child, &hooks[2], count_call, &calls));
    assert_int_equal(calls, 0);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(calls, 3);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    stint_ctx_cancel(child, STINT_CANCELLED, NULL);
    assert_int_equal(calls, 3);
    for (size_t i = 0; i < 3; i++)
        assert_false(stint_hook_stop(&hooks[i]));
    stint_ctx_drop(child);
    stint_ctx_drop(ctx);
    assert_false(stint_hook_stop(&hooks[0])); /* also when the context is gone */
}

static void a_done_context_takes_no_hook(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *cancelled = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(cancelled, STINT_CANCELLED, NULL);
    assert_false(stint_ctx_after(cancelled, &hook, count_call, &calls));
    assert_true(stint_hook_stop(&hook)); /* never called */
    stint_ctx *expired = stint_ctx_with_timeout(stint_ctx_background(), 0);
    assert_false(stint_ctx_after(expired, &hook, count_call, &calls));
    stint_ctx_drop(cancelled);
    stint_ctx_drop(expired);
    assert_int_equal(calls, 0);
}

static void a_root_takes_hooks_and_never_runs_them(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    assert_true(stint_ctx_after(stint_ctx_background(), &hook, count_call, &calls));
    assert_true(stint_hook_stop(&hook));
    assert_true(stint_hook_stop(&hook));
    assert_int_equal(calls, 0);
}

static void a_stopped_hook_does_not_run(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
    assert_true(stint_hook_stop(&hook));
    assert_true(stint_hook_stop(&hook));
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(calls, 0);
    stint_ctx_drop(ctx);
}

static void a_hook_can_be_armed_again_after_stop(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    for (int i = 0; i < 3; i++) {
        assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
        assert_true(stint_hook_stop(&hook));
    }
    assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
    stint_ctx_drop(ctx);
    assert_int_equal(calls, 1);
}

static void a_hook_runs_at_the_deadline(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *parent = stint_ctx_with_timeout(stint_ctx_background(), 100);
    stint_ctx *ctx = stint_ctx_with_cancel(parent);
    assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
    stint__vclock_advance(99);
    assert_int_equal(calls, 0);
    stint__vclock_advance(1);
    assert_int_equal(calls, 1);
    assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    stint_ctx_drop(ctx);
    stint_ctx_drop(parent);
}

/* One who only wants to hear of cancellation hears of the deadline from others. */
static void an_unarmed_deadline_runs_hooks_when_found(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    assert_true(stint__ctx_after_cancel(ctx, &hook, count_call, &calls));
    stint__vclock_advance(100);
    assert_int_equal(calls, 0);
    assert_int_equal(stint_ctx_err(ctx), STINT_DEADLINE_EXCEEDED);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(calls, 1);
    assert_ended(ctx, STINT_DEADLINE_EXCEEDED, EXPIRED_TEXT);
    stint_ctx_drop(ctx);
}

static void an_armed_hook_keeps_its_context(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
    stint_ctx_unref(ctx);
    assert_int_equal(stint_ctx_live_count(), 1);
    stint__vclock_advance(100);
    assert_int_equal(calls, 1);
    assert_int_equal(stint_ctx_live_count(), 0);

    ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
    stint_ctx_unref(ctx);
    assert_true(stint_hook_stop(&hook)); /* frees the context, and with it disarms the timer */
    assert_int_equal(stint_ctx_live_count(), 0);
    assert_int_equal(stint__timer_count(), 0);
}

static void a_forgotten_timer_goes_with_its_context(void **state)
{
    (void)state;
    int calls = 0;
    stint_hook hook;
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *ctx = stint_ctx_with_timeout(parent, 100);
    assert_true(stint_ctx_after(ctx, &hook, count_call, &calls));
    assert_true(stint_hook_stop(&hook));
    stint_ctx_unref(ctx);
    assert_int_equal(stint__timer_count(), 0);
    stint_ctx_drop(parent);
}

/* ---- what a hook's function may do ---- */

struct work {
    stint_hook hook;
    stint_hook *other;
    stint_ctx *ctx;
    int calls;
    bool stopped;
};

static void stop_itself(void *arg)
{
    struct work *w = arg;
    w->calls++;
    w->stopped = stint_hook_stop(&w->hook);
}

static void a_function_may_stop_its_own_hook(void **state)
{
    (void)state;
    struct work w = {.stopped = true};
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_true(stint_ctx_after(ctx, &w.hook, stop_itself, &w));
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(w.calls, 1);
    assert_false(w.stopped);
    stint_ctx_drop(ctx);
}

static void free_all(void *arg)
{
    struct work *w = arg;
    stint_ctx_drop(w->ctx);
    free(w);
}

static void a_function_may_free_its_hook_and_its_context(void **state)
{
    (void)state;
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        struct work *w = calloc(1, sizeof *w);
        assert_non_null(w);
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
        w->ctx = ctx;
        assert_true(stint_ctx_after(ctx, &w->hook, free_all, w));
        if (by_deadline)
            stint__vclock_advance(100);
        else
            stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
        assert_int_equal(stint_ctx_live_count(), 0);
    }
}

static void stop_other(void *arg)
{
    struct work *w = arg;
    w->calls++;
    w->stopped = stint_hook_stop(w->other);
}

/* Both were taken from the context together; the first to run stops the second. */
static void a_function_may_stop_a_hook_that_is_next(void **state)
{
    (void)state;
    struct work a = {.calls = 0};
    struct work b = {.calls = 0};
    a.other = &b.hook;
    b.other = &a.hook;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_true(stint_ctx_after(ctx, &a.hook, stop_other, &a));
    assert_true(stint_ctx_after(ctx, &b.hook, stop_other, &b));
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(a.calls + b.calls, 1);
    assert_true(a.stopped || b.stopped);
    stint_ctx_drop(ctx);
}

static void cancel_other(void *arg)
{
    struct work *w = arg;
    w->calls++;
    stint_ctx_cancel(w->ctx, STINT_ABORTED, "from a hook");
}

static void a_function_may_cancel(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *other = stint_ctx_with_cancel(stint_ctx_background());
    struct work own = {.ctx = ctx};
    struct work foreign = {.ctx = other};
    struct work last = {.ctx = ctx};
    assert_true(stint_ctx_after(ctx, &own.hook, cancel_other, &own));
    assert_true(stint_ctx_after(ctx, &foreign.hook, cancel_other, &foreign));
    assert_true(stint_ctx_after(other, &last.hook, cancel_other, &last));
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(own.calls, 1);
    assert_int_equal(foreign.calls, 1);
    assert_int_equal(last.calls, 1);
    assert_int_equal(stint_ctx_err(ctx), STINT_CANCELLED);
    assert_ended(other, STINT_ABORTED, "from a hook");
    stint_ctx_drop(ctx);
    stint_ctx_drop(other);
}

static void derive_and_look(void *arg)
{
    struct work *w = arg;
    stint_ctx *child = stint_ctx_with_cancel(w->ctx);
    w->calls += stint_ctx_err(child) == STINT_CANCELLED;
    stint_ctx_drop(child);
}

static void a_function_may_derive(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    struct work w = {.ctx = ctx};
    assert_true(stint_ctx_after(ctx, &w.hook, derive_and_look, &w));
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(w.calls, 1);
    stint_ctx_drop(ctx);
}

/* ---- two threads ---- */

struct gate {
    stint_hook hook;
    stint_ctx *ctx;
    sem_t entered, leave;
    atomic_bool left, stop_returned;
};

static void pass_gate(void *arg)
{
    struct gate *g = arg;
    sem_post(&g->entered);
    sem_wait(&g->leave);
    atomic_store(&g->left, true);
}

static void *cancel_gate(void *arg)
{
    struct gate *g = arg;
    stint_ctx_cancel(g->ctx, STINT_CANCELLED, NULL);
    return NULL;
}

static void *stop_gate(void *arg)
{
    struct gate *g = arg;
    bool never_runs = stint_hook_stop(&g->hook);
    bool left = atomic_load(&g->left);
    atomic_store(&g->stop_returned, true);
    return !never_runs && left ? g : NULL;
}

static void stop_waits_for_a_running_function(void **state)
{
    (void)state;
    struct gate g = {.ctx = stint_ctx_with_cancel(stint_ctx_background())};
    sem_init(&g.entered, 0, 0);
    sem_init(&g.leave, 0, 0);
    assert_true(stint_ctx_after(g.ctx, &g.hook, pass_gate, &g));
    pthread_t canceller;
    pthread_t stopper;
    assert_int_equal(pthread_create(&canceller, NULL, cancel_gate, &g), 0);
    sem_wait(&g.entered);
    assert_int_equal(pthread_create(&stopper, NULL, stop_gate, &g), 0);
    for (int i = 0; i < 1000; i++)
        sched_yield();
    assert_false(atomic_load(&g.stop_returned));
    sem_post(&g.leave);
    void *waited;
    pthread_join(stopper, &waited);
    pthread_join(canceller, NULL);
    assert_non_null(waited);
    stint_ctx_drop(g.ctx);
}

static atomic_int runs;

static void count_atomically(void *arg)
{
    (void)arg;
    atomic_fetch_add(&runs, 1);
}

struct race {
    pthread_barrier_t start;
    stint_ctx *ctx;
    stint_hook hook;
    bool stopped;
};

static void *stop_in_race(void *arg)
{
    struct race *r = arg;
    pthread_barrier_wait(&r->start);
    r->stopped = stint_hook_stop(&r->hook);
    r->hook = (stint_hook){{NULL}}; /* ours again: nobody may touch it */
    return NULL;
}

/* stop and cancel race; the hook's memory is the stopper's as soon as stop returns, and the context
 * goes while the other still works. */
static void stop_and_cancel_race(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct race r = {.ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60))};
        pthread_barrier_init(&r.start, NULL, 2);
        atomic_store(&runs, 0);
        assert_true(stint_ctx_after(r.ctx, &r.hook, count_atomically, NULL));
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_in_race, &r), 0);
        pthread_barrier_wait(&r.start);
        stint_ctx_drop(r.ctx);
        pthread_join(thread, NULL);
        assert_int_equal(atomic_load(&runs), r.stopped ? 0 : 1);
        assert_int_equal(stint_ctx_live_count(), 0);
        pthread_barrier_destroy(&r.start);
    }
}

/* The same against the timer thread. */
static void stop_and_deadline_race(void **state)
{
    (void)state;
    int outcomes[2] = {0, 0};
    for (int i = 0; i < 1000; i++) {
        stint_hook hook;
        atomic_store(&runs, 0);
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_US(i % 100));
        if (stint_ctx_after(ctx, &hook, count_atomically, NULL)) {
            for (int spin = 0; spin < i % 300; spin++)
                (void)stint_ctx_err(ctx);
            stint_ctx_unref(ctx);
            bool stopped = stint_hook_stop(&hook);
            assert_int_equal(atomic_load(&runs), stopped ? 0 : 1);
            outcomes[stopped]++;
        } else {
            stint_ctx_unref(ctx);
        }
    }
    assert_true(outcomes[0] + outcomes[1] > 0);
    /* The last context is freed by the timer thread, after the function that stop waited for. */
    while (stint_ctx_live_count() > 0)
        sched_yield();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_hook_runs_before_cancel_returns),
        VIRTUAL_TEST(a_done_context_takes_no_hook),
        VIRTUAL_TEST(a_root_takes_hooks_and_never_runs_them),
        VIRTUAL_TEST(a_stopped_hook_does_not_run),
        VIRTUAL_TEST(a_hook_can_be_armed_again_after_stop),
        VIRTUAL_TEST(a_hook_runs_at_the_deadline),
        VIRTUAL_TEST(an_unarmed_deadline_runs_hooks_when_found),
        VIRTUAL_TEST(an_armed_hook_keeps_its_context),
        VIRTUAL_TEST(a_forgotten_timer_goes_with_its_context),
        VIRTUAL_TEST(a_function_may_stop_its_own_hook),
        VIRTUAL_TEST(a_function_may_free_its_hook_and_its_context),
        VIRTUAL_TEST(a_function_may_stop_a_hook_that_is_next),
        VIRTUAL_TEST(a_function_may_cancel),
        VIRTUAL_TEST(a_function_may_derive),
        REAL_TEST(stop_waits_for_a_running_function),
        REAL_TEST(stop_and_cancel_race),
        REAL_TEST(stop_and_deadline_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
