/* cancel_test.c - a caller that no longer waits ends the work: by cancelling, by losing its
 * connection, through several hops, and whatever locks it holds. */
#include <pthread.h>
#include <string.h>

#include "net.h"
#include "patience.h"
#include "probe.h"
#include "sim_clock.h"
#include "unit.h"

#define URL "mem://cancel"

/* A request whose handler waits for the end of its context. */
static const Probe__V1__Request *holding(void)
{
    static Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    return &req;
}

static void start(struct probe *p)
{
    probe_init(p);
    probe_start(p, URL);
}

static void begin(struct probe *p, const stint_ctx *ctx, struct outcome *o)
{
    outcome_init(o);
    assert_int_equal(probe_v1_probe_work_async(ctx, p->ch, holding(), probe_done, o, NULL),
                     STINT_OK);
}

static void cancelling_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    start(&p);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    begin(&p, ctx, &o);
    event_wait(&p.entered, 1);
    stint_ctx_cancel(ctx, STINT_CANCELLED, "changed my mind");
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_CANCELLED);
    assert_non_null(strstr(o.err.message, "changed my mind"));
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
    probe_stop(&p);
}

static void *cancel_it(void *ctx)
{
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    return NULL;
}

struct canceller {
    struct probe *p;
    stint_ctx *ctx;
};

static void *cancel_when_entered(void *arg)
{
    struct canceller *c = arg;
    event_wait_ms(&c->p->entered, 1, patience_ms());
    return cancel_it(c->ctx);
}

static void a_blocking_call_can_be_cancelled(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    struct canceller c = {&p, ctx};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_entered, &c), 0);
    probe_call(&p, probe_v1_probe_work, ctx, holding(), STINT_CANCELLED, NULL);
    pthread_join(thread, NULL);
    event_wait(&p.left, 1);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void a_lost_connection_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    start(&p);
    begin(&p, stint_ctx_background(), &o);
    event_wait(&p.entered, 1);
    stint__mem_cut("cancel");
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_UNAVAILABLE);
    assert_int_equal(o.err.reason, STINT_REASON_CONNECTION_LOST);
    assert_false(o.err.not_executed);
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    /* The channel comes back by itself, and the call was not repeated. */
    probe_free(probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), NULL, STINT_OK, NULL));
    assert_int_equal(event_count(&p.entered), 1);
    outcome_fini(&o);
    probe_stop(&p);
}

/* A handler that passes the call on: the middle of a chain. */
static stint_code forward(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                          Probe__V1__Reply *rep, stint_call *call)
{
    struct probe *next = self;
    Probe__V1__Reply *got;
    stint_error err;
    stint_code code = probe_v1_probe_work(ctx, next->ch, req, &got, &err);
    if (code != STINT_OK)
        return stint_call_fail_from(call, &err);
    rep->hop = got->hop;
    probe_free(got);
    return STINT_OK;
}

/* The same, with less time below than the caller gave. */
static stint_code forward_briefly(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                                  Probe__V1__Reply *rep, stint_call *call)
{
    stint_ctx *brief = stint_ctx_with_timeout(ctx, STINT_MS(20));
    stint_code code = forward(self, brief, req, rep, call);
    stint_ctx_drop(brief);
    return code;
}

/* The same, but knowing beforehand that it will not do. */
static stint_code forward_never(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                                Probe__V1__Reply *rep, stint_call *call)
{
    stint_ctx *least = stint_ctx_with_minimum(ctx, STINT_SECONDS(3600));
    stint_code code = forward(self, least, req, rep, call);
    stint_ctx_drop(least);
    return code;
}

struct middle {
    stint_server *server;
    stint_channel *ch;
};

static void middle_start(struct middle *m, struct probe *next)
{
    static const probe_v1_probe_ops ops = {
        .work = forward, .later = forward_briefly, .missing = forward_never};
    stint_error err;
    if (stint_server_new(&m->server, NULL, &err) != STINT_OK ||
        probe_v1_probe_register(m->server, &ops, next, &err) != STINT_OK ||
        stint_server_listen(m->server, "mem://middle", &err) != STINT_OK ||
        stint_server_start(m->server, &err) != STINT_OK ||
        stint_channel_open(&m->ch, "mem://middle", NULL, &err) != STINT_OK)
        fail_msg("middle: %s", err.message);
}

static void middle_stop(struct middle *m)
{
    stint_channel_close(m->ch);
    stint_server_free(m->server);
}

static void cancellation_cascades(void **state)
{
    (void)state;
    struct probe p;
    struct middle m;
    struct outcome o;
    start(&p);
    middle_start(&m, &p);
    outcome_init(&o);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_int_equal(probe_v1_probe_work_async(ctx, m.ch, holding(), probe_done, &o, NULL),
                     STINT_OK);
    event_wait(&p.entered, 1);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    event_wait(&o.event, 1);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
    middle_stop(&m);
    probe_stop(&p);
}

static void the_loss_of_the_caller_cascades(void **state)
{
    (void)state;
    struct probe p;
    struct middle m;
    struct outcome o;
    start(&p);
    middle_start(&m, &p);
    outcome_init(&o);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), m.ch, holding(), probe_done, &o, NULL),
        STINT_OK);
    event_wait(&p.entered, 1);
    stint__mem_cut("middle");
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    event_wait(&o.event, 1);
    outcome_fini(&o);
    middle_stop(&m);
    probe_stop(&p);
}

/* In virtual time: the brief times pass where they are meant to. */
static void a_timeout_below_is_not_our_own(void **state)
{
    (void)state;
    struct probe p;
    struct middle m;
    start(&p);
    middle_start(&m, &p);
    struct probe front = {.ch = m.ch};
    stint_error err;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    probe_call(&front, probe_v1_probe_hasty, ctx, NULL, STINT_UNIMPLEMENTED, &err);
    probe_call(&front, probe_v1_probe_later, ctx, holding(), STINT_UNAVAILABLE, &err);
    assert_int_equal(err.reason, STINT_REASON_DOWNSTREAM_TIMEOUT);
    /* The text names the hop where the time went, and not those above it. */
    assert_non_null(strstr(err.message, "deadline exceeded after "));
    assert_non_null(strstr(err.message, "probe.v1.Probe/Work"));
    assert_null(strstr(err.message, "probe.v1.Probe/Later"));
    stint_ctx_drop(ctx);
    middle_stop(&m);
    probe_stop(&p);
}

static void too_little_for_what_is_below_is_the_callers_matter(void **state)
{
    (void)state;
    struct probe p;
    struct middle m;
    start(&p);
    middle_start(&m, &p);
    struct probe front = {.ch = m.ch};
    stint_error err;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    probe_call(&front, probe_v1_probe_missing, ctx, NULL, STINT_DEADLINE_EXCEEDED, &err);
    assert_int_equal(err.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_int_equal(err.origin, STINT_ORIGIN_PEER);
    assert_false(err.not_executed); /* the middle's handler ran */
    assert_non_null(strstr(err.message, "at least 3600000.000 ms are needed"));
    assert_int_equal(atomic_load(&p.executed), 0);
    stint_ctx_drop(ctx);
    middle_stop(&m);
    probe_stop(&p);
}

struct locked {
    pthread_mutex_t mutex;
    struct event event;
};

static void done_that_locks(void *arg, stint_code code, Probe__V1__Reply *rep,
                            const stint_error *err)
{
    struct locked *l = arg;
    (void)code, (void)err;
    pthread_mutex_lock(&l->mutex);
    pthread_mutex_unlock(&l->mutex);
    probe_free(rep);
    event_raise(&l->event);
}

static void the_canceller_may_hold_locks_that_done_takes(void **state)
{
    (void)state;
    struct probe p;
    struct locked l;
    start(&p);
    pthread_mutex_init(&l.mutex, NULL);
    event_init(&l.event);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_int_equal(probe_v1_probe_work_async(ctx, p.ch, holding(), done_that_locks, &l, NULL),
                     STINT_OK);
    pthread_mutex_lock(&l.mutex);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    assert_int_equal(event_count(&l.event), 0);
    pthread_mutex_unlock(&l.mutex);
    event_wait(&l.event, 1);
    stint_ctx_drop(ctx);
    event_fini(&l.event);
    pthread_mutex_destroy(&l.mutex);
    probe_stop(&p);
}

/* Cancels at every moment of short calls: each ends exactly once. */
static void cancelling_races_with_everything(void **state)
{
    (void)state;
    enum { ROUNDS = 300 };
    struct probe p;
    start(&p);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    for (int i = 0; i < ROUNDS; i++) {
        struct outcome o;
        pthread_t thread;
        outcome_init(&o);
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(),
                                                i % 3 == 0 ? STINT_US(50 + i) : STINT_SECONDS(30));
        assert_int_equal(pthread_create(&thread, NULL, cancel_it, ctx), 0);
        stint_error err;
        stint_code code = (i % 2 ? probe_v1_probe_work_async : probe_v1_probe_quick_async)(
            ctx, p.ch, &req, probe_done, &o, &err);
        if (code == STINT_OK)
            event_wait(&o.event, 1);
        else
            assert_true(err.not_executed);
        pthread_join(thread, NULL);
        assert_int_equal(event_count(&o.event), code == STINT_OK ? 1 : 0);
        stint_ctx_drop(ctx);
        outcome_fini(&o);
    }
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(a_timeout_below_is_not_our_own),
        cmocka_unit_test(cancelling_ends_the_call_on_both_sides),
        cmocka_unit_test(a_blocking_call_can_be_cancelled),
        cmocka_unit_test(a_lost_connection_ends_the_call_on_both_sides),
        cmocka_unit_test(cancellation_cascades),
        cmocka_unit_test(the_loss_of_the_caller_cascades),
        cmocka_unit_test(too_little_for_what_is_below_is_the_callers_matter),
        cmocka_unit_test(the_canceller_may_hold_locks_that_done_takes),
        cmocka_unit_test(cancelling_races_with_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
