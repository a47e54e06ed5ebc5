/* tree_test.c - wide trees, deep trees, and many threads in one tree. */
#include "ctx_unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4

/* Runs fn(arg) in n threads; arg is shared. Returns how many returned NULL. */
static size_t run_threads(size_t n, void *(*fn)(void *), void *arg)
{
    pthread_t threads[THREADS];
    size_t failed = 0;
    assert_true(n <= THREADS);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fn, arg), 0);
    for (size_t i = 0; i < n; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result == NULL;
    }
    return failed;
}

static void ten_thousand_children_end_with_their_parent(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    stint_ctx **children = calloc(COUNT, sizeof(stint_ctx *));
    stint_hook *hooks = calloc(COUNT, sizeof *hooks);
    assert_non_null(children);
    assert_non_null(hooks);
    int calls = 0;
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    for (size_t i = 0; i < COUNT; i++) {
        const stint_ctx *above = i % 3 == 2 ? children[i - 1] : parent;
        children[i] = stint_ctx_with_timeout(above, STINT_SECONDS(1));
        assert_true(stint_ctx_after(children[i], &hooks[i], count_call, &calls));
    }
    /* A child without an earlier deadline of its own shares its parent's timer. */
    assert_int_equal(stint__timer_count(), COUNT - COUNT / 3);
    for (size_t i = 0; i < COUNT; i += 10) { /* these end by themselves, before */
        stint_ctx_cancel(children[i], STINT_ABORTED, "alone");
        assert_int_equal(stint_ctx_err(parent), STINT_OK);
    }
    stint_ctx_cancel(parent, STINT_CANCELLED, "all");
    assert_int_equal(calls, COUNT);
    assert_int_equal(stint__timer_count(), 0);
    for (size_t i = 0; i < COUNT; i++) {
        bool alone = i % 10 == 0 || (i % 3 == 2 && (i - 1) % 10 == 0);
        assert_ended(children[i], alone ? STINT_ABORTED : STINT_CANCELLED, alone ? "alone" : "all");
    }
    for (size_t i = 0; i < COUNT; i++)
        stint_ctx_drop(children[i * 7919 % COUNT]);
    stint_ctx_drop(parent);
    free(children);
    free(hooks);
}

/* Derives, cancels and frees a chain that would overflow a small stack if any of it recursed. */
static void *deep_chain(void *arg)
{
    (void)arg;
    enum { DEPTH = 100000 };
    static int number = 5;
    static const stint_key key = {"deep"};
    stint_ctx *top = stint_ctx_with_value(stint_ctx_background(), &key, &number, NULL);
    const stint_ctx *bottom = stint_ctx_ref(top);
    for (int i = 0; i < DEPTH; i++) {
        const stint_ctx *child = stint_ctx_with_timeout(bottom, STINT_SECONDS(i + 1));
        stint_ctx_unref(bottom);
        bottom = child;
    }
    bool good = stint_ctx_live_count() == DEPTH + 1 && stint_ctx_err(bottom) == STINT_OK &&
                stint_ctx_value(bottom, &key) == &number &&
                stint_ctx_remaining(bottom) == STINT_SECONDS(1);
    stint_ctx_cancel(top, STINT_CANCELLED, "deep");
    good = good && stint_ctx_err(bottom) == STINT_CANCELLED;
    stint_ctx_drop(top);
    stint_ctx_unref(bottom);
    return good && stint_ctx_live_count() == 0 ? &number : NULL;
}

static void a_deep_chain_does_not_recurse(void **state)
{
    (void)state;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)256 * 1024), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, &attr, deep_chain, NULL), 0);
    pthread_attr_destroy(&attr);
    void *good;
    pthread_join(thread, &good);
    assert_non_null(good);
}

/* ---- many threads ---- */

struct shared {
    stint_ctx *ctx;
    pthread_barrier_t start;
    atomic_int next_code, calls, won;
};

static void count_shared(void *arg)
{
    atomic_fetch_add(&((struct shared *)arg)->calls, 1);
}

static void *cancel_with_own_code(void *arg)
{
    struct shared *s = arg;
    int code = atomic_fetch_add(&s->next_code, 1);
    pthread_barrier_wait(&s->start);
    stint_ctx_cancel(s->ctx, (stint_code)code, stint_code_name((stint_code)code));
    stint_error e;
    stint_ctx_cause(s->ctx, &e);
    int nobody = 0;
    bool agreed =
        atomic_compare_exchange_strong(&s->won, &nobody, (int)e.code) || nobody == (int)e.code;
    bool own_text = strcmp(e.message, stint_code_name(e.code)) == 0;
    return agreed && e.code != STINT_OK && own_text ? s : NULL;
}

static void many_cancel_and_one_wins(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct shared s = {.ctx = stint_ctx_with_cancel(stint_ctx_background())};
        stint_ctx *child = stint_ctx_with_cancel(s.ctx);
        pthread_barrier_init(&s.start, NULL, THREADS);
        atomic_init(&s.next_code, 1);
        stint_hook hook;
        assert_true(stint_ctx_after(child, &hook, count_shared, &s));
        assert_int_equal(run_threads(THREADS, cancel_with_own_code, &s), 0);
        assert_int_equal(atomic_load(&s.calls), 1);
        assert_int_equal(stint_ctx_err(child), atomic_load(&s.won));
        pthread_barrier_destroy(&s.start);
        stint_ctx_drop(child);
        stint_ctx_drop(s.ctx);
    }
}

/* Derives from a context that ends meanwhile: once it is seen to be done, so are all children. */
static void *derive_while_it_ends(void *arg)
{
    struct shared *s = arg;
    pthread_barrier_wait(&s->start);
    bool good = true;
    for (int i = 0; i < 200; i++) {
        bool done = stint_ctx_err(s->ctx) != STINT_OK;
        stint_ctx *child = stint_ctx_with_timeout(s->ctx, STINT_SECONDS(60));
        stint_ctx *grandchild = stint_ctx_with_cancel(child);
        stint_hook hook;
        bool armed = stint_ctx_after(grandchild, &hook, count_shared, s);
        good = good && !(done && armed) && !(done && stint_ctx_err(grandchild) == STINT_OK);
        stint_ctx_drop(child);
        good = good && stint_ctx_err(grandchild) != STINT_OK;
        stint_ctx_unref(grandchild);
        if (armed)
            (void)stint_hook_stop(&hook);
        if (i == 100)
            stint_ctx_cancel(s->ctx, STINT_CANCELLED, "half-way");
    }
    return good ? s : NULL;
}

static void deriving_and_ending_race(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct shared s = {.ctx = stint_ctx_with_cancel(stint_ctx_background())};
        pthread_barrier_init(&s.start, NULL, THREADS);
        assert_int_equal(run_threads(THREADS, derive_while_it_ends, &s), 0);
        pthread_barrier_destroy(&s.start);
        stint_ctx_drop(s.ctx);
        assert_int_equal(stint_ctx_live_count(), 0);
    }
}

/* What was seen once must be seen for ever, although a cancellation and a deadline race. */
static void *look_until_done(void *arg)
{
    struct shared *s = arg;
    pthread_barrier_wait(&s->start);
    int code;
    while ((code = (int)stint_ctx_err(s->ctx)) == STINT_OK)
        ;
    int nobody = 0;
    bool agreed = atomic_compare_exchange_strong(&s->won, &nobody, code) || nobody == code;
    for (int i = 0; i < 100; i++)
        agreed = agreed && (int)stint_ctx_err(s->ctx) == code;
    return agreed ? s : NULL;
}

static void *cancel_at_the_deadline(void *arg)
{
    struct shared *s = arg;
    pthread_barrier_wait(&s->start);
    while (stint_ctx_remaining(s->ctx) > 500)
        ;
    stint_ctx_cancel(s->ctx, STINT_CANCELLED, NULL);
    return s;
}

static void cancellation_and_deadline_agree_on_a_winner(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct shared s = {.ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_US(300))};
        pthread_barrier_init(&s.start, NULL, THREADS);
        pthread_t canceller;
        assert_int_equal(pthread_create(&canceller, NULL, cancel_at_the_deadline, &s), 0);
        assert_int_equal(run_threads(THREADS - 1, look_until_done, &s), 0);
        pthread_join(canceller, NULL);
        assert_int_equal(stint_ctx_err(s.ctx), atomic_load(&s.won));
        pthread_barrier_destroy(&s.start);
        stint_ctx_drop(s.ctx);
    }
}

/* The last references to a parent and its children go in different threads, in any order. */
struct forest {
    stint_ctx *contexts[2000];
    atomic_size_t next;
};

static void *release_some(void *arg)
{
    struct forest *f = arg;
    for (size_t i; (i = atomic_fetch_add(&f->next, 1)) < 2000;)
        stint_ctx_drop(f->contexts[i]);
    return arg;
}

static void releasing_races(void **state)
{
    (void)state;
    static struct forest f;
    f.contexts[0] = stint_ctx_with_cancel(stint_ctx_background());
    for (size_t i = 1; i < 2000; i++)
        f.contexts[i] = stint_ctx_with_timeout(f.contexts[(i - 1) / 2], STINT_SECONDS(60));
    assert_int_equal(run_threads(THREADS, release_some, &f), 0);
    assert_int_equal(stint_ctx_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(ten_thousand_children_end_with_their_parent),
        VIRTUAL_TEST(a_deep_chain_does_not_recurse),
        REAL_TEST(many_cancel_and_one_wins),
        REAL_TEST(deriving_and_ending_race),
        REAL_TEST(cancellation_and_deadline_agree_on_a_winner),
        REAL_TEST(releasing_races),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
