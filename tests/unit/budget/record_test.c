/* record_test.c - how long a served call waited for the calls that it made, beyond what they
 * needed. */
#include "ctx_unit.h"

#include <pthread.h>

#include "ledger_list.h"
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

static void begin(const stint_ctx *ctx, struct stint__record_call *c, stint_duration began)
{
    *c = (struct stint__record_call){.method = "a.B/C", .target = "mem://b", .began = at(began)};
    stint__record_begin(stint__record_of(ctx), c);
}

static void end(const stint_ctx *ctx, struct stint__record_call *c, stint_duration ended,
                stint_duration needed)
{
    stint__record_end(stint__record_of(ctx), c, at(ended), needed);
}

static void one(const stint_ctx *ctx, stint_duration began, stint_duration ended,
                stint_duration needed)
{
    struct stint__record_call c;
    begin(ctx, &c, began);
    end(ctx, &c, ended, needed);
}

static void assert_waited(const stint_ctx *ctx, stint_duration d)
{
    assert_int_equal(stint__record_waited(stint__record_of(ctx)), d);
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
    one(below, 0, 1, 1); /* lives with the last context */
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
    struct stint__record_call a, b;
    begin(ctx, &a, 0);
    begin(ctx, &b, 5 * MS);
    end(ctx, &a, 40 * MS, 10 * MS);
    assert_waited(ctx, 0); /* the period is open */
    end(ctx, &b, 50 * MS, 20 * MS);
    assert_waited(ctx, 25 * MS);
    stint_ctx_drop(ctx);
}

/* The one that did not say is not the one that ends last. */
static void in_parallel_the_latest_need_counts(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    struct stint__record_call a, b;
    begin(ctx, &a, 0);
    begin(ctx, &b, 0);
    end(ctx, &a, 30 * MS, -1);
    end(ctx, &b, 50 * MS, 5 * MS);
    assert_waited(ctx, 20 * MS);
    stint_ctx_drop(ctx);
}

/* A period without a gap, although no call lasts from its beginning to its end. */
static void overlapping_calls_are_one_period(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    struct stint__record_call a, b, c;
    begin(ctx, &a, 0);
    begin(ctx, &b, 20 * MS);
    end(ctx, &a, 30 * MS, 5 * MS);
    begin(ctx, &c, 40 * MS);
    end(ctx, &b, 45 * MS, 5 * MS);
    end(ctx, &c, 60 * MS, 5 * MS); /* would have ended at 45 */
    assert_waited(ctx, 15 * MS);
    stint_ctx_drop(ctx);
}

static void reports_out_of_order_count_no_time_twice(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    struct stint__record_call a, b;
    begin(ctx, &a, 5 * MS);
    begin(ctx, &b, 0); /* began first, told last */
    end(ctx, &a, 20 * MS, 0);
    end(ctx, &b, 10 * MS, 0);
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
    struct stint__record_call c;
    begin(detached, &c, 0);
    assert_waited(ctx, 0);
    stint_ctx_drop(ctx);
    end(detached, &c, 50 * MS, 0);
    stint_ctx_drop(detached);
}

static const char *under_way(const stint_ctx *ctx, stint_duration when, stint_time *ret_since)
{
    return stint__record_under_way(stint__record_of(ctx), at(when), ret_since);
}

static void what_was_under_way_for_longest_is_known(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    struct stint__record_call a, b;
    stint_time since;
    assert_null(under_way(ctx, 0, &since));
    begin(ctx, &a, 5 * MS);
    begin(ctx, &b, 3 * MS);
    b.method = "b.B/B";
    assert_null(under_way(ctx, 2 * MS, &since));
    assert_string_equal(under_way(ctx, 7 * MS, &since), "b.B/B");
    assert_int_equal(since.ns, START + 3 * MS);
    end(ctx, &b, 6 * MS, 0);
    assert_string_equal(under_way(ctx, 7 * MS, &since), "a.B/C");
    assert_int_equal(since.ns, START + 5 * MS);
    assert_string_equal(under_way(ctx, 6 * MS, &since), "b.B/B"); /* it had not ended before */
    end(ctx, &a, 9 * MS, 0);
    assert_string_equal(under_way(ctx, 9 * MS, &since), "a.B/C");
    assert_null(under_way(ctx, 10 * MS, &since));
    stint_ctx_drop(ctx);
}

static stint_ledger *ledger_of(const char *service)
{
    stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
    assert_non_null(l);
    stint__ledger_add(l, &(stint_ledger_entry){.service = service, .elapsed = 2 * MS});
    return l;
}

static void a_ledger_has_what_ended_and_what_did_not(void **state)
{
    (void)state;
    stint_ctx *ctx = served();
    assert_false(stint__record_wants_ledger(ctx));
    stint__record_want_ledger(ctx, at(0));
    assert_true(stint__record_wants_ledger(ctx));
    struct stint__record_call open;
    begin(ctx, &open, 4 * MS);
    stint_ledger *child = ledger_of("child");
    stint__record_add(stint__record_of(ctx), child, at(1 * MS));
    stint_ledger *l = stint__record_take(stint__record_of(ctx), at(10 * MS));
    assert_int_equal(stint_ledger_count(l), 2);
    const stint_ledger_entry *e = stint_ledger_at(l, 0);
    assert_string_equal(e->service, "child");
    assert_int_equal(e->depth, 1);
    assert_int_equal(e->start, 1 * MS);
    e = stint_ledger_at(l, 1);
    assert_int_equal(e->state, STINT_LEDGER_UNDER_WAY);
    assert_int_equal(e->depth, 1);
    assert_string_equal(e->method, "a.B/C");
    assert_string_equal(e->target, "mem://b");
    assert_int_equal(e->start, 4 * MS);
    assert_int_equal(e->elapsed, 6 * MS);
    stint__ledger_free(l);
    /* Once it has been taken nothing is kept any more. */
    end(ctx, &open, 11 * MS, 0);
    stint__record_add(stint__record_of(ctx), child, at(12 * MS));
    assert_null(stint__record_take(stint__record_of(ctx), at(13 * MS)));
    stint__ledger_free(child);
    stint_ctx_drop(ctx);
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
        struct stint__record_call c = {.began = at(i * 10 + (stint_duration)m->i)};
        stint__record_begin(r, &c);
        stint__record_end(r, &c, stint_time_add(c.began, 8), i % 3 - 1);
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
        stint_duration waited = stint__record_waited(r);
        assert_true(waited >= before);
        before = waited;
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_ptr_equal(crowd.seen[i], r);
    }
    pthread_barrier_destroy(&crowd.barrier);
    stint_duration waited = stint__record_waited(r);
    assert_true(waited >= before && waited <= CALLS * 10 + THREADS);
    one(ctx, INT64_C(20) * CALLS, INT64_C(20) * CALLS + 10,
        3); /* everything that began has ended */
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
        VIRTUAL_TEST(what_was_under_way_for_longest_is_known),
        VIRTUAL_TEST(a_ledger_has_what_ended_and_what_did_not),
        VIRTUAL_TEST(without_memory_there_is_none),
        VIRTUAL_TEST(many_threads_share_one_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
