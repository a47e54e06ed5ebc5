/* blocking_test.c - sleeping, waiting on a condition variable, and polling until a context is done.
 *
 * A lost wake-up shows as a test that does not end within its time limit. */
#include "ctx_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- sleep ---- */

struct sleep_call {
    const stint_ctx *ctx;
    stint_duration d;
    stint_code code;
    int64_t woken_at;
};

static void *sleep_thread(void *arg)
{
    struct sleep_call *s = arg;
    s->code = stint_ctx_sleep(s->ctx, s->d);
    s->woken_at = stint_now().ns;
    return NULL;
}

/* Runs s in a thread and, once it waits for a time, moves the clock on by `d`. */
static void sleep_and_advance(struct sleep_call *s, stint_duration d)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_thread, s), 0);
    while (stint__timer_count() == 0)
        sched_yield();
    stint__vclock_advance(d);
    pthread_join(thread, NULL);
}

static void sleep_lasts_as_long_as_asked(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 1000);
    const stint_ctx *contexts[] = {stint_ctx_background(), ctx};
    for (size_t i = 0; i < 2; i++) {
        struct sleep_call s = {.ctx = contexts[i], .d = 100};
        sleep_and_advance(&s, 100);
        assert_int_equal(s.code, STINT_OK);
        assert_int_equal(s.woken_at, START + 100 * ((int64_t)i + 1));
    }
    stint_ctx_drop(ctx);
}

static void sleep_ends_at_the_deadline(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 60);
    struct sleep_call s = {.ctx = ctx, .d = 100};
    sleep_and_advance(&s, 60);
    assert_int_equal(s.code, STINT_DEADLINE_EXCEEDED);
    assert_int_equal(s.woken_at, START + 60);
    stint_ctx_drop(ctx);
}

static void sleep_ends_when_cancelled(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
        struct sleep_call s = {.ctx = ctx, .d = STINT_DURATION_FOREVER};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, sleep_thread, &s), 0);
        for (int spin = 0; spin < i % 10; spin++)
            sched_yield();
        stint_ctx_cancel(ctx, STINT_ABORTED, NULL);
        pthread_join(thread, NULL);
        assert_int_equal(s.code, STINT_ABORTED);
        stint_ctx_drop(ctx);
    }
}

static void sleep_does_not_begin_when_done(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_int_equal(stint_ctx_sleep(ctx, 0), STINT_OK);
    assert_int_equal(stint_ctx_sleep(ctx, -5), STINT_OK);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(stint_ctx_sleep(ctx, 0), STINT_CANCELLED);
    assert_int_equal(stint_ctx_sleep(ctx, STINT_DURATION_FOREVER), STINT_CANCELLED);
    stint_ctx_drop(ctx);
}

/* ---- cond_wait ---- */

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    const stint_ctx *ctx;
    bool waiting, ready;
    _Atomic stint_code code; /* also looked at while the taker may be writing it */
};

static struct queue *queue_new(const stint_ctx *ctx)
{
    struct queue *q = calloc(1, sizeof *q);
    assert_non_null(q);
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->cond, NULL);
    q->ctx = ctx;
    return q;
}

static void queue_free(struct queue *q)
{
    pthread_cond_destroy(&q->cond);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

static void *take(void *arg)
{
    struct queue *q = arg;
    pthread_mutex_lock(&q->mutex);
    q->waiting = true;
    while (!q->ready && q->code == STINT_OK)
        q->code = stint_ctx_cond_wait(q->ctx, &q->cond, &q->mutex);
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}

static pthread_t start_taking(struct queue *q)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take, q), 0);
    return thread;
}

/* Returns with the mutex held and the taker in its wait. */
static void lock_when_waiting(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (!q->waiting) {
        pthread_mutex_unlock(&q->mutex);
        sched_yield();
        pthread_mutex_lock(&q->mutex);
    }
}

static void cond_wait_hears_signals(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(3600));
    const stint_ctx *contexts[] = {stint_ctx_background(), ctx};
    for (size_t i = 0; i < 2; i++) {
        struct queue *q = queue_new(contexts[i]);
        pthread_t thread = start_taking(q);
        lock_when_waiting(q);
        q->ready = true;
        pthread_cond_signal(&q->cond);
        pthread_mutex_unlock(&q->mutex);
        pthread_join(thread, NULL);
        assert_int_equal(q->code, STINT_OK);
        queue_free(q);
    }
    stint_ctx_drop(ctx);
}

static void cond_wait_ends_when_cancelled_with_the_mutex_held(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    struct queue *q = queue_new(ctx);
    pthread_t thread = start_taking(q);
    lock_when_waiting(q);
    stint_ctx_cancel(ctx, STINT_ABORTED, NULL);
    pthread_mutex_unlock(&q->mutex);
    pthread_join(thread, NULL);
    assert_int_equal(q->code, STINT_ABORTED);
    queue_free(q);
    stint_ctx_drop(ctx);
}

/* Cancels at every moment of the wait's beginning: also between its look at the context and its
 * wait, when the mutex is the waiter's and a signal alone would be lost. */
static void cond_wait_loses_no_cancellation(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
        struct queue *q = queue_new(ctx);
        pthread_t thread = start_taking(q);
        for (int spin = 0; spin < i % 40; spin++)
            sched_yield();
        stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
        pthread_join(thread, NULL);
        assert_int_equal(q->code, STINT_CANCELLED);
        queue_free(q); /* nobody refers to it any more */
        stint_ctx_drop(ctx);
    }
}

/* What to cancel when a waiter, with the mutex, is about to begin to wait; NULL: nothing. */
static stint_ctx *cancel_before_wait;

/* NOLINTBEGIN(cert-dcl51-cpp,readability-identifier-naming): the linker's names. */
void __real_stint__cond_wait_any(pthread_cond_t *cond, pthread_mutex_t *mutex);
void __wrap_stint__cond_wait_any(pthread_cond_t *cond, pthread_mutex_t *mutex);
void __wrap_stint__cond_wait_any(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    stint_ctx_cancel(cancel_before_wait, STINT_ABORTED, NULL);
    __real_stint__cond_wait_any(cond, mutex);
}
/* NOLINTEND(cert-dcl51-cpp,readability-identifier-naming) */

/* The signal comes when nobody waits yet, and the mutex is taken: it must come again. */
static void cond_wait_hears_a_cancellation_before_it_waits(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    cancel_before_wait = ctx;
    struct queue *q = queue_new(ctx);
    (void)take(q);
    cancel_before_wait = NULL;
    assert_int_equal(q->code, STINT_ABORTED);
    queue_free(q);
    stint_ctx_drop(ctx);
}

static void cond_wait_ends_at_the_deadline(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_US(i) * 10);
        struct queue *q = queue_new(ctx);
        (void)take(q);
        assert_int_equal(q->code, STINT_DEADLINE_EXCEEDED);
        queue_free(q);
        stint_ctx_drop(ctx);
    }
}

static void cond_wait_ends_at_a_virtual_deadline(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
        struct queue *q = queue_new(ctx);
        pthread_t thread = start_taking(q);
        if (i % 2 == 0)
            lock_when_waiting(q);
        stint__vclock_advance(99);
        assert_int_equal(q->code, STINT_OK);
        stint__vclock_advance(1);
        if (i % 2 == 0)
            pthread_mutex_unlock(&q->mutex);
        pthread_join(thread, NULL);
        assert_int_equal(q->code, STINT_DEADLINE_EXCEEDED);
        queue_free(q);
        stint_ctx_drop(ctx);
    }
}

static void cond_wait_does_not_begin_when_done(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    struct queue *q = queue_new(ctx);
    (void)take(q);
    assert_int_equal(q->code, STINT_CANCELLED);
    queue_free(q);
    stint_ctx_drop(ctx);
}

/* ---- fd ---- */

static int fd_of(const stint_ctx *ctx)
{
    int fd = -2;
    stint_error e;
    assert_int_equal(stint_ctx_fd(ctx, &fd, &e), STINT_OK);
    return fd;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void the_fd_is_readable_when_done(void **state)
{
    (void)state;
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *ctx = stint_ctx_with_cancel(parent);
    int fd = fd_of(ctx);
    assert_int_equal(fd_of(ctx), fd);
    assert_int_not_equal(fd_of(parent), fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_false(readable(fd));
    stint_ctx_cancel(parent, STINT_CANCELLED, NULL);
    assert_true(readable(fd));
    assert_true(readable(fd_of(parent)));
    stint_ctx_drop(ctx);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed with its context */
    assert_int_equal(errno, EBADF);
    stint_ctx_drop(parent);
}

static void the_fd_is_readable_at_the_deadline(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    int fd = fd_of(ctx);
    stint__vclock_advance(99);
    assert_false(readable(fd));
    stint__vclock_advance(1);
    assert_true(readable(fd));
    stint_ctx_drop(ctx);
}

static void the_fd_of_a_done_context_is_readable(void **state)
{
    (void)state;
    stint_ctx *cancelled = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx_cancel(cancelled, STINT_CANCELLED, NULL);
    stint_ctx *expired = stint_ctx_with_timeout(stint_ctx_background(), 0);
    assert_true(readable(fd_of(cancelled)));
    assert_true(readable(fd_of(expired)));
    stint_ctx_drop(cancelled);
    stint_ctx_drop(expired);
}

static void a_root_has_no_fd(void **state)
{
    (void)state;
    assert_int_equal(fd_of(stint_ctx_background()), -1);
    assert_false(readable(-1));
}

static void no_descriptor_left_is_an_error(void **state)
{
    (void)state;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 100);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fd = -2;
    stint_error e;
    stint_code code = stint_ctx_fd(ctx, &fd, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(code, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(e.code, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(fd, -2);
    assert_int_equal(stint_ctx_err(ctx), STINT_OK);
    assert_false(readable(fd_of(ctx))); /* a later try succeeds */
    stint_ctx_drop(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(sleep_lasts_as_long_as_asked),
        VIRTUAL_TEST(sleep_ends_at_the_deadline),
        REAL_TEST(sleep_ends_when_cancelled),
        VIRTUAL_TEST(sleep_does_not_begin_when_done),
        REAL_TEST(cond_wait_hears_signals),
        VIRTUAL_TEST(cond_wait_hears_signals),
        REAL_TEST(cond_wait_ends_when_cancelled_with_the_mutex_held),
        VIRTUAL_TEST(cond_wait_ends_when_cancelled_with_the_mutex_held),
        REAL_TEST(cond_wait_loses_no_cancellation),
        VIRTUAL_TEST(cond_wait_loses_no_cancellation),
        REAL_TEST(cond_wait_hears_a_cancellation_before_it_waits),
        VIRTUAL_TEST(cond_wait_hears_a_cancellation_before_it_waits),
        REAL_TEST(cond_wait_ends_at_the_deadline),
        VIRTUAL_TEST(cond_wait_ends_at_a_virtual_deadline),
        VIRTUAL_TEST(cond_wait_does_not_begin_when_done),
        VIRTUAL_TEST(the_fd_is_readable_when_done),
        VIRTUAL_TEST(the_fd_is_readable_at_the_deadline),
        VIRTUAL_TEST(the_fd_of_a_done_context_is_readable),
        VIRTUAL_TEST(a_root_has_no_fd),
        VIRTUAL_TEST(no_descriptor_left_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
