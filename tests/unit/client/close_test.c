/* close_test.c - closing a channel while its calls end in every other way at the same moment: by
 * their deadlines, by cancellation, by replies, in threads that are still on their way out. What
 * goes wrong here is mostly seen by AddressSanitizer and ThreadSanitizer. */
#include <pthread.h>
#include <string.h>

#include "patience.h"
#include "probe.h"
#include "unit.h"

#define ROUNDS   40
#define WAITERS  6
#define ASYNC    32
#define DEADLINE STINT_MS(8)

static const char *url = "tcp://127.0.0.1:0"; /* over mem:// the timers also move the bytes */

static const Probe__V1__Request empty = PROBE__V1__REQUEST__INIT;

/* A call that blocks its thread until it ends, somehow. */
struct waiter {
    stint_channel *ch;
    const stint_ctx *ctx;
    stint_code code;
    pthread_t thread;
};

static void *wait_for_call(void *arg)
{
    struct waiter *w = arg;
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    Probe__V1__Reply *rep;
    w->code = probe_v1_probe_work(w->ctx, w->ch, &req, &rep, NULL);
    probe_free(rep);
    return NULL;
}

static void check_ended(stint_code code)
{
    if (code != STINT_DEADLINE_EXCEEDED && code != STINT_CANCELLED)
        fail_msg("ended with %s", stint_code_name(code));
}

/* A channel of its own, and threads that call over it. */
struct round {
    stint_channel *ch;
    struct event begun; /* a call has begun: closing waits for it from now on */
    stint_interceptor counter;
    const stint_interceptor *interceptors[2];
    struct waiter waiters[WAITERS];
};

static stint_code count_begun(void *self, const stint_ctx *ctx, stint_interception *call,
                              stint_ctx **ret_ctx, stint_error *err)
{
    (void)ctx, (void)call, (void)ret_ctx, (void)err;
    event_raise(self);
    return STINT_OK;
}

static void round_init(struct round *r, struct probe *p)
{
    *r = (struct round){.counter = {.self = &r->begun, .begin = count_begun},
                        .interceptors = {&r->counter, NULL}};
    event_init(&r->begun);
    assert_int_equal(stint_channel_open(&r->ch, stint_server_url(p->server, 0),
                                        STINT_CHANNEL_OPTIONS(.interceptors = r->interceptors),
                                        NULL),
                     STINT_OK);
}

static void start_waiters(struct round *r, const stint_ctx *ctx)
{
    for (unsigned i = 0; i < WAITERS; i++) {
        struct waiter *w = &r->waiters[i];
        *w = (struct waiter){.ch = r->ch, .ctx = ctx};
        assert_int_equal(pthread_create(&w->thread, NULL, wait_for_call, w), 0);
    }
}

static void join_waiters(struct round *r)
{
    for (unsigned i = 0; i < WAITERS; i++) {
        pthread_join(r->waiters[i].thread, NULL);
        check_ended(r->waiters[i].code);
    }
}

/* With its channel closed. */
static void round_fini(struct round *r)
{
    event_fini(&r->begun);
}

static void *cancel_it(void *ctx)
{
    stint_ctx_cancel(ctx, STINT_CANCELLED, "storm");
    return NULL;
}

/* Two kinds of calls, a deadline for some, a cancellation for others, and the closing, at once. */
static void close_in_the_middle(struct probe *p, unsigned round)
{
    struct round r;
    struct outcome outcomes[ASYNC];
    bool begun[ASYNC];
    pthread_t canceller;
    round_init(&r, p);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    unsigned entered = event_count(&p->entered); /* no handler of a round before is late */
    start_waiters(&r, ctx);
    event_wait(&p->entered, entered + WAITERS);
    stint_time deadline = stint_time_add(stint_now(), DEADLINE);
    stint_ctx *brief = stint_ctx_with_deadline(ctx, deadline);
    for (unsigned i = 0; i < ASYNC; i++) {
        outcome_init(&outcomes[i]);
        stint_code code =
            probe_v1_probe_quick_async(brief, r.ch, &empty, probe_done, &outcomes[i], NULL);
        begun[i] = code == STINT_OK;
        if (!begun[i]) /* a slow machine: the deadline came first */
            assert_int_equal(code, STINT_DEADLINE_EXCEEDED);
    }
    if (round % 2 == 0) /* close about when the deadlines fire, not before */
        assert_int_equal(stint_ctx_sleep(stint_ctx_background(),
                                         stint_time_sub(deadline, stint_now()) - STINT_US(20)),
                         STINT_OK);
    assert_int_equal(pthread_create(&canceller, NULL, cancel_it, ctx), 0);
    stint_channel_close(r.ch);
    for (unsigned i = 0; i < ASYNC; i++) {
        assert_int_equal(event_count(&outcomes[i].event), begun[i] ? 1 : 0);
        outcome_fini(&outcomes[i]);
    }
    pthread_join(canceller, NULL);
    join_waiters(&r);
    stint_ctx_drop(brief);
    stint_ctx_drop(ctx);
    round_fini(&r);
}

static void a_channel_closes_amid_its_calls(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.sopts.workers = 2 * WAITERS;
    probe_start(&p, url);
    for (unsigned round = 0; round < ROUNDS; round++)
        close_in_the_middle(&p, round);
    probe_stop(&p);
}

static void a_channel_closes_while_deadlines_fire(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.sopts.workers = 2 * WAITERS;
    probe_start(&p, url);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct round r;
        round_init(&r, &p);
        assert_int_equal(stint_channel_wait_ready(stint_ctx_background(), r.ch, NULL), STINT_OK);
        /* Late enough for the handlers to be entered, also on a slow machine. They are not counted:
         * one of the round before may be late, and be taken for one of this. */
        stint_time deadline = stint_time_add(stint_now(), STINT_MS(30));
        stint_ctx *brief = stint_ctx_with_deadline(stint_ctx_background(), deadline);
        start_waiters(&r, brief);
        bool all_begun = event_wait_ms(&r.begun, WAITERS, 30);
        stint_duration left = stint_time_sub(deadline, stint_now());
        if (all_begun)
            assert_int_equal(stint_ctx_sleep(stint_ctx_background(), left), STINT_OK);
        else /* a thread may be late, and must not find the channel gone */
            join_waiters(&r);
        stint_channel_close(r.ch);
        if (all_begun)
            join_waiters(&r);
        stint_ctx_drop(brief);
        round_fini(&r);
    }
    probe_stop(&p);
}

/* ---- what a `done` may do while its channel is being closed ---- */

struct looker {
    stint_channel *ch;
    struct event inside, go_on, event;
    stint_channel_stats stats;
};

static void look_at_stats(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct looker *l = arg;
    (void)code, (void)err;
    probe_free(rep);
    event_raise(&l->inside);
    event_wait_ms(&l->go_on, 1, patience_ms());
    stint_channel_stats_get(l->ch, &l->stats);
    event_raise(&l->event);
}

static void *close_it(void *ch)
{
    stint_channel_close(ch);
    return NULL;
}

static bool is_connected(struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats.connections > 0;
}

static void a_done_still_reads_the_stats_of_a_channel_being_closed(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    probe_start(&p, url);
    struct looker l = {.ch = p.ch, .stats.size = sizeof l.stats};
    event_init(&l.inside);
    event_init(&l.go_on);
    event_init(&l.event);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    assert_int_equal(probe_v1_probe_work_async(ctx, p.ch, &req, look_at_stats, &l, NULL), STINT_OK);
    event_wait(&p.entered, 1);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL); /* `done` runs in the timer's thread */
    event_wait(&l.inside, 1);
    pthread_t closer;
    assert_int_equal(pthread_create(&closer, NULL, close_it, p.ch), 0);
    while (is_connected(&p))
        pause_between_looks();
    event_raise(&l.go_on);
    pthread_join(closer, NULL);
    p.ch = NULL;
    event_wait(&l.event, 1);
    assert_int_equal(l.stats.calls, 1);
    assert_int_equal(l.stats.cancelled, 1);
    stint_ctx_drop(ctx);
    event_fini(&l.inside);
    event_fini(&l.go_on);
    event_fini(&l.event);
    probe_stop(&p);
}

/* ---- a call that is cancelled while it is on its way out of the list of those that wait ---- */

struct domino {
    struct outcome outcome;
    stint_ctx *next; /* cancelled by this one's done */
};

static void knock_over(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct domino *d = arg;
    stint_ctx_cancel(d->next, STINT_CANCELLED, "the one before me fell");
    probe_done(&d->outcome, code, rep, err);
}

static void waiting_calls_that_cancel_each_other_end_once(void **state)
{
    (void)state;
    enum { DOMINOES = 8 };
    struct probe p;
    struct domino dominoes[DOMINOES];
    stint_ctx *ctxs[DOMINOES];
    probe_init(&p);
    p.copts.wait_for_ready = true;
    probe_start(&p, url);
    stint_server_free(p.server);
    p.server = NULL;
    /* The channel learns of it, so that calls wait. */
    for (;;) {
        stint_channel_stats stats = {.size = sizeof stats};
        stint_channel_stats_get(p.ch, &stats);
        if (stats.connects == stats.disconnects)
            break;
        pause_between_looks();
    }
    for (unsigned i = 0; i < DOMINOES; i++)
        ctxs[i] = stint_ctx_with_cancel(stint_ctx_background());
    for (unsigned i = 0; i < DOMINOES; i++) {
        dominoes[i].next = i + 1 < DOMINOES ? ctxs[i + 1] : NULL;
        outcome_init(&dominoes[i].outcome);
        assert_int_equal(
            probe_v1_probe_quick_async(ctxs[i], p.ch, &empty, knock_over, &dominoes[i], NULL),
            STINT_OK);
    }
    stint_channel_close(p.ch);
    p.ch = NULL;
    for (unsigned i = 0; i < DOMINOES; i++) {
        assert_int_equal(event_count(&dominoes[i].outcome.event), 1);
        assert_int_equal(dominoes[i].outcome.err.code, STINT_CANCELLED);
        outcome_fini(&dominoes[i].outcome);
        stint_ctx_drop(ctxs[i]);
    }
    probe_stop(&p);
}

static void a_closed_channel_says_so(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    probe_init(&p);
    p.copts.wait_for_ready = true;
    probe_start(&p, url);
    stint_channel *ch;
    assert_int_equal(stint_channel_open(&ch, "ipc:///nonexistent/nobody", &p.copts, NULL),
                     STINT_OK);
    outcome_init(&o);
    assert_int_equal(
        probe_v1_probe_quick_async(stint_ctx_background(), ch, &empty, probe_done, &o, NULL),
        STINT_OK);
    stint_channel_close(ch);
    assert_int_equal(event_count(&o.event), 1);
    assert_int_equal(o.err.code, STINT_CANCELLED);
    assert_int_equal(o.err.reason, STINT_REASON_CHANNEL_CLOSED);
    assert_true(o.err.not_executed);
    outcome_fini(&o);
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_closes_amid_its_calls),
        cmocka_unit_test(a_channel_closes_while_deadlines_fire),
        cmocka_unit_test(a_done_still_reads_the_stats_of_a_channel_being_closed),
        cmocka_unit_test(waiting_calls_that_cancel_each_other_end_once),
        cmocka_unit_test(a_closed_channel_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
