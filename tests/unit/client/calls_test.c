/* calls_test.c - what a call carries there and back, and every way in which it can be refused. */
#include <string.h>

#include "envelope.h"
#include "probe.h"
#include "unit.h"

static const char *url = "mem://calls";

static void start(struct probe *p)
{
    probe_init(p);
    probe_start(p, url);
}

static void a_message_comes_back(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    uint8_t bytes[] = "twelve bytes";
    req.payload.data = bytes;
    req.payload.len = 12;
    probe_stub *stubs[] = {probe_v1_probe_quick, probe_v1_probe_work};
    for (int i = 0; i < 2; i++) {
        Probe__V1__Reply *rep =
            probe_call(&p, stubs[i], stint_ctx_background(), &req, STINT_OK, NULL);
        assert_int_equal(rep->payload.len, 12);
        assert_memory_equal(rep->payload.data, "twelve bytes", 12);
        probe_free(rep);
    }
    probe_stop(&p);
}

static void ids_cross_and_hops_are_counted(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    stint_request_info info = stint_request_info_new();
    strcpy(info.request_id, "order-66");
    STINT_AUTO_CTX ctx = stint_ctx_with_request_info(stint_ctx_background(), &info);
    Probe__V1__Reply *rep = probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_OK, NULL);
    assert_string_equal(rep->request_id, "order-66");
    assert_memory_equal(rep->trace_id.data, info.trace_id, sizeof info.trace_id);
    assert_int_equal(rep->hop, 1);
    probe_free(rep);
    stint_ctx_drop(ctx);
    ctx = NULL;
    probe_stop(&p);
}

/* A program may put any number of hops into a context; counting on must not wrap. */
static void more_hops_than_there_may_be_are_refused(void **state)
{
    (void)state;
    const uint32_t hops[] = {STINT__HOP_MAX, STINT__HOP_MAX + 1, UINT32_MAX};
    const char *named[] = {"hop 65 ", "hop 66 ", "hop 4294967296 "};
    struct probe p;
    start(&p);
    for (size_t i = 0; i < 3; i++) {
        stint_request_info info = stint_request_info_new();
        stint_error err;
        info.hop = hops[i];
        stint_ctx *ctx = stint_ctx_with_request_info(stint_ctx_background(), &info);
        probe_call(&p, probe_v1_probe_quick, ctx, NULL, STINT_FAILED_PRECONDITION, &err);
        assert_non_null(strstr(err.message, named[i]));
        assert_true(err.not_executed);
        stint_ctx_drop(ctx);
    }
    assert_int_equal(atomic_load(&p.executed), 0);
    probe_stop(&p);
}

static void every_code_travels_with_its_text(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    for (int code = STINT_CANCELLED; code <= STINT_UNAUTHENTICATED; code++) {
        Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
        req.code = code;
        char text[] = "because";
        req.text = text;
        stint_error err;
        probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), &req, (stint_code)code, &err);
        assert_string_equal(err.message, "because");
        assert_int_equal(err.origin, STINT_ORIGIN_PEER);
        assert_false(err.not_executed);
    }
    probe_stop(&p);
}

static void handlers_without_an_answer_are_internal_errors(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    int wrong[] = {STINT_DEFERRED, 17, 99, -2};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
        req.code = wrong[i];
        stint_error err;
        probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &req, STINT_INTERNAL, &err);
        assert_int_equal(err.reason, STINT_REASON_NO_ANSWER);
    }
    probe_stop(&p);
}

static void unknown_methods_are_unimplemented(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    stint_error err;
    probe_call(&p, probe_v1_probe_missing, stint_ctx_background(), NULL, STINT_UNIMPLEMENTED, &err);
    stint_method no_such = probe_v1_probe.methods[0];
    no_such.path = "probe.v1.Probe/Quic";
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    ProtobufCMessage *rep;
    assert_int_equal(stint_invoke(stint_ctx_background(), p.ch, &no_such, &req.base, &rep, &err),
                     STINT_UNIMPLEMENTED);
    assert_non_null(strstr(err.message, "probe.v1.Probe/Quic"));
    assert_int_equal(err.reason, STINT_REASON_NO_SUCH_METHOD);
    assert_true(err.not_executed);
    assert_int_equal(atomic_load(&p.executed), 0);
    probe_stop(&p);
}

static void too_large_is_refused_before_sending(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.copts.max_message = 1000;
    probe_start(&p, url);
    static uint8_t big[1001];
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.payload.data = big;
    req.payload.len = sizeof big;
    stint_error err;
    probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &req, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
    assert_int_equal(err.origin, STINT_ORIGIN_LOCAL);
    assert_true(err.not_executed);
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p.server, &stats);
    assert_int_equal(stats.requests, 0);
    probe_stop(&p);
}

static void too_large_a_reply_is_an_error_not_a_broken_connection(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.sopts.max_message = 1000;
    probe_start(&p, url);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.reply_size = 1001;
    stint_error err;
    probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &req, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
    probe_free(probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL));
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(p.ch, &stats);
    assert_int_equal(stats.connects, 1);
    probe_stop(&p);
}

/* Each side knows what the other takes once HELLO has come. */
static void the_smaller_limit_of_both_sides_counts(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.sopts.max_message = 1000;
    probe_start(&p, url);
    probe_free(probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL));
    static uint8_t big[1001];
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.payload.data = big;
    req.payload.len = sizeof big;
    stint_error err;
    probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &req, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
    bool told = probe_has_control_frames(&p);
    assert_int_equal(err.origin, told ? STINT_ORIGIN_LOCAL : STINT_ORIGIN_PEER);
    probe_stop(&p);
    if (!told)
        return; /* the server cannot know the client's limit */

    probe_init(&p);
    p.copts.max_message = 1000;
    probe_start(&p, url);
    Probe__V1__Request ask = PROBE__V1__REQUEST__INIT;
    ask.reply_size = 1001;
    probe_call(&p, probe_v1_probe_work, stint_ctx_background(), &ask, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
    assert_int_equal(err.origin, STINT_ORIGIN_PEER);
    probe_free(probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL));
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(p.ch, &stats);
    assert_int_equal(stats.connects, 1);
    probe_stop(&p);
}

static void large_messages_pass(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    size_t n = (size_t)3 * 1024 * 1024;
    uint8_t *big = test_malloc(n);
    for (size_t i = 0; i < n; i++)
        big[i] = (uint8_t)(i * 7);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.payload.data = big;
    req.payload.len = n;
    probe_stub *stubs[] = {probe_v1_probe_quick, probe_v1_probe_work};
    for (int i = 0; i < 2; i++) {
        Probe__V1__Reply *rep =
            probe_call(&p, stubs[i], stint_ctx_background(), &req, STINT_OK, NULL);
        assert_int_equal(rep->payload.len, n);
        assert_memory_equal(rep->payload.data, big, n);
        probe_free(rep);
    }
    test_free(big);
    probe_stop(&p);
}

static void async_done_runs_once(void **state)
{
    (void)state;
    enum { N = 200 };
    static struct outcome o[N];
    struct probe p;
    start(&p);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    for (int i = 0; i < N; i++) {
        outcome_init(&o[i]);
        req.reply_size = (uint32_t)i + 1;
        assert_int_equal((i % 2 ? probe_v1_probe_work_async : probe_v1_probe_quick_async)(
                             stint_ctx_background(), p.ch, &req, probe_done, &o[i], NULL),
                         STINT_OK);
    }
    for (int i = 0; i < N; i++) {
        event_wait(&o[i].event, 1);
        assert_int_equal(o[i].err.code, STINT_OK);
        assert_int_equal(o[i].reply->payload.len, i + 1);
    }
    stint_channel_close(p.ch);
    p.ch = NULL;
    for (int i = 0; i < N; i++) {
        assert_int_equal(event_count(&o[i].event), 1);
        outcome_fini(&o[i]);
    }
    probe_stop(&p);
}

struct nested {
    struct probe *p;
    struct event event;
    stint_error err;
};

static void call_in_done(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct nested *n = arg;
    (void)code, (void)err;
    probe_free(rep);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    (void)!probe_v1_probe_quick(stint_ctx_background(), n->p->ch, &req, &rep, &n->err);
    event_raise(&n->event);
}

static void a_blocking_call_in_done_is_refused(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    struct nested n = {.p = &p};
    event_init(&n.event);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    assert_int_equal(
        probe_v1_probe_quick_async(stint_ctx_background(), p.ch, &req, call_in_done, &n, NULL),
        STINT_OK);
    event_wait(&n.event, 1);
    assert_int_equal(n.err.code, STINT_FAILED_PRECONDITION);
    assert_int_equal(n.err.reason, STINT_REASON_WOULD_DEADLOCK);
    event_fini(&n.event);
    probe_stop(&p);
}

static void nobody_there_fails_fast_or_waits(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    probe_start(&p, url);
    stint_server_free(p.server);
    p.server = NULL;
    stint_error err;
    STINT_AUTO_CTX ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    probe_call(&p, probe_v1_probe_quick, ctx, NULL, STINT_UNAVAILABLE, &err);
    assert_true(err.not_executed || err.reason == STINT_REASON_CONNECTION_LOST);
    STINT_AUTO_CTX patient = stint_ctx_with_call_options(
        stint_ctx_background(), STINT_CALL_OPTIONS(.wait_for_ready = true));
    STINT_AUTO_CTX brief = stint_ctx_with_timeout(patient, STINT_MS(50));
    probe_call(&p, probe_v1_probe_quick, brief, NULL, STINT_DEADLINE_EXCEEDED, &err);
    stint_ctx_drop(brief);
    stint_ctx_drop(patient);
    stint_ctx_drop(ctx);
    brief = patient = ctx = NULL;
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back),
        cmocka_unit_test(ids_cross_and_hops_are_counted),
        cmocka_unit_test(more_hops_than_there_may_be_are_refused),
        cmocka_unit_test(every_code_travels_with_its_text),
        cmocka_unit_test(handlers_without_an_answer_are_internal_errors),
        cmocka_unit_test(unknown_methods_are_unimplemented),
        cmocka_unit_test(too_large_is_refused_before_sending),
        cmocka_unit_test(too_large_a_reply_is_an_error_not_a_broken_connection),
        cmocka_unit_test(the_smaller_limit_of_both_sides_counts),
        cmocka_unit_test(large_messages_pass),
        cmocka_unit_test(async_done_runs_once),
        cmocka_unit_test(a_blocking_call_in_done_is_refused),
        cmocka_unit_test(nobody_there_fails_fast_or_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
