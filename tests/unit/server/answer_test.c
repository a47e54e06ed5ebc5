/* answer_test.c - what callers are told: when the server stops, when there is no memory, when they
 * send what no honest client sends; and that not_executed is true. */
#include <string.h>

#include "alloc.h"
#include "patience.h"
#include "probe.h"
#include "server_internal.h"
#include "unit.h"

static const char *url = "mem://answer";

static stint_server_stats stats_of(const struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats;
}

static void begin(struct probe *p, const stint_ctx *ctx, struct outcome *o)
{
    static Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    outcome_init(o);
    assert_int_equal(probe_v1_probe_work_async(ctx, p->ch, &req, probe_done, o, NULL), STINT_OK);
}

/* ---- a stop ---- */

struct witness {
    struct event entered;
    stint_error cause;
};

static stint_code look_at_the_cause(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                                    Probe__V1__Reply *rep, stint_call *call)
{
    struct witness *w = self;
    (void)req, (void)rep, (void)call;
    event_raise(&w->entered);
    stint_code code = stint_ctx_sleep(ctx, STINT_SECONDS(60));
    stint_ctx_cause(ctx, &w->cause);
    return code;
}

static void a_handler_sees_why_it_ends(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.work = look_at_the_cause};
    struct witness w = {0};
    struct probe p;
    struct outcome o;
    event_init(&w.entered);
    probe_init(&p);
    p.ops = &ops;
    p.self = &w;
    probe_start(&p, url);
    begin(&p, stint_ctx_background(), &o);
    event_wait(&w.entered, 1);
    stint_server_stop(p.server);
    event_wait(&o.event, 1);
    assert_string_equal(w.cause.message, "the server was stopped");
    assert_int_equal(w.cause.code, STINT_CANCELLED);
    outcome_fini(&o);
    probe_stop(&p);
    event_fini(&w.entered);
}

static void what_was_only_queued_was_not_executed(void **state)
{
    (void)state;
    enum { CALLS = 12, WORKERS = 2 };
    struct outcome o[CALLS];
    struct probe p;
    probe_init(&p);
    p.sopts.workers = WORKERS;
    probe_start(&p, url);
    for (int i = 0; i < CALLS; i++)
        begin(&p, stint_ctx_background(), &o[i]);
    event_wait(&p.entered, WORKERS);
    while (stats_of(&p).inflight < CALLS)
        pause_between_looks();
    stint_server_stop(p.server);
    unsigned not_executed = 0;
    for (int i = 0; i < CALLS; i++) {
        event_wait(&o[i].event, 1);
        assert_int_equal(o[i].err.code, STINT_UNAVAILABLE);
        not_executed += o[i].err.not_executed;
        outcome_fini(&o[i]);
    }
    assert_int_equal(stats_of(&p).executed, WORKERS);
    assert_int_equal(not_executed, CALLS - WORKERS);
    probe_stop(&p);
}

/* ---- no memory ---- */

/* Set in a server's thread: nothing more is allocated there. */
static _Thread_local bool no_memory_here;

static bool gate(void *arg, size_t n)
{
    (void)arg, (void)n;
    return !no_memory_here;
}

static stint_code large_reply(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                              Probe__V1__Reply *rep, stint_call *call)
{
    (void)self, (void)ctx, (void)req;
    rep->payload.len = 50000;
    rep->payload.data = stint_call_alloc(call, rep->payload.len);
    return rep->payload.data != NULL ? STINT_OK : STINT_RESOURCE_EXHAUSTED;
}

/* An interceptor's: the reply is packed by now, and not yet sent. */
static void use_up_memory(void *self, const stint_ctx *ctx, stint_interception *call,
                          const stint_error *outcome)
{
    (void)self, (void)ctx, (void)call, (void)outcome;
    no_memory_here = true;
}

static void a_caller_hears_although_there_is_no_memory(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.work = large_reply};
    static const stint_interceptor with = {.end = use_up_memory};
    static const stint_interceptor *const all[] = {&with, NULL};
    struct probe p;
    struct outcome o;
    probe_init(&p);
    p.ops = &ops;
    p.sopts.interceptors = all;
    probe_start(&p, url);
    stint__alloc_set_gate(gate, NULL);
    begin(&p, stint_ctx_background(), &o); /* no deadline: only an answer ends it */
    event_wait(&o.event, 1);
    stint__alloc_set_gate(NULL, NULL);
    if (probe_has_control_frames(&p)) /* else the memory is NNG's, which does not run out here */
        assert_true(o.err.code == STINT_RESOURCE_EXHAUSTED || o.err.code == STINT_UNAVAILABLE);
    assert_false(o.err.not_executed);
    assert_int_equal(stats_of(&p).malformed, 0); /* not the client's fault */
    outcome_fini(&o);
    probe_stop(&p);
}

/* A connection that has no memory for any reply. */
struct barren {
    struct stint__transport_object base;
    unsigned dropped, failed;
};

static stint_code barren_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                               struct stint__envelope *e, stint_error *err)
{
    (void)conn, (void)to, (void)e;
    return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
}

static void barren_drop(struct stint__conn *conn, const struct stint__reply_to *to)
{
    (void)to;
    ((struct barren *)(void *)conn)->dropped++;
}

static void barren_fail(struct stint__conn *conn, const stint_error *why)
{
    (void)why;
    ((struct barren *)(void *)conn)->failed++;
}

static void who_cannot_be_told_loses_the_connection(void **state)
{
    (void)state;
    static const struct stint__transport_ops ops = {
        .conn_reply = barren_reply, .conn_drop = barren_drop, .conn_fail = barren_fail};
    static const stint_error why =
        STINT__REFUSAL(STINT_UNAVAILABLE, STINT_REASON_DRAINING, "not now");
    struct barren conn = {.base.ops = &ops};
    const struct stint__reply_to to = {0};
    const struct stint__incoming in = {.env = {.call_id = 1}};
    const struct stint__arrival a = {
        .conn = (struct stint__conn *)(void *)&conn, .to = &to, .in = &in};
    stint__refuse_request(&a, &why);
    assert_int_equal(conn.dropped, 1);
    assert_int_equal(conn.failed, 1);
}

static bool not_for_connections(void *arg, size_t n)
{
    atomic_bool *failed = arg;
    return n != sizeof(struct stint__server_conn) || atomic_exchange(failed, true);
}

static void a_connection_without_memory_is_made_again(void **state)
{
    (void)state;
    struct probe p;
    atomic_bool failed = false;
    probe_init(&p);
    p.copts.wait_for_ready = true;
    stint__alloc_set_gate(not_for_connections, &failed);
    probe_start(&p, url);
    stint_error err = {.code = STINT_UNAVAILABLE};
    for (int i = 0; i < 100 && err.code == STINT_UNAVAILABLE; i++) {
        const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
        Probe__V1__Reply *rep = NULL;
        (void)!probe_v1_probe_quick(stint_ctx_background(), p.ch, &req, &rep, &err);
        probe_free(rep);
    }
    stint__alloc_set_gate(NULL, NULL);
    assert_true(atomic_load(&failed));
    assert_int_equal(err.code, STINT_OK);
    probe_stop(&p);
}

/* ---- once it is answered ---- */

struct lingering {
    struct event there, go_on;
};

/* An interceptor's: before the answer goes out. */
static void linger(void *self, const stint_ctx *ctx, stint_interception *call,
                   const stint_error *outcome)
{
    struct lingering *l = self;
    (void)ctx, (void)call, (void)outcome;
    event_raise(&l->there);
    (void)event_wait_ms(&l->go_on, 1, patience_ms());
}

static uint64_t admitted(const struct probe *p)
{
    stint_method_stats stats = {.size = sizeof stats};
    (void)!stint_server_method_stats_get(p->server, "probe.v1.Probe/Work", &stats);
    return stats.admitted;
}

/* Whoever has an answer may ask again at once, however long the call's thread takes to be done. */
static void check_room(stint_server_options opts)
{
    enum { CALLS = 2 };
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    struct lingering l;
    const stint_interceptor with = {.self = &l, .end = linger};
    const stint_interceptor *const all[] = {&with, NULL};
    struct outcome o[CALLS];
    struct probe p;
    event_init(&l.there);
    event_init(&l.go_on);
    probe_init(&p);
    p.sopts = opts;
    p.sopts.interceptors = all;
    probe_start(&p, url);
    for (unsigned i = 0; i < CALLS; i++) {
        outcome_init(&o[i]);
        assert_int_equal(
            probe_v1_probe_work_async(stint_ctx_background(), p.ch, &req, probe_done, &o[i], NULL),
            STINT_OK);
        while (admitted(&p) <= i && event_count(&o[i].event) == 0)
            pause_between_looks();
        event_wait(&l.there, 1);
    }
    event_raise(&l.go_on);
    for (unsigned i = 0; i < CALLS; i++) {
        event_wait(&o[i].event, 1);
        assert_int_equal(o[i].err.code, STINT_OK);
        outcome_fini(&o[i]);
    }
    probe_stop(&p);
    event_fini(&l.there);
    event_fini(&l.go_on);
}

static void there_is_room_before_an_answer_is_out(void **state)
{
    (void)state;
    const stint_server_options opts = {.size = sizeof opts, .workers = 2};
    stint_server_options in_all = opts, of_one = opts;
    in_all.max_inflight = 1;
    of_one.max_connection_inflight = 1;
    check_room(in_all);
    check_room(of_one);
}

static void what_cannot_be_sent_does_not_count_as_ok(void **state)
{
    (void)state;
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.reply_size = 20000;
    struct probe p;
    stint_error err;
    probe_init(&p);
    p.copts.max_message = 4096;
    probe_start(&p, url);
    if (probe_has_control_frames(&p)) { /* else it is sent: nobody has said what is too much */
        probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &req, STINT_RESOURCE_EXHAUSTED,
                   &err);
        assert_int_equal(err.origin, STINT_ORIGIN_PEER);
        assert_int_equal(stats_of(&p).ok, 0);
        assert_int_equal(stats_of(&p).failed, 1);
    }
    probe_stop(&p);
}

/* ---- pushback ---- */

static stint_code fails_as_below(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                                 Probe__V1__Reply *rep, stint_call *call)
{
    (void)self, (void)ctx, (void)req, (void)rep;
    const stint_error below = {.code = STINT_RESOURCE_EXHAUSTED, .pushback = STINT_US(1500) + 1};
    return stint_call_fail_from(call, &below);
}

static void a_pushback_is_passed_on(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.work = fails_as_below};
    struct probe p;
    probe_init(&p);
    p.ops = &ops;
    probe_start(&p, url);
    stint_error err;
    probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.pushback, STINT_US(1501));
    probe_stop(&p);
}

/* ---- what no honest client sends ---- */

/* Makes the key "aid" invalid, as a peer in another language might. */
static void spoil_key(const stint_metadata *md)
{
    char *key; /* the list's own copy */
    memcpy(&key, &stint_metadata_at(md, 0)->key, sizeof key);
    key[0] = 'A';
}

static stint_ctx *with_bad_key(void)
{
    stint_metadata *md = stint_metadata_new();
    assert_int_equal(stint_metadata_add(md, "aid", "1", 1, NULL), STINT_OK);
    stint_ctx *ctx = stint_ctx_with_metadata(stint_ctx_background(), md);
    stint_metadata_free(md);
    spoil_key(stint_ctx_metadata(ctx));
    return ctx;
}

static void a_bad_metadata_key_is_named(void **state)
{
    (void)state;
    probe_stub *const stubs[] = {probe_v1_probe_quick, probe_v1_probe_work};
    struct probe p;
    probe_init(&p);
    probe_start(&p, url);
    stint_ctx *ctx = with_bad_key();
    for (int i = 0; i < 2; i++) {
        stint_error err;
        probe_call(&p, stubs[i], ctx, NULL, STINT_INVALID_ARGUMENT, &err);
        assert_non_null(strstr(err.message, "\"Aid\""));
        assert_int_equal(err.origin, STINT_ORIGIN_PEER);
        assert_true(err.not_executed);
    }
    assert_int_equal(atomic_load(&p.executed), 0);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static stint_code reply_with_bad_key(void *self, const stint_ctx *ctx,
                                     const Probe__V1__Request *req, Probe__V1__Reply *rep,
                                     stint_call *call)
{
    (void)self, (void)ctx, (void)req, (void)rep;
    stint_code code = stint_call_add_metadata(call, "aid", "1", 1, NULL);
    if (code == STINT_OK)
        spoil_key(call->reply_metadata);
    return code;
}

static void a_bad_key_in_a_reply_is_not_the_callers_fault(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.work = reply_with_bad_key};
    struct probe p;
    probe_init(&p);
    p.ops = &ops;
    probe_start(&p, url);
    stint_reply_info *info = stint_reply_info_new();
    stint_ctx *ctx =
        stint_ctx_with_call_options(stint_ctx_background(), STINT_CALL_OPTIONS(.reply = info));
    stint_error err;
    probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_INTERNAL, &err);
    assert_non_null(strstr(err.message, "\"Aid\""));
    assert_int_equal(err.origin, STINT_ORIGIN_LOCAL);
    stint_ctx_drop(ctx);
    stint_reply_info_free(info);
    probe_stop(&p);
}

/* A client of the transport's alone, which counts no hops. */
struct raw {
    struct stint__exchange x;
    struct event ready, over;
    uint32_t code;
    bool not_executed;
};

static void raw_ready(void *arg)
{
    event_raise(&((struct raw *)arg)->ready);
}

static void raw_ignore_error(void *arg, const stint_error *error)
{
    (void)arg, (void)error;
}

static void raw_ignore(void *arg)
{
    (void)arg;
}

static void raw_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    struct raw *r = STINT__CONTAINER_OF(x, struct raw, x);
    r->code = in->env.code;
    r->not_executed = in->env.not_executed;
    event_raise(&r->over);
}

static void raw_lost(struct stint__exchange *x, const stint_error *error)
{
    struct raw *r = STINT__CONTAINER_OF(x, struct raw, x);
    r->code = (uint32_t)error->code;
    event_raise(&r->over);
}

static void hops_are_counted_at_the_server_too(void **state)
{
    (void)state;
    static const struct stint__exchange_ops ops = {raw_reply, raw_lost};
    static const struct stint__transport_options defaults;
    static const uint32_t hops[] = {STINT__HOP_MAX, STINT__HOP_MAX + 1, UINT32_MAX};
    static const char method[] = "probe.v1.Probe/Quick";
    struct raw r = {.x.ops = &ops};
    struct probe p;
    struct stint__peer *peer;
    event_init(&r.ready);
    event_init(&r.over);
    probe_init(&p);
    probe_start(&p, url);
    const struct stint__peer_events events = {&r, raw_ready, raw_ignore_error, raw_ignore};
    assert_int_equal(
        stint__peer_open(&peer, stint_server_url(p.server, 0), &defaults, &events, NULL), STINT_OK);
    event_wait(&r.ready, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct stint__envelope e = {.kind = STINT__KIND_REQUEST, .call_id = i + 1, .hop = hops[i]};
        e.method = (struct stint__slice){(const uint8_t *)method, sizeof method - 1};
        e.has_payload = true;
        assert_int_equal(stint__peer_submit(peer, &r.x, &e, NULL), STINT_OK);
        event_wait(&r.over, i + 1);
        assert_int_equal(r.code, i == 0 ? STINT_OK : STINT_FAILED_PRECONDITION);
        assert_int_equal(r.not_executed, i > 0);
    }
    stint__peer_close(peer);
    event_fini(&r.ready);
    event_fini(&r.over);
    probe_stop(&p);
}

static stint_code refuse_everybody(void *self, const stint_ctx *ctx, stint_interception *call,
                                   stint_ctx **ret_ctx, stint_error *err)
{
    (void)self, (void)ctx, (void)call, (void)ret_ctx;
    return stint_error_set(err, STINT_PERMISSION_DENIED, "not you");
}

/* Takes more memory to decode than a call may have. */
static void who_is_not_let_in_costs_no_decoding(void **state)
{
    (void)state;
    static const stint_interceptor with = {.begin = refuse_everybody};
    static const stint_interceptor *const all[] = {&with, NULL};
    static uint8_t bytes[4096];
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.payload.data = bytes;
    req.payload.len = sizeof bytes;
    struct probe p;
    probe_init(&p);
    p.sopts.max_call_memory = 2048;
    probe_start(&p, url);
    probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), &req, STINT_RESOURCE_EXHAUSTED,
               NULL);
    probe_stop(&p);
    probe_init(&p);
    p.sopts.max_call_memory = 2048;
    p.sopts.interceptors = all;
    probe_start(&p, url);
    probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), &req, STINT_PERMISSION_DENIED,
               NULL);
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_why_it_ends),
        cmocka_unit_test(what_was_only_queued_was_not_executed),
        cmocka_unit_test(a_caller_hears_although_there_is_no_memory),
        cmocka_unit_test(who_cannot_be_told_loses_the_connection),
        cmocka_unit_test(a_connection_without_memory_is_made_again),
        cmocka_unit_test(there_is_room_before_an_answer_is_out),
        cmocka_unit_test(what_cannot_be_sent_does_not_count_as_ok),
        cmocka_unit_test(a_pushback_is_passed_on),
        cmocka_unit_test(a_bad_metadata_key_is_named),
        cmocka_unit_test(a_bad_key_in_a_reply_is_not_the_callers_fault),
        cmocka_unit_test(hops_are_counted_at_the_server_too),
        cmocka_unit_test(who_is_not_let_in_costs_no_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
