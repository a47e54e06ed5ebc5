/* stop_test.c - ending a server against its clients and its handlers: connections that leave while
 * they are being ended, and tickets that are older than their deadlines. */
#include <pthread.h>
#include <string.h>

#include "patience.h"
#include "probe.h"
#include "unit.h"

#define URL "tcp://127.0.0.1:0"

/* ---- a connection leaves while the server walks over all of them ---- */

/* A server's interceptor that, at the end of the first call, closes that call's channel. */
struct leaver {
    struct probe *p;
    atomic_bool once;
    stint_channel *ch;
    bool left;
};

static uint64_t connections(struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats.connections;
}

static void *close_it(void *ch)
{
    stint_channel_close(ch);
    return NULL;
}

static void leave(void *self, const stint_ctx *ctx, stint_interception *call,
                  const stint_error *outcome)
{
    struct leaver *l = self;
    (void)ctx, (void)call, (void)outcome;
    if (atomic_exchange(&l->once, true))
        return;
    uint64_t before = connections(l->p);
    pthread_t thread;
    if (pthread_create(&thread, NULL, close_it, l->ch) != 0)
        return;
    pthread_join(thread, NULL);
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (connections(l->p) == before && deadline_left_ms(&deadline) > 0)
        pause_between_looks();
    l->left = connections(l->p) < before;
}

static void a_stop_reaches_everybody_although_one_leaves(void **state)
{
    (void)state;
    struct probe p;
    struct leaver leaver = {.p = &p};
    const stint_interceptor with = {.self = &leaver, .end = leave};
    const stint_interceptor *const all[] = {&with, NULL};
    struct outcome first, second;
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    probe_init(&p);
    p.sopts.interceptors = all;
    probe_start(&p, URL);
    outcome_init(&first);
    outcome_init(&second);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), p.ch, &req, probe_done, &first, NULL),
        STINT_OK);
    event_wait(&p.entered, 1);
    leaver.ch = p.ch; /* the first in the server's list */
    assert_int_equal(stint_channel_open(&p.ch, stint_server_url(p.server, 0), NULL, NULL),
                     STINT_OK);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), p.ch, &req, probe_done, &second, NULL),
        STINT_OK);
    event_wait(&p.entered, 2);
    stint_time before = stint_now();
    stint_server_stop(p.server);
    /* A handler that nobody tells holds for 60 s. */
    assert_true(stint_time_sub(stint_now(), before) < STINT_SECONDS(50));
    assert_true(leaver.left);
    event_wait(&second.event, 1);
    assert_int_equal(second.err.code, STINT_UNAVAILABLE);
    outcome_fini(&first);
    outcome_fini(&second);
    probe_stop(&p);
}

/* ---- tickets ---- */

#define LATE_CALLS 150

struct late {
    stint_ticket *tickets[LATE_CALLS]; /* in order; each is written before `there` is raised */
    struct event there;
};

/* Defers where the request was read, when there is no time left: the timer answers at once. Of one
 * connection, and so one after the other. */
static stint_code defer_late(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                             Probe__V1__Reply *rep, stint_call *call)
{
    struct late *l = self;
    (void)req, (void)rep;
    if (stint_ctx_sleep(ctx, STINT_SECONDS(60)) != STINT_DEADLINE_EXCEEDED)
        return STINT_INTERNAL;
    stint_code code = stint_call_defer(call, &l->tickets[event_count(&l->there)], NULL);
    if (code != STINT_OK)
        return code;
    event_raise(&l->there);
    return STINT_DEFERRED;
}

/* Finishes the tickets that have come since the first `finished`; returns how many have by now. */
static unsigned finish_tickets(struct late *l, unsigned finished)
{
    unsigned there = event_count(&l->there);
    for (; finished < there; finished++)
        probe_v1_probe_quick_finish(l->tickets[finished], STINT_INTERNAL, NULL, "too late");
    return finished;
}

/* Calls again and again, and finishes each ticket about when the timer answers for it. Returns how
 * many were finished. */
static unsigned call_late(struct late *l, stint_channel *ch)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    stint_duration timeout = STINT_MS(2);
    unsigned finished = 0;
    for (unsigned i = 0; i < LATE_CALLS; i++) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), timeout);
        Probe__V1__Reply *rep;
        assert_int_equal(probe_v1_probe_quick(ctx, ch, &req, &rep, NULL), STINT_DEADLINE_EXCEEDED);
        stint_ctx_drop(ctx);
        /* On a slow machine it can have been shed before its handler, which the next shall reach,
         * or its ticket is still to come. */
        if (!event_wait_ms(&l->there, finished + 1, 50) && timeout < STINT_SECONDS(1))
            timeout *= 2;
        finished = finish_tickets(l, finished);
    }
    return finished;
}

/* Until nothing is left of the calls, nor of their connection. */
static void wait_empty(stint_server *s)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    stint_server_stats stats = {.size = sizeof stats};
    while (stint_server_stats_get(s, &stats), stats.connections > 0 || stats.inflight > 0) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%u connections, %u calls in flight", (unsigned)stats.connections,
                     (unsigned)stats.inflight);
        pause_between_looks();
    }
}

static void a_ticket_may_be_taken_too_late(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.quick = defer_late};
    struct late l = {0};
    stint_server *s;
    stint_channel *ch;
    event_init(&l.there);
    assert_int_equal(stint_server_new(&s, STINT_SERVER_OPTIONS(.reply_reserve = -1), NULL),
                     STINT_OK);
    assert_int_equal(probe_v1_probe_register(s, &ops, &l, NULL), STINT_OK);
    assert_int_equal(stint_server_listen(s, URL, NULL), STINT_OK);
    assert_int_equal(stint_server_start(s, NULL), STINT_OK);
    assert_int_equal(stint_channel_open(&ch, stint_server_url(s, 0), NULL, NULL), STINT_OK);
    assert_int_equal(stint_channel_wait_ready(stint_ctx_background(), ch, NULL), STINT_OK);
    unsigned finished = call_late(&l, ch);
    stint_channel_close(ch);
    wait_empty(s);
    stint_server_stop(s); /* no handler runs any more: these are the last tickets */
    assert_true(finish_tickets(&l, finished) > 0);
    stint_server_free(s);
    event_fini(&l.there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_reaches_everybody_although_one_leaves),
        cmocka_unit_test(a_ticket_may_be_taken_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
