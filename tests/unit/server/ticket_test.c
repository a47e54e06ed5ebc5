/* ticket_test.c - deferred calls that nobody waits for any more: what they hold, and for how long.
 */
#include "clock.h"
#include "patience.h"
#include "probe.h"
#include "unit.h"

#define URL "mem://ticket"

static stint_server_stats stats_of(const struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats;
}

/* What a handler needs that defers after its caller has gone. */
struct late {
    struct probe p;
    struct event entered;
    stint_ticket *ticket;
};

/* Waits until its call has been answered, and defers it then. */
static stint_code defer_at_last(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                                Probe__V1__Reply *rep, stint_call *call)
{
    struct late *l = self;
    (void)req, (void)rep;
    event_raise(&l->entered);
    (void)!stint_ctx_sleep(ctx, STINT_SECONDS(60));
    while (stats_of(&l->p).inflight > 0)
        pause_between_looks();
    stint_code code = stint_call_defer(call, &l->ticket, NULL);
    if (code != STINT_OK)
        return code;
    event_raise(&l->p.ticket_there);
    return STINT_DEFERRED;
}

static void start(struct late *l)
{
    static const probe_v1_probe_ops ops = {.later = defer_at_last};
    event_init(&l->entered);
    probe_init(&l->p);
    l->p.ops = &ops;
    l->p.self = l;
}

/* A call that is cancelled while its handler runs, and then deferred. */
static void cancel_and_defer(struct late *l, unsigned nth)
{
    struct outcome o;
    outcome_init(&o);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(3000));
    assert_int_equal(probe_v1_probe_later_async(ctx, l->p.ch, &req, probe_done, &o, NULL),
                     STINT_OK);
    event_wait(&l->entered, nth);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    event_wait(&o.event, 1);
    event_wait(&l->p.ticket_there, nth);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
}

static void a_call_ends_with_its_ticket(void **state)
{
    (void)state;
    struct late l = {0};
    start(&l);
    probe_start(&l.p, URL);
    size_t contexts = stint_ctx_live_count();
    /* The connection's own timers are armed from the first call on. */
    probe_call(&l.p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_UNIMPLEMENTED, NULL);
    size_t timers = stint__timer_count();
    cancel_and_defer(&l, 1);
    while (stint__timer_count() > timers)
        pause_between_looks();
    assert_true(stint_ctx_live_count() > contexts);
    stint_ticket_finish(l.ticket, STINT_CANCELLED, NULL, NULL);
    while (stint_ctx_live_count() > contexts) /* the worker may still be on its way out */
        pause_between_looks();
    event_fini(&l.entered);
    probe_stop(&l.p);
}

static void tickets_count_as_calls_until_they_are_finished(void **state)
{
    (void)state;
    enum { MOST = 3 };
    struct late l = {0};
    stint_ticket *tickets[MOST];
    start(&l);
    l.p.sopts.max_inflight = MOST;
    probe_start(&l.p, URL);
    for (unsigned i = 0; i < MOST; i++) {
        cancel_and_defer(&l, i + 1);
        tickets[i] = l.ticket;
    }
    while (stats_of(&l.p).inflight > 0) /* the cancels may still be on their way */
        pause_between_looks();
    stint_error err;
    probe_call(&l.p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.reason, STINT_REASON_QUEUE_FULL);
    stint_ticket_finish(tickets[0], STINT_CANCELLED, NULL, NULL);
    Probe__V1__Reply *rep;
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    while (probe_v1_probe_work(stint_ctx_background(), l.p.ch, &req, &rep, &err) ==
           STINT_RESOURCE_EXHAUSTED)
        pause_between_looks(); /* the worker may still be on its way out */
    assert_int_equal(err.code, STINT_UNIMPLEMENTED);
    /* Nobody waits for the other two, so drain does not either. */
    assert_int_equal(stint_server_drain(l.p.server, stint_ctx_background(), NULL), STINT_OK);
    for (unsigned i = 1; i < MOST; i++)
        stint_ticket_finish(tickets[i], STINT_CANCELLED, NULL, NULL);
    event_fini(&l.entered);
    probe_stop(&l.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_ends_with_its_ticket),
        cmocka_unit_test(tickets_count_as_calls_until_they_are_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
