/* drain_test.c - the end of servers and channels: gracefully, hard, and with tickets outstanding.
 */
#include <pthread.h>
#include <string.h>

#include "patience.h"
#include "probe.h"
#include "server_internal.h"
#include "unit.h"

static const char *url = "mem://drain";

static void start(struct probe *p)
{
    probe_init(p);
    probe_start(p, url);
}

static void begin(struct probe *p, bool gated, struct outcome *o)
{
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.gated = gated;
    req.hold = !gated;
    outcome_init(o);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), p->ch, &req, probe_done, o, NULL),
        STINT_OK);
    event_wait(&p->entered, 1);
}

struct drainer {
    struct probe *p;
    stint_code code;
};

static void *drain(void *arg)
{
    struct drainer *d = arg;
    d->code = stint_server_drain(d->p->server, stint_ctx_background(), NULL);
    return NULL;
}

/* Without having run: by the server, or by the channel, which has heard of it and finds nobody else
 * there. One that cannot hear of it is told by the server each time. */
static void expect_refused(struct probe *p)
{
    stint_error err;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(patience_ms()));
    probe_call(p, probe_v1_probe_quick, ctx, NULL, STINT_UNAVAILABLE, &err);
    stint_ctx_drop(ctx);
    assert_true(err.not_executed);
    if (err.origin == STINT_ORIGIN_PEER || !probe_has_control_frames(p))
        assert_int_equal(err.reason, STINT_REASON_DRAINING);
    else
        assert_int_equal(err.reason, STINT_REASON_NOT_CONNECTED);
}

static void draining_finishes_what_runs_and_refuses_what_comes(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    pthread_t thread;
    start(&p);
    begin(&p, true, &o);
    struct drainer d = {&p, STINT_UNKNOWN};
    assert_int_equal(pthread_create(&thread, NULL, drain, &d), 0);
    while (atomic_load(&p.server->state) != STINT__SERVER_DRAINING)
        pause_between_looks();
    for (int i = 0; i < 5; i++)
        expect_refused(&p);
    assert_int_equal(atomic_load(&p.executed), 0);
    assert_int_equal(event_count(&o.event), 0);
    event_raise(&p.gate);
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_OK);
    assert_int_equal(atomic_load(&p.executed), 1);
    pthread_join(thread, NULL);
    assert_int_equal(d.code, STINT_OK);
    outcome_fini(&o);
    probe_stop(&p);
}

static void draining_gives_up_with_its_context(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    start(&p);
    begin(&p, false, &o);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(20));
    stint_error err;
    assert_int_equal(stint_server_drain(p.server, ctx, &err), STINT_DEADLINE_EXCEEDED);
    stint_ctx_drop(ctx);
    stint_server_stop(p.server); /* cancels the handler, or this would hang */
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_UNAVAILABLE);
    outcome_fini(&o);
    probe_stop(&p);
}

static void an_idle_server_drains_at_once(void **state)
{
    (void)state;
    struct probe p;
    start(&p);
    probe_free(probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL));
    assert_int_equal(stint_server_drain(p.server, stint_ctx_background(), NULL), STINT_OK);
    stint_error err;
    assert_int_equal(stint_server_drain(p.server, stint_ctx_background(), &err),
                     STINT_FAILED_PRECONDITION);
    probe_stop(&p);
}

static void a_ticket_outlives_its_server(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    start(&p);
    outcome_init(&o);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    assert_int_equal(
        probe_v1_probe_later_async(stint_ctx_background(), p.ch, &req, probe_done, &o, NULL),
        STINT_OK);
    event_wait(&p.ticket_there, 1);
    stint_server_free(p.server);
    p.server = NULL;
    event_wait(&o.event, 1);
    assert_int_equal(o.err.code, STINT_UNAVAILABLE);
    assert_int_equal(stint_ctx_err(stint_ticket_ctx(p.ticket)), STINT_CANCELLED);
    probe_v1_probe_later_finish(p.ticket, STINT_CANCELLED, NULL, "too late");
    outcome_fini(&o);
    probe_stop(&p);
}

static void closing_a_channel_ends_its_calls(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    start(&p);
    begin(&p, false, &o);
    stint_channel_close(p.ch);
    p.ch = NULL;
    assert_int_equal(event_count(&o.event), 1);
    assert_int_equal(o.err.code, STINT_CANCELLED);
    assert_int_equal(o.err.reason, STINT_REASON_CHANNEL_CLOSED);
    event_wait(&p.left, 1);
    outcome_fini(&o);
    probe_stop(&p);
}

static void misuse_gets_a_clear_error(void **state)
{
    (void)state;
    stint_server *s;
    stint_error err;
    assert_int_equal(stint_server_new(&s, NULL, &err), STINT_OK);
    assert_int_equal(stint_server_start(s, &err), STINT_FAILED_PRECONDITION);
    static const probe_v1_probe_ops ops;
    assert_int_equal(probe_v1_probe_register(s, &ops, NULL, &err), STINT_OK);
    assert_int_equal(probe_v1_probe_register(s, &ops, NULL, &err), STINT_ALREADY_EXISTS);
    assert_int_equal(stint_server_listen(s, "carrier-pigeon://roof", &err), STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_server_listen(s, url, &err), STINT_OK);
    assert_int_equal(stint_server_listen(s, stint_server_url(s, 0), &err), STINT_ALREADY_EXISTS);
    assert_null(stint_server_url(s, 1));
    assert_int_equal(stint_server_start(s, &err), STINT_OK);
    assert_int_equal(stint_server_listen(s, "mem://late", &err), STINT_FAILED_PRECONDITION);
    assert_int_equal(stint_server_start(s, &err), STINT_FAILED_PRECONDITION);
    stint_server_stop(s);
    stint_server_stop(s);
    stint_server_free(s);
    stint_server_free(NULL);
    stint_channel_close(NULL);
    stint_channel *ch;
    assert_int_equal(stint_channel_open(&ch, "carrier-pigeon://roof", NULL, &err),
                     STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_channel_open(&ch, NULL, NULL, &err), STINT_INVALID_ARGUMENT);
}

static void options_that_cannot_be_meant_are_refused(void **state)
{
    (void)state;
    const stint_server_options servers[] = {
        {.workers = 1},
        {.size = sizeof(stint_server_options), .max_message = (size_t)INT32_MAX + 1},
        {.size = sizeof(stint_server_options), .max_call_memory = SIZE_MAX},
    };
    const stint_channel_options channels[] = {
        {.max_inflight = 1},
        {.size = sizeof(stint_channel_options), .max_message = (size_t)INT32_MAX + 1},
    };
    stint_error err;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        stint_server *s;
        assert_int_equal(stint_server_new(&s, &servers[i], &err), STINT_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        stint_channel *ch;
        assert_int_equal(stint_channel_open(&ch, url, &channels[i], &err), STINT_INVALID_ARGUMENT);
    }
    const stint_call_options call = {.wait_for_ready = true};
    stint_ctx *ctx = stint_ctx_with_call_options(stint_ctx_background(), &call);
    assert_int_equal(stint_ctx_err(ctx), STINT_INVALID_ARGUMENT);
    stint_ctx_drop(ctx);
}

/* The longest times that can be given end up at the end of time, not before its beginning. */
static void the_longest_durations_are_no_harm(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    p.sopts.max_timeout = STINT_DURATION_FOREVER;
    p.sopts.heartbeat = STINT_DURATION_FOREVER;
    p.copts.default_timeout = STINT_DURATION_FOREVER;
    p.copts.backoff_min = p.copts.backoff_max = STINT_DURATION_FOREVER;
    p.copts.heartbeat = STINT_DURATION_FOREVER;
    probe_start(&p, url);
    for (int i = 0; i < 3; i++)
        probe_free(
            probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, STINT_OK, NULL));
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_finishes_what_runs_and_refuses_what_comes),
        cmocka_unit_test(draining_gives_up_with_its_context),
        cmocka_unit_test(an_idle_server_drains_at_once),
        cmocka_unit_test(a_ticket_outlives_its_server),
        cmocka_unit_test(closing_a_channel_ends_its_calls),
        cmocka_unit_test(misuse_gets_a_clear_error),
        cmocka_unit_test(options_that_cannot_be_meant_are_refused),
        cmocka_unit_test(the_longest_durations_are_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
