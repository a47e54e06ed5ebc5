/* ends_test.c - calls whose ends meet: cancelled while their connection is lost, given up early,
 * observed by a reply info that is used again. */
#include <string.h>

#include "alloc.h"
#include "net.h"
#include "probe.h"
#include "transport.h"
#include "unit.h"

#define URL "mem://ends"

enum { CALLS = 30 };

/* Calls that are cancelled all at once by the first of them that ends. */
struct batch {
    stint_ctx *ctx;
    struct event ended;
    atomic_int ends;
    atomic_bool cancelled;
};

static void cancel_the_rest(void *arg, stint_code code, Probe__V1__Reply *rep,
                            const stint_error *err)
{
    struct batch *b = arg;
    (void)code, (void)err;
    probe_free(rep);
    atomic_fetch_add(&b->ends, 1);
    if (!atomic_exchange(&b->cancelled, true))
        stint_ctx_cancel(b->ctx, STINT_CANCELLED, "one failed");
    event_raise(&b->ended);
}

static void a_call_cancelled_while_it_is_lost_ends_once(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    probe_start(&p, URL);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    static uint8_t big[256 * 1024];
    req.payload.data = big;
    req.payload.len = sizeof big;
    for (int round = 0; round < 20; round++) {
        struct batch b = {.ctx = stint_ctx_with_cancel(stint_ctx_background())};
        event_init(&b.ended);
        /* A small window: some requests are under way, most wait, when the connection goes. */
        stint__mem_set_faults("ends", &(struct stint__mem_faults){.window = 4096});
        unsigned begun = 0;
        for (int i = 0; i < CALLS; i++)
            begun +=
                probe_v1_probe_work_async(b.ctx, p.ch, &req, cancel_the_rest, &b, NULL) == STINT_OK;
        stint__mem_cut("ends");
        event_wait(&b.ended, begun);
        assert_int_equal(atomic_load(&b.ends), begun);
        stint_ctx_drop(b.ctx);
        event_fini(&b.ended);
    }
    stint__mem_reset();
    probe_stop(&p);
}

static void giving_up_early_tells_the_server(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    probe_init(&p);
    probe_start(&p, URL);
    outcome_init(&o);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(50));
    assert_int_equal(probe_v1_probe_work_async(ctx, p.ch, &req, probe_done, &o, NULL), STINT_OK);
    event_wait(&p.entered, 1);
    stint_ctx_cancel(ctx, STINT_DEADLINE_EXCEEDED, "my own budget is spent");
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_DEADLINE_EXCEEDED);
    assert_non_null(strstr(o.err.message, "my own budget is spent"));
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
    probe_stop(&p);
}

static stint_code with_details(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                               Probe__V1__Reply *rep, stint_call *call)
{
    (void)self, (void)ctx, (void)req, (void)rep;
    assert_int_equal(stint_call_set_details(call, "old", 3), STINT_OK);
    return STINT_NOT_FOUND;
}

/* A server whose replies carry details, and a context whose calls keep them. */
struct detailed {
    stint_server *server;
    stint_channel *ch;
    stint_reply_info *info;
    stint_ctx *ctx;
};

static void detailed_start(struct detailed *d, const stint_channel_options *opts)
{
    static const probe_v1_probe_ops ops = {.quick = with_details};
    assert_int_equal(stint_server_new(&d->server, NULL, NULL), STINT_OK);
    assert_int_equal(probe_v1_probe_register(d->server, &ops, NULL, NULL), STINT_OK);
    assert_int_equal(stint_server_listen(d->server, "mem://details", NULL), STINT_OK);
    assert_int_equal(stint_server_start(d->server, NULL), STINT_OK);
    assert_int_equal(stint_channel_open(&d->ch, "mem://details", opts, NULL), STINT_OK);
    d->info = stint_reply_info_new();
    d->ctx = stint_ctx_with_call_options(stint_ctx_background(),
                                         STINT_CALL_OPTIONS(.reply = d->info, .ledger = true));
}

static void detailed_stop(struct detailed *d)
{
    stint_ctx_drop(d->ctx);
    stint_reply_info_free(d->info);
    stint_channel_close(d->ch);
    stint_server_free(d->server);
}

static void leave_details(struct detailed *d)
{
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep;
    size_t len;
    assert_int_equal(probe_v1_probe_quick(d->ctx, d->ch, &req, &rep, NULL), STINT_NOT_FOUND);
    assert_memory_equal(stint_reply_info_details(d->info, &len), "old", 3);
    assert_int_equal(len, 3);
    assert_non_null(stint_reply_info_ledger(d->info));
}

static void reply_info_is_of_one_call_and_the_last(void **state)
{
    (void)state;
    struct probe p;
    struct detailed d;
    struct outcome held;
    size_t len;
    stint_error err;
    probe_init(&p);
    probe_start(&p, URL);
    detailed_start(&d, NULL);
    leave_details(&d);

    /* The next call carries nothing, and shows nothing of the one before. */
    probe_free(probe_call(&p, probe_v1_probe_quick, d.ctx, NULL, STINT_OK, NULL));
    assert_null(stint_reply_info_details(d.info, &len));

    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    outcome_init(&held);
    req.gated = true;
    assert_int_equal(probe_v1_probe_work_async(d.ctx, p.ch, &req, probe_done, &held, NULL),
                     STINT_OK);
    probe_call(&p, probe_v1_probe_quick, d.ctx, NULL, STINT_FAILED_PRECONDITION, &err);
    assert_true(err.not_executed);
    event_raise(&p.gate);
    event_wait(&held.event, 1);
    probe_free(probe_call(&p, probe_v1_probe_quick, d.ctx, NULL, STINT_OK, NULL));
    outcome_fini(&held);
    detailed_stop(&d);
    probe_stop(&p);
}

static stint_code let_nobody_in(void *self, const stint_ctx *ctx, stint_interception *call,
                                stint_ctx **ret_ctx, stint_error *err)
{
    (void)ctx, (void)call, (void)ret_ctx;
    return *(bool *)self ? stint_error_set(err, STINT_PERMISSION_DENIED, "closed") : STINT_OK;
}

static void refuse(struct detailed *d, const stint_ctx *ctx, const Probe__V1__Request *req,
                   stint_code code)
{
    Probe__V1__Reply *rep;
    size_t len;
    leave_details(d);
    assert_int_equal(probe_v1_probe_quick(ctx, d->ch, req, &rep, NULL), code);
    assert_null(stint_reply_info_details(d->info, &len));
    assert_int_equal(len, 0);
    assert_null(stint_reply_info_ledger(d->info));
}

/* Whatever a call is refused for, and however it was made. */
static void a_refused_call_shows_nothing_of_the_one_before(void **state)
{
    (void)state;
    static uint8_t big[1001];
    bool closed = false;
    const stint_interceptor guard = {.self = &closed, .begin = let_nobody_in};
    const stint_interceptor *const guards[] = {&guard, NULL};
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep;
    struct detailed d;
    size_t len;
    detailed_start(&d, STINT_CHANNEL_OPTIONS(.max_message = 1000, .interceptors = guards));
    stint_ctx *over = stint_ctx_with_timeout(d.ctx, 0);

    refuse(&d, over, &req, STINT_DEADLINE_EXCEEDED);
    leave_details(&d);
    assert_int_equal(probe_v1_probe_quick_async(over, d.ch, &req, probe_done, NULL, NULL),
                     STINT_DEADLINE_EXCEEDED);
    assert_null(stint_reply_info_details(d.info, &len));
    leave_details(&d);
    stint_group *g = stint_group_new(over, 0);
    probe_v1_probe_quick_group(g, d.ch, &req, &rep);
    assert_int_equal(stint_group_wait(g, NULL), STINT_DEADLINE_EXCEEDED);
    assert_null(stint_reply_info_details(d.info, &len));

    req.payload = (ProtobufCBinaryData){sizeof big, big};
    refuse(&d, d.ctx, &req, STINT_RESOURCE_EXHAUSTED);
    leave_details(&d);
    closed = true;
    req.payload.len = 0;
    assert_int_equal(probe_v1_probe_quick(d.ctx, d.ch, &req, &rep, NULL), STINT_PERMISSION_DENIED);
    assert_null(stint_reply_info_details(d.info, &len));
    closed = false;
    leave_details(&d);
    stint__transport_enter(); /* as in a `done` */
    assert_int_equal(probe_v1_probe_quick(d.ctx, d.ch, &req, &rep, NULL),
                     STINT_FAILED_PRECONDITION);
    stint__transport_leave();
    assert_null(stint_reply_info_details(d.info, &len));
    stint_ctx_drop(over);
    detailed_stop(&d);
}

/* Lets `*arg` allocations pass, and fails all that follow. */
static bool some_memory(void *arg, size_t n)
{
    (void)n;
    return atomic_fetch_sub((atomic_long *)arg, 1) > 0;
}

/* What a call and a group allocate before the call begins: the group, its context, its member. */
static void nor_does_one_for_which_there_is_no_memory(void **state)
{
    (void)state;
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep;
    struct detailed d;
    size_t len;
    atomic_long left = 0;
    detailed_start(&d, NULL);
    leave_details(&d);
    stint__alloc_set_gate(some_memory, &left);
    assert_int_equal(probe_v1_probe_quick(d.ctx, d.ch, &req, &rep, NULL), STINT_RESOURCE_EXHAUSTED);
    stint__alloc_set_gate(NULL, NULL);
    assert_null(stint_reply_info_details(d.info, &len));
    for (long n = 0; n < 3; n++) {
        leave_details(&d);
        atomic_store(&left, n);
        stint__alloc_set_gate(some_memory, &left);
        stint_group *g = stint_group_new(d.ctx, 0);
        probe_v1_probe_quick_group(g, d.ch, &req, &rep);
        assert_int_equal(stint_group_wait(g, NULL), STINT_RESOURCE_EXHAUSTED);
        stint__alloc_set_gate(NULL, NULL);
        assert_true(atomic_load(&left) < 0);
        assert_null(stint_reply_info_details(d.info, &len));
    }
    detailed_stop(&d);
}

static void calls_may_wait_or_fail_fast_one_by_one(void **state)
{
    (void)state;
    stint_channel *ch;
    stint_error err;
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep;
    assert_int_equal(stint_channel_open(&ch, "mem://nobody",
                                        STINT_CHANNEL_OPTIONS(.wait_for_ready = true), NULL),
                     STINT_OK);
    stint_ctx *brief = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(50));
    assert_int_equal(probe_v1_probe_quick(brief, ch, &req, &rep, &err), STINT_DEADLINE_EXCEEDED);
    stint_ctx *fast =
        stint_ctx_with_call_options(stint_ctx_background(), STINT_CALL_OPTIONS(.fail_fast = true));
    assert_int_equal(probe_v1_probe_quick(fast, ch, &req, &rep, &err), STINT_UNAVAILABLE);
    assert_true(err.not_executed);
    stint_ctx_drop(fast);
    stint_ctx_drop(brief);
    stint_channel_close(ch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_cancelled_while_it_is_lost_ends_once),
        cmocka_unit_test(giving_up_early_tells_the_server),
        cmocka_unit_test(reply_info_is_of_one_call_and_the_last),
        cmocka_unit_test(a_refused_call_shows_nothing_of_the_one_before),
        cmocka_unit_test(nor_does_one_for_which_there_is_no_memory),
        cmocka_unit_test(calls_may_wait_or_fail_fast_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
