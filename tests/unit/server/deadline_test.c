/* deadline_test.c - where a deadline takes effect: before sending, on the way, in the queue, in the
 * handler, in a deferred call; and that nothing runs for a call that is over.
 *
 * In virtual time, which passes when everybody waits: a slow machine changes nothing. */
#include <string.h>

#include "patience.h"
#include "probe.h"
#include "sim_clock.h"
#include "unit.h"

#define URL "mem://deadline"

static void start(struct probe *p, uint32_t workers)
{
    probe_init(p);
    p->sopts.workers = workers;
    probe_start(p, URL);
}

static stint_server_stats stats_of(struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats;
}

static void nothing_left_sends_nothing(void **state)
{
    (void)state;
    struct probe p;
    start(&p, 1);
    stint_duration spent[] = {0, -STINT_MS(5), STINT_NS(1)};
    for (size_t i = 0; i < sizeof spent / sizeof spent[0]; i++) {
        stint_error err;
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), spent[i]);
        probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_DEADLINE_EXCEEDED, &err);
        assert_int_equal(err.reason, STINT_REASON_EXPIRED_BEFORE_SEND);
        assert_int_equal(err.origin, STINT_ORIGIN_LOCAL);
        assert_true(err.not_executed);
        stint_ctx_drop(ctx);
    }
    assert_int_equal(stats_of(&p).requests, 0);
    probe_stop(&p);
}

static void a_handler_has_no_more_time_than_its_caller(void **state)
{
    (void)state;
    struct probe p;
    start(&p, 1);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20));
    Probe__V1__Reply *rep = probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_OK, NULL);
    assert_true(rep->remaining_ns > 0);
    assert_true(rep->remaining_ns <= STINT_SECONDS(20) - STINT_MS(1)); /* less the reserve */
    probe_free(rep);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void no_budget_is_clamped_to_the_servers_maximum(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.sopts.max_timeout = STINT_SECONDS(7);
    probe_start(&p, URL);
    Probe__V1__Reply *rep =
        probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL);
    assert_true(rep->remaining_ns <= STINT_SECONDS(7));
    probe_free(rep);
    assert_int_equal(stats_of(&p).clamped, 0);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(1000));
    rep = probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_OK, NULL);
    assert_true(rep->remaining_ns <= STINT_SECONDS(7));
    assert_int_equal(stats_of(&p).clamped, 1);
    probe_free(rep);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void the_handlers_context_ends_with_the_deadline(void **state)
{
    (void)state;
    struct probe p;
    start(&p, 1);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(30));
    stint_error err;
    probe_call(&p, probe_v1_probe_work, ctx, &req, STINT_DEADLINE_EXCEEDED, &err);
    stint_ctx_drop(ctx);
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_DEADLINE_EXCEEDED);
    probe_stop(&p);
}

static void methods_and_channels_have_timeouts_of_their_own(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.copts.default_timeout = STINT_MS(20);
    probe_start(&p, URL);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    probe_call(&p, probe_v1_probe_hasty, stint_ctx_background(), &req, STINT_DEADLINE_EXCEEDED,
               NULL);
    probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &req, STINT_DEADLINE_EXCEEDED,
               NULL);
    event_wait(&p.left, 2);
    /* The default is for contexts without a deadline only; the method's holds for all. */
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(100));
    Probe__V1__Reply *rep = probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_OK, NULL);
    assert_true(rep->remaining_ns > STINT_SECONDS(10));
    probe_free(rep);
    rep = probe_call(&p, probe_v1_probe_hasty, ctx, NULL, STINT_OK, NULL);
    assert_true(rep->remaining_ns < STINT_MS(30));
    probe_free(rep);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void what_expires_in_the_queue_never_runs(void **state)
{
    (void)state;
    struct probe p;
    struct outcome first;
    start(&p, 1);
    outcome_init(&first);
    Probe__V1__Request gated = PROBE__V1__REQUEST__INIT;
    gated.gated = true;
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), p.ch, &gated, probe_done, &first, NULL),
        STINT_OK);
    event_wait(&p.entered, 1); /* the only worker is taken */
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(20));
    probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_DEADLINE_EXCEEDED, NULL);
    stint_ctx_drop(ctx);
    event_raise(&p.gate);
    event_wait(&first.event, 1);
    /* One more call goes through the queue behind the expired one. */
    probe_free(probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL));
    assert_int_equal(atomic_load(&p.executed), 2);
    assert_int_equal(stats_of(&p).expired_queue, 1);
    outcome_fini(&first);
    probe_stop(&p);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    enum { N = 6 };
    struct outcome o[N];
    struct probe p;
    probe_init(&p);
    p.sopts.workers = 1;
    p.sopts.max_queue = 2;
    probe_start(&p, URL);
    Probe__V1__Request gated = PROBE__V1__REQUEST__INIT;
    gated.gated = true;
    for (int i = 0; i < N; i++) {
        outcome_init(&o[i]);
        assert_int_equal(probe_v1_probe_work_async(stint_ctx_background(), p.ch, &gated, probe_done,
                                                   &o[i], NULL),
                         STINT_OK);
        if (i == 0)
            event_wait(&p.entered, 1);
    }
    for (int i = 3; i < N; i++) {
        event_wait(&o[i].event, 1);
        assert_int_equal(o[i].err.code, STINT_RESOURCE_EXHAUSTED);
        assert_int_equal(o[i].err.reason, STINT_REASON_QUEUE_FULL);
        assert_true(o[i].err.not_executed);
    }
    event_raise(&p.gate);
    for (int i = 0; i < 3; i++) {
        event_wait(&o[i].event, 1);
        assert_int_equal(o[i].err.code, STINT_OK);
    }
    assert_int_equal(stats_of(&p).refused_full, N - 3);
    for (int i = 0; i < N; i++)
        outcome_fini(&o[i]);
    probe_stop(&p);
}

static void a_deferred_call_is_finished_from_anywhere(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    start(&p, 1);
    outcome_init(&o);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    assert_int_equal(
        probe_v1_probe_later_async(stint_ctx_background(), p.ch, &req, probe_done, &o, NULL),
        STINT_OK);
    event_wait(&p.ticket_there, 1);
    assert_int_equal(stint_ctx_err(stint_ticket_ctx(p.ticket)), STINT_OK);
    Probe__V1__Reply rep = PROBE__V1__REPLY__INIT;
    char text[] = "late but good";
    rep.request_id = text;
    probe_v1_probe_later_finish(p.ticket, STINT_OK, &rep, NULL);
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_OK);
    assert_string_equal(o.reply->request_id, "late but good");
    outcome_fini(&o);
    probe_stop(&p);
}

static void the_deadline_answers_for_a_ticket(void **state)
{
    (void)state;
    struct probe p;
    start(&p, 1);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(30));
    stint_error err;
    probe_call(&p, probe_v1_probe_later, ctx, &req, STINT_DEADLINE_EXCEEDED, &err);
    /* In time: the reserve is for this answer too. */
    assert_int_equal(err.origin, STINT_ORIGIN_PEER);
    assert_int_equal(err.reason, STINT_REASON_EXPIRED_IN_HANDLER);
    assert_false(err.not_executed);
    stint_ctx_drop(ctx);
    event_wait(&p.ticket_there, 1);
    while (stats_of(&p).inflight > 0)
        pause_between_looks();
    assert_int_not_equal(stint_ctx_err(stint_ticket_ctx(p.ticket)), STINT_OK);
    Probe__V1__Reply rep = PROBE__V1__REPLY__INIT;
    probe_v1_probe_later_finish(p.ticket, STINT_OK, &rep, NULL); /* frees, sends nothing */
    assert_int_equal(stats_of(&p).ok, 0);
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(nothing_left_sends_nothing),
        SIM_CLOCK_TEST(a_handler_has_no_more_time_than_its_caller),
        SIM_CLOCK_TEST(no_budget_is_clamped_to_the_servers_maximum),
        SIM_CLOCK_TEST(the_handlers_context_ends_with_the_deadline),
        SIM_CLOCK_TEST(methods_and_channels_have_timeouts_of_their_own),
        SIM_CLOCK_TEST(what_expires_in_the_queue_never_runs),
        SIM_CLOCK_TEST(a_full_queue_refuses),
        SIM_CLOCK_TEST(a_deferred_call_is_finished_from_anywhere),
        SIM_CLOCK_TEST(the_deadline_answers_for_a_ticket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
