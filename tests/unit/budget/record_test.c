/* record_test.c - how long a served call waited for the calls that it made, beyond what they
 * needed. */
#include "ctx_unit.h"

#include <pthread.h>

#include "record.h"

#define MS STINT_MS(1)

static stint_ctx *served(void)
{
    stint_request_info info = stint_request_info_new();
    return stint__ctx_new_call((stint_time){INT64_MAX}, &info, 0, false);
}

static stint_time at(stint_duration since_start)
{
    return (stint_time){START + since_start};
}

static void begin(const stint_ctx *ctx, stint_duration began)
{
    stint__record_begin(stint__record_of(ctx), at(began));
}

static void end(const stint_ctx *ctx, stint_duration began, stint_duration ended,
                stint_duration needed)
{
    stint__record_end(stint__record_of(ctx), at(began), at(ended), needed);
}

static void one(const stint_ctx *ctx, stint_duration began, stint_duration ended,
                stint_duration needed)
{
    begin(ctx, began);
    end(ctx, began, ended, needed);
}

static void assert_waited(const stint_ctx *ctx, stint_duration d)
{
    assert_int_equal(stint__record_waited(stint__record_of(ctx), stint_now()), d);
}

static void only_served_calls_have_one(void **state)
{
    (void)state;
    stint_ctx *own = stint_ctx_with_cancel(stint_ctx_background());
    assert_null(stint__record_of(own));
    assert_null(stint__record_find(own));
    stint_ctx_drop(own);
}

static void made_once_and_shared_by_what_is_derived(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    stint_ctx *below = stint_ctx_with_cancel(ctx);
    assert_null(stint__record_find(ctx));
    struct stint__record *r = stint__record_of(below);
    assert_non_null(r);
    assert_ptr_equal(stint__record_of(ctx), r);
    assert_ptr_equal(stint__record_find(ctx), r);
    stint_ctx_drop(ctx);
    stint__record_begin(r, at(0)); /* lives with the last context */
    stint_ctx_drop(below);
}

static void nothing_called_nothing_waited(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    assert_waited(ctx, 0);
    stint_ctx_drop(ctx);
}

static void what_a_call_takes_beyond_its_need(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    one(ctx, 0, 50 * MS, 10 * MS);
    assert_waited(ctx, 40 * MS);
    one(ctx, 60 * MS, 70 * MS, 30 * MS); /* faster than usual */
    assert_waited(ctx, 40 * MS);
    one(ctx, 80 * MS, 90 * MS, 0); /* never sent */
    assert_waited(ctx, 50 * MS);
    stint_ctx_drop(ctx);
}

static void who_does_not_say_needed_it_all(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    one(ctx, 0, 50 * MS, -1);
    assert_waited(ctx, 0);
    one(ctx, 50 * MS, 60 * MS, INT64_MAX);
    assert_waited(ctx, 0);
    stint_ctx_drop(ctx);
}

/* Both under way from 0 to 50: A would have ended at 10, B, which began at 5, at 25. */
static void parallel_calls_count_once(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    begin(ctx, 0);
    begin(ctx, 5 * MS);
    end(ctx, 0, 40 * MS, 10 * MS);
    assert_waited(ctx, 0); /* the period is open */
    end(ctx, 5 * MS, 50 * MS, 20 * MS);
    assert_waited(ctx, 25 * MS);
    stint_ctx_drop(ctx);
}

/* The one that did not say is not the one that ends last. */
static void in_parallel_the_latest_need_counts(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    begin(ctx, 0);
    begin(ctx, 0);
    end(ctx, 0, 30 * MS, -1);
    end(ctx, 0, 50 * MS, 5 * MS);
    assert_waited(ctx, 20 * MS);
    stint_ctx_drop(ctx);
}

/* A period without a gap, although no call lasts from its beginning to its end. */
static void overlapping_calls_are_one_period(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    begin(ctx, 0);
    begin(ctx, 20 * MS);
    end(ctx, 0, 30 * MS, 5 * MS);
    begin(ctx, 40 * MS);
    end(ctx, 20 * MS, 45 * MS, 5 * MS);
    end(ctx, 40 * MS, 60 * MS, 5 * MS); /* would have ended at 45 */
    assert_waited(ctx, 15 * MS);
    stint_ctx_drop(ctx);
}

static void reports_out_of_order_count_no_time_twice(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    begin(ctx, 5 * MS);
    begin(ctx, 0); /* began first, told last */
    end(ctx, 5 * MS, 20 * MS, 0);
    end(ctx, 0, 10 * MS, 0);
    assert_waited(ctx, 15 * MS);   /* 0 to 20, of which 5 were needed: until the later began */
    one(ctx, 10 * MS, 30 * MS, 0); /* ended when the last period had, by another's clock */
    assert_waited(ctx, 25 * MS);
    stint_ctx_drop(ctx);
}

static void calls_that_end_after_the_answer_are_harmless(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    stint_ctx *detached = stint_ctx_without_cancel(ctx);
    begin(detached, 0);
    assert_waited(ctx, 0);
    stint_ctx_drop(ctx);
    end(detached, 0, 50 * MS, 0);
    stint_ctx_drop(detached);
}

static bool refuse(void *arg, size_t n)
{
    (void)arg, (void)n;
    return false;
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    stint__alloc_set_gate(refuse, NULL);
    assert_null(stint__record_of(ctx));
    stint__alloc_set_gate(NULL, NULL);
    assert_non_null(stint__record_of(ctx)); /* the next call tries again */
    stint_ctx_drop(ctx);
}

/* ---- many threads ---- */

#define THREADS 4
#define CALLS   2000

struct crowd {
    pthread_barrier_t barrier;
    const stint_ctx *ctx;
    struct stint__record *seen[THREADS];
};

struct member {
    struct crowd *crowd;
    size_t i;
};

/* Each on a time of its own, so that reports come in any order. */
static void *call_again_and_again(void *arg)
{
    const struct member *m = arg;
    pthread_barrier_wait(&m->crowd->barrier);
    struct stint__record *r = stint__record_of(m->crowd->ctx);
    m->crowd->seen[m->i] = r;
    for (stint_duration i = 0; i < CALLS; i++) {
        stint_time began = at(i * 10 + (stint_duration)m->i);
        stint__record_begin(r, began);
        stint__record_end(r, began, stint_time_add(began, 8), i % 3 - 1);
    }
    return NULL;
}

static void many_threads_share_one_record(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    struct crowd crowd = {.ctx = ctx};
    struct member members[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_init(&crowd.barrier, NULL, THREADS + 1);
    for (size_t i = 0; i < THREADS; i++) {
        members[i] = (struct member){&crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, call_again_and_again, &members[i]), 0);
    }
    pthread_barrier_wait(&crowd.barrier);
    struct stint__record *r = stint__record_of(ctx);
    stint_duration before = 0;
    for (int i = 0; i < 1000; i++) {
        stint_duration waited = stint__record_waited(r, stint_now());
        assert_true(waited >= before);
        before = waited;
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_ptr_equal(crowd.seen[i], r);
    }
    pthread_barrier_destroy(&crowd.barrier);
    stint_duration waited = stint__record_waited(r, stint_now());
    assert_true(waited >= before && waited <= CALLS * 10 + THREADS);
    one(ctx, CALLS * 20, CALLS * 20 + 10, 3); /* everything that began has ended */
    assert_waited(ctx, waited + 7);
    stint_ctx_drop(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(only_served_calls_have_one),
        VIRTUAL_TEST(made_once_and_shared_by_what_is_derived),
        VIRTUAL_TEST(nothing_called_nothing_waited),
        VIRTUAL_TEST(what_a_call_takes_beyond_its_need),
        VIRTUAL_TEST(who_does_not_say_needed_it_all),
        VIRTUAL_TEST(parallel_calls_count_once),
        VIRTUAL_TEST(in_parallel_the_latest_need_counts),
        VIRTUAL_TEST(overlapping_calls_are_one_period),
        VIRTUAL_TEST(reports_out_of_order_count_no_time_twice),
        VIRTUAL_TEST(calls_that_end_after_the_answer_are_harmless),
        VIRTUAL_TEST(without_memory_there_is_none),
        VIRTUAL_TEST(many_threads_share_one_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
