/* misuse_test.c - what people do without meaning harm: nobody looks at errors, structs of another
 * size, one context for thousands of calls, everybody cancels at once, tickets that outlive
 * everything. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "patience.h"
#include "probe.h"
#include "unit.h"

#define MANY       2000
#define CANCELLERS 8
#define TICKETS    50

static const char *url = "mem://misuse";

static const Probe__V1__Request empty = PROBE__V1__REQUEST__INIT;

/* ---- nobody looks at errors ---- */

static void every_error_may_be_null(void **state)
{
    (void)state;
    stint_server *s;
    stint_channel *ch;
    Probe__V1__Reply *rep;
    static const probe_v1_probe_ops ops;
    assert_int_equal(stint_channel_open(&ch, NULL, NULL, NULL), STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_channel_open(&ch, "tcp://", NULL, NULL), STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_channel_open(&ch, "ipc://", NULL, NULL), STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_channel_open(&ch, "", NULL, NULL), STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_server_new(&s, STINT_SERVER_OPTIONS(.workers = 1u << 30), NULL),
                     STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_server_new(&s, NULL, NULL), STINT_OK);
    assert_int_equal(stint_server_start(s, NULL), STINT_FAILED_PRECONDITION);
    assert_int_equal(stint_server_drain(s, stint_ctx_background(), NULL),
                     STINT_FAILED_PRECONDITION);
    assert_int_equal(probe_v1_probe_register(s, &ops, NULL, NULL), STINT_OK);
    assert_int_equal(probe_v1_probe_register(s, &ops, NULL, NULL), STINT_ALREADY_EXISTS);
    assert_int_equal(stint_server_listen(s, "nowhere", NULL), STINT_INVALID_ARGUMENT);
    assert_int_equal(stint_server_listen(s, "ipc:///nonexistent/directory/s", NULL),
                     STINT_UNAVAILABLE);
    stint_server_free(s);

    assert_int_equal(stint_channel_open(&ch, "ipc:///nonexistent/nobody", NULL, NULL), STINT_OK);
    stint_ctx *brief = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(20));
    assert_int_equal(stint_channel_wait_ready(brief, ch, NULL), STINT_DEADLINE_EXCEEDED);
    assert_int_equal(probe_v1_probe_quick(brief, ch, &empty, &rep, NULL), STINT_DEADLINE_EXCEEDED);
    assert_int_equal(probe_v1_probe_quick(stint_ctx_background(), ch, &empty, &rep, NULL),
                     STINT_UNAVAILABLE);
    assert_int_equal(probe_v1_probe_quick_async(brief, ch, &empty, probe_done, NULL, NULL),
                     STINT_DEADLINE_EXCEEDED);
    stint_group *g = stint_group_new(brief, 0);
    probe_v1_probe_quick_group(g, ch, &empty, &rep);
    assert_int_equal(stint_group_wait(g, NULL), STINT_DEADLINE_EXCEEDED);
    stint_ctx_drop(brief);
    stint_channel_close(ch);
}

/* ---- structs of another size ---- */

static void callers_of_other_versions_are_understood(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    /* An older caller's structs end before fields that hold garbage here. */
    p.sopts = (stint_server_options){
        .size = offsetof(stint_server_options, max_queue),
        .workers = 2,
        .max_queue = 1,
        .max_inflight = 1,
        .max_message = 1,
        .max_call_memory = 1,
        .max_timeout = 1,
    };
    p.copts = (stint_channel_options){
        .size = offsetof(stint_channel_options, max_message),
        .max_message = 1,
        .max_inflight = 1,
        .backoff_min = STINT_SECONDS(1000),
    };
    probe_start(&p, url);
    const stint_call_options call = {
        .size = offsetof(stint_call_options, reply),
        .reply = (stint_reply_info *)(void *)&p, /* never to be looked at */
    };
    stint_ctx *ctx = stint_ctx_with_call_options(stint_ctx_background(), &call);
    uint8_t bytes[3000] = {0};
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.payload = (ProtobufCBinaryData){sizeof bytes, bytes};
    probe_free(probe_call(&p, probe_v1_probe_work, ctx, &req, STINT_OK, NULL));
    stint_ctx_drop(ctx);

    /* And only as much of the counters is written as it has room for. */
    stint_server_stats server;
    stint_channel_stats channel;
    memset(&server, 0xa5, sizeof server);
    memset(&channel, 0xa5, sizeof channel);
    server.size = offsetof(stint_server_stats, executed);
    channel.size = offsetof(stint_channel_stats, ok);
    stint_server_stats_get(p.server, &server);
    stint_channel_stats_get(p.ch, &channel);
    assert_int_equal(server.requests, 1);
    assert_int_equal(server.executed, 0xa5a5a5a5a5a5a5a5u);
    assert_int_equal(channel.calls, 1);
    assert_int_equal(channel.ok, 0xa5a5a5a5a5a5a5a5u);
    probe_stop(&p);
}

/* ---- one context for all, cancelled by everybody ---- */

struct storm {
    stint_ctx *ctx;
    struct event *go;
};

static void *cancel_with_the_others(void *arg)
{
    struct storm *s = arg;
    event_wait_ms(s->go, 1, patience_ms());
    stint_ctx_cancel(s->ctx, STINT_CANCELLED, "all at once");
    return NULL;
}

static void count_end(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    (void)err;
    probe_free(rep);
    event_raise(arg);
    if (code != STINT_CANCELLED && code != STINT_OK)
        abort(); /* the test's thread sees the wrong count */
}

static void thousands_share_a_context(void **state)
{
    (void)state;
    struct probe p;
    struct event ends, go;
    pthread_t threads[CANCELLERS];
    probe_init(&p);
    event_init(&ends);
    event_init(&go);
    probe_start(&p, url);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    struct storm storm = {ctx, &go};
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    for (unsigned i = 0; i < CANCELLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_with_the_others, &storm), 0);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(probe_v1_probe_work_async(ctx, p.ch, &req, count_end, &ends, NULL),
                         STINT_OK);
    event_wait(&p.entered, 1);
    event_raise(&go);
    event_wait(&ends, MANY);
    for (unsigned i = 0; i < CANCELLERS; i++)
        pthread_join(threads[i], NULL);
    stint_ctx_drop(ctx);
    stint_channel_close(p.ch);
    p.ch = NULL;
    assert_int_equal(event_count(&ends), MANY);
    event_fini(&ends);
    event_fini(&go);
    probe_stop(&p);
}

/* Each call is cancelled while it is being begun, answered or cancelled. */
static void a_storm_of_cancels(void **state)
{
    (void)state;
    struct probe p;
    struct event ends;
    probe_init(&p);
    event_init(&ends);
    probe_start(&p, url);
    unsigned begun = 0;
    for (unsigned i = 0; i < MANY / 4; i++) {
        struct event go;
        pthread_t thread;
        event_init(&go);
        stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
        struct storm storm = {ctx, &go};
        event_raise(&go);
        assert_int_equal(pthread_create(&thread, NULL, cancel_with_the_others, &storm), 0);
        for (unsigned k = 0; k < 4; k++)
            if (probe_v1_probe_quick_async(ctx, p.ch, &empty, count_end, &ends, NULL) == STINT_OK)
                begun++;
        pthread_join(thread, NULL);
        event_wait(&ends, begun);
        event_fini(&go);
        stint_ctx_drop(ctx);
    }
    event_fini(&ends);
    probe_stop(&p);
}

/* ---- tickets that outlive everything ---- */

struct drawer {
    pthread_mutex_t mutex;
    stint_ticket *tickets[TICKETS];
    unsigned n;
    struct event full;
};

static stint_code put_aside(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                            Probe__V1__Reply *rep, stint_call *call)
{
    struct drawer *d = self;
    stint_ticket *ticket;
    (void)ctx, (void)req, (void)rep;
    if (stint_call_defer(call, &ticket, NULL) != STINT_OK)
        return STINT_INTERNAL;
    pthread_mutex_lock(&d->mutex);
    d->tickets[d->n++] = ticket;
    pthread_mutex_unlock(&d->mutex);
    event_raise(&d->full);
    return STINT_DEFERRED;
}

static void *finish_all(void *arg)
{
    struct drawer *d = arg;
    static const Probe__V1__Reply rep = PROBE__V1__REPLY__INIT;
    for (unsigned i = 0; i < TICKETS; i++)
        stint_ticket_finish(d->tickets[i], STINT_OK, &rep.base, NULL);
    return NULL;
}

/* `while_it_ends`: the tickets are finished in another thread meanwhile. */
static void free_with_tickets(bool while_it_ends)
{
    static const probe_v1_probe_ops ops = {.quick = put_aside, .later = put_aside};
    struct drawer d = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    stint_server *s;
    stint_channel *ch;
    pthread_t thread;
    event_init(&d.full);
    assert_int_equal(stint_server_new(&s, NULL, NULL), STINT_OK);
    assert_int_equal(probe_v1_probe_register(s, &ops, &d, NULL), STINT_OK);
    assert_int_equal(stint_server_listen(s, url, NULL), STINT_OK);
    assert_int_equal(stint_server_start(s, NULL), STINT_OK);
    assert_int_equal(stint_channel_open(&ch, stint_server_url(s, 0), NULL, NULL), STINT_OK);
    struct outcome outcomes[TICKETS];
    for (unsigned i = 0; i < TICKETS; i++) {
        outcome_init(&outcomes[i]);
        assert_int_equal(i % 2 == 0 ? probe_v1_probe_quick_async(stint_ctx_background(), ch, &empty,
                                                                 probe_done, &outcomes[i], NULL)
                                    : probe_v1_probe_later_async(stint_ctx_background(), ch, &empty,
                                                                 probe_done, &outcomes[i], NULL),
                         STINT_OK);
    }
    event_wait(&d.full, TICKETS);
    if (while_it_ends)
        assert_int_equal(pthread_create(&thread, NULL, finish_all, &d), 0);
    stint_server_free(s);
    if (while_it_ends)
        pthread_join(thread, NULL);
    else
        finish_all(&d);
    stint_channel_close(ch);
    for (unsigned i = 0; i < TICKETS; i++) {
        assert_int_equal(event_count(&outcomes[i].event), 1);
        outcome_fini(&outcomes[i]);
    }
    event_fini(&d.full);
}

static void tickets_outlive_their_server(void **state)
{
    (void)state;
    free_with_tickets(false);
    for (unsigned i = 0; i < 20; i++)
        free_with_tickets(true);
    assert_int_equal(stint_ctx_live_count(), 0);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_may_be_null),
        cmocka_unit_test(callers_of_other_versions_are_understood),
        cmocka_unit_test(thousands_share_a_context),
        cmocka_unit_test(a_storm_of_cancels),
        cmocka_unit_test(tickets_outlive_their_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
