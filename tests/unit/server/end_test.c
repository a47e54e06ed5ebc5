/* end_test.c - a server is ended by several threads at once, and by threads that its end has to
 * wait for: its handlers', those of `done` functions, and the timers'. */
#include <pthread.h>
#include <string.h>

#include "patience.h"
#include "probe.h"
#include "server_internal.h"
#include "unit.h"

static const char *url = "mem://end";

static const Probe__V1__Request *holding(void)
{
    static Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    return &req;
}

static void begin(struct probe *p, const Probe__V1__Request *req, struct outcome *o)
{
    outcome_init(o);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), p->ch, req, probe_done, o, NULL),
        STINT_OK);
}

/* ---- by threads that it waits for ---- */

enum act { DRAIN, STOP, FREE };

/* In a worker, where a request was read, in a `done` function, in an interceptor's `end` at the
 * deadline of a deferred call. */
enum where { IN_HANDLER, IN_SHORT_HANDLER, IN_DONE, AT_DEADLINE, PLACES };

/* Who ends the server of `p`. */
struct ender {
    struct probe p;
    stint_interceptor with;
    const stint_interceptor *stack[2];
    struct event acted;
    enum act act;
    stint_error err;  /* of draining */
    unsigned tickets; /* that are to come, and are finished in the end */
};

static void act(struct ender *e)
{
    if (e->act == DRAIN)
        (void)!stint_server_drain(e->p.server, stint_ctx_background(), &e->err);
    else if (e->act == STOP)
        stint_server_stop(e->p.server);
    else
        stint_server_free(e->p.server);
    event_raise(&e->acted);
}

static stint_code act_in_handler(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                                 Probe__V1__Reply *rep, stint_call *call)
{
    (void)ctx, (void)req, (void)rep, (void)call;
    act(self);
    return STINT_OK;
}

static stint_code hold(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    struct ender *e = self;
    (void)req, (void)rep, (void)call;
    event_raise(&e->p.entered);
    return stint_ctx_sleep(ctx, STINT_SECONDS(60));
}

static void act_in_done(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    (void)code, (void)err;
    probe_free(rep);
    act(arg);
}

static bool is_deferred(const stint_interception *call)
{
    return strstr(call->method, "/Later") != NULL;
}

/* Its deadline comes at once, but not before it is deferred. */
static stint_code hurry(void *self, const stint_ctx *ctx, stint_interception *call,
                        stint_ctx **ret_ctx, stint_error *err)
{
    (void)self, (void)err;
    if (is_deferred(call))
        *ret_ctx = stint_ctx_with_timeout(ctx, 1);
    return STINT_OK;
}

static stint_code defer(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct ender *e = self;
    (void)ctx, (void)req, (void)rep;
    stint_code code = stint_call_defer(call, &e->p.ticket, NULL);
    if (code != STINT_OK)
        return code;
    event_raise(&e->p.ticket_there); /* maybe long after the deadline has answered */
    return STINT_DEFERRED;
}

static void act_at_deadline(void *self, const stint_ctx *ctx, stint_interception *call,
                            const stint_error *outcome)
{
    (void)ctx;
    if (is_deferred(call) && outcome->code == STINT_DEADLINE_EXCEEDED)
        act(self);
}

static void start(struct ender *e, enum act what)
{
    static const probe_v1_probe_ops ops = {
        .work = hold, .careful = act_in_handler, .quick = act_in_handler, .later = defer};
    *e = (struct ender){.act = what, .with = {.begin = hurry, .end = act_at_deadline}};
    e->with.self = e;
    e->stack[0] = &e->with;
    event_init(&e->acted);
    probe_init(&e->p);
    e->p.ops = &ops;
    e->p.self = e;
    e->p.sopts.interceptors = e->stack;
    probe_start(&e->p, url);
}

/* Starts a server and one call that only the server's end ends; then acts. */
static void act_somewhere(struct ender *e, enum act what, enum where where, struct outcome *held)
{
    typedef stint_code begin_stub(const stint_ctx *, stint_channel *, const Probe__V1__Request *,
                                  probe_v1_probe_work_done *, void *, stint_error *);
    static begin_stub *const stubs[PLACES] = {
        [IN_HANDLER] = probe_v1_probe_careful_async,
        [IN_SHORT_HANDLER] = probe_v1_probe_quick_async,
        [IN_DONE] = probe_v1_probe_missing_async,
        [AT_DEADLINE] = probe_v1_probe_later_async,
    };
    struct outcome o;
    start(e, what);
    e->tickets = where == AT_DEADLINE ? 1 : 0;
    begin(&e->p, holding(), held);
    event_wait(&e->p.entered, 1);
    outcome_init(&o);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    bool in_done = where == IN_DONE;
    assert_int_equal(stubs[where](stint_ctx_background(), e->p.ch, &req,
                                  in_done ? act_in_done : probe_done, in_done ? (void *)e : &o,
                                  NULL),
                     STINT_OK);
    event_wait(&e->acted, 1);
    if (!in_done)
        event_wait(&o.event, 1);
    outcome_fini(&o);
}

static void fini(struct ender *e, struct outcome *held)
{
    event_wait(&held->event, 1);
    assert_int_equal(held->err.code, STINT_UNAVAILABLE);
    outcome_fini(held);
    event_wait(&e->p.ticket_there, e->tickets);
    if (e->tickets > 0)
        stint_ticket_finish(e->p.ticket, STINT_OK, NULL, NULL);
    probe_stop(&e->p);
    event_fini(&e->acted);
}

static void draining_in_its_own_threads_is_refused(void **state)
{
    (void)state;
    for (int where = 0; where < PLACES; where++) {
        struct ender e;
        struct outcome held;
        act_somewhere(&e, DRAIN, (enum where)where, &held);
        assert_int_equal(e.err.code, STINT_FAILED_PRECONDITION);
        assert_int_equal(e.err.reason, STINT_REASON_WOULD_DEADLOCK);
        stint_server_stop(e.p.server);
        fini(&e, &held);
    }
}

static void stopping_in_its_own_threads_ends_what_runs(void **state)
{
    (void)state;
    for (int where = 0; where < PLACES; where++) {
        struct ender e;
        struct outcome held;
        act_somewhere(&e, STOP, (enum where)where, &held);
        event_wait(&held.event, 1);
        stint_server_stats stats = {.size = sizeof stats};
        stint_server_stats_get(e.p.server, &stats);
        fini(&e, &held);
    }
}

static void freeing_in_its_own_threads_frees_it(void **state)
{
    (void)state;
    for (int where = 0; where < PLACES; where++) {
        struct ender e;
        struct outcome held;
        act_somewhere(&e, FREE, (enum where)where, &held);
        e.p.server = NULL; /* probe_stop sees that its threads end */
        fini(&e, &held);
    }
}

/* ---- by several at once ---- */

struct stopper {
    struct probe *p;
    struct event *stopped;
};

static void *stop(void *arg)
{
    struct stopper *s = arg;
    stint_server_stop(s->p->server);
    event_raise(s->stopped);
    return NULL;
}

static void every_stop_returns_when_it_is_over(void **state)
{
    (void)state;
    enum { STOPPERS = 4 };
    pthread_t threads[STOPPERS];
    struct event stopped;
    struct probe p;
    struct outcome o;
    Probe__V1__Request stubborn = PROBE__V1__REQUEST__INIT;
    stubborn.gated = true; /* its handler does not look at its context */
    event_init(&stopped);
    probe_init(&p);
    probe_start(&p, url);
    begin(&p, &stubborn, &o);
    event_wait(&p.entered, 1);
    struct stopper s = {&p, &stopped};
    for (int i = 0; i < STOPPERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stop, &s), 0);
    event_wait(&o.event, 1);
    assert_false(event_wait_ms(&stopped, 1, 50));
    event_raise(&p.gate);
    event_wait(&stopped, STOPPERS);
    for (int i = 0; i < STOPPERS; i++)
        pthread_join(threads[i], NULL);
    outcome_fini(&o);
    probe_stop(&p);
    event_fini(&stopped);
}

struct drainer {
    struct probe *p;
    struct event *drained;
    stint_code code;
};

static void *drain(void *arg)
{
    struct drainer *d = arg;
    d->code = stint_server_drain(d->p->server, stint_ctx_background(), NULL);
    event_raise(d->drained);
    return NULL;
}

static void a_stop_ends_draining(void **state)
{
    (void)state;
    pthread_t thread;
    struct event drained;
    struct probe p;
    struct outcome o;
    event_init(&drained);
    probe_init(&p);
    probe_start(&p, url);
    begin(&p, holding(), &o);
    event_wait(&p.entered, 1);
    struct drainer d = {&p, &drained, STINT_OK};
    assert_int_equal(pthread_create(&thread, NULL, drain, &d), 0);
    while (atomic_load(&p.server->state) != STINT__SERVER_DRAINING)
        pause_between_looks();
    stint_server_stop(p.server);
    event_wait(&drained, 1);
    pthread_join(thread, NULL);
    assert_int_equal(d.code, STINT_CANCELLED);
    event_wait(&o.event, 1);
    outcome_fini(&o);
    probe_stop(&p);
    event_fini(&drained);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_in_its_own_threads_is_refused),
        cmocka_unit_test(stopping_in_its_own_threads_ends_what_runs),
        cmocka_unit_test(freeing_in_its_own_threads_frees_it),
        cmocka_unit_test(every_stop_returns_when_it_is_over),
        cmocka_unit_test(a_stop_ends_draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
