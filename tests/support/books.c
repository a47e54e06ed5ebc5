/* books.c - see books.h. */
#include "books.h"

#include "patience.h"
#include "unit.h"

static bool method_stats(stint_server *s, size_t i, stint_method_stats *ret)
{
    const char *path = stint_server_method(s, i);
    *ret = (stint_method_stats){.size = sizeof *ret};
    return path != NULL && stint_server_method_stats_get(s, path, ret) == STINT_OK;
}

static stint_server_stats server_stats(stint_server *s)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(s, &stats);
    return stats;
}

static uint64_t outcomes(const stint_method_stats *m)
{
    return m->ok + m->failed + m->expired_arrival + m->insufficient_arrival + m->expired_queue +
           m->insufficient_queue + m->refused_full + m->displaced + m->refused_draining +
           m->refused_other + m->cancelled_queue + m->cancelled_handler;
}

/* A request that is just arriving has been counted, but is not in flight yet. */
static bool is_at_rest(stint_server *s)
{
    bool rests = server_stats(s).inflight == 0;
    stint_method_stats m;
    for (size_t i = 0; method_stats(s, i, &m); i++)
        rests = rests && m.running == 0 && m.waiting == 0 && m.requests == outcomes(&m);
    return rests;
}

static void check_method(const stint_method_stats *m)
{
    assert_int_equal(m->requests, outcomes(m));
    assert_int_equal(m->executed, m->ok + m->failed + m->cancelled_handler);
    assert_int_equal(m->executed, m->queue.count);
    assert_true(m->late <= m->failed);
    assert_true(m->probes <= m->admitted);
    assert_true(m->executed <= m->admitted);
}

static void add(stint_server_stats *sum, const stint_method_stats *m)
{
    sum->requests += m->requests;
    sum->executed += m->executed;
    sum->ok += m->ok;
    sum->failed += m->failed;
    sum->expired_arrival += m->expired_arrival;
    sum->insufficient_arrival += m->insufficient_arrival;
    sum->expired_queue += m->expired_queue;
    sum->insufficient_queue += m->insufficient_queue;
    sum->refused_full += m->refused_full + m->displaced;
    sum->refused_draining += m->refused_draining;
    sum->refused_other += m->refused_other;
    sum->cancelled += m->cancelled_queue + m->cancelled_handler;
    sum->late += m->late;
    sum->probes += m->probes;
}

/* Nobody calls a method here that is not known. */
static void compare(const stint_server_stats *s, const stint_server_stats *sum)
{
    assert_int_equal(s->refused_method, 0);
    assert_int_equal(s->requests, sum->requests);
    assert_int_equal(s->executed, sum->executed);
    assert_int_equal(s->ok, sum->ok);
    assert_int_equal(s->failed, sum->failed);
    assert_int_equal(s->expired_arrival, sum->expired_arrival);
    assert_int_equal(s->insufficient_arrival, sum->insufficient_arrival);
    assert_int_equal(s->expired_queue, sum->expired_queue);
    assert_int_equal(s->insufficient_queue, sum->insufficient_queue);
    assert_int_equal(s->refused_full, sum->refused_full);
    assert_int_equal(s->refused_draining, sum->refused_draining);
    assert_int_equal(s->refused_other, sum->refused_other);
    assert_int_equal(s->cancelled, sum->cancelled);
    assert_int_equal(s->late, sum->late);
    assert_int_equal(s->probes, sum->probes);
}

void books_wait(stint_server *s)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (!is_at_rest(s)) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("calls are still in flight, or a request has not one outcome");
        pause_between_looks();
    }
}

stint_server_stats books_check(stint_server *s)
{
    books_wait(s);
    stint_server_stats all = server_stats(s), sum = {0};
    stint_method_stats m;
    for (size_t i = 0; method_stats(s, i, &m); i++) {
        check_method(&m);
        add(&sum, &m);
    }
    compare(&all, &sum);
    return all;
}
