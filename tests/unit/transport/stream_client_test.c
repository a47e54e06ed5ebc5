/* stream_client_test.c - a peer against servers that are made by hand, over ipc. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cluster.h"
#include "event.h"
#include "raw.h"
#include "transport.h"

/* ---- a client under test: its callbacks come from threads where a test must not fail ---- */

struct client {
    struct stint__peer *peer;
    int listener, fd; /* the server's ends */
    struct event ready, down, goaway;
    stint_error down_error;
};

struct call {
    struct stint__exchange x;
    struct event replied, lost;
    stint_error error;
};

static void on_ready(void *arg)
{
    struct client *c = arg;
    event_raise(&c->ready);
}

static void on_down(void *arg, const stint_error *error)
{
    struct client *c = arg;
    c->down_error = *error;
    event_raise(&c->down);
}

static void on_goaway(void *arg)
{
    struct client *c = arg;
    event_raise(&c->goaway);
}

static void open_client(struct client *c, const char *url, struct stint__transport_options opts)
{
    *c = (struct client){.fd = -1, .listener = -1};
    event_init(&c->ready);
    event_init(&c->down);
    event_init(&c->goaway);
    struct stint__peer_events events = {c, on_ready, on_down, on_goaway};
    stint_error err;
    if (stint__peer_open(&c->peer, url, &opts, &events, &err) != STINT_OK)
        fail_msg("%s", err.message);
}

static void accept_client(struct client *c)
{
    unsigned before = event_count(&c->ready);
    c->fd = raw_accept(c->listener);
    raw_shake_hands(c->fd, STINT__SP_REP, STINT__SP_REQ);
    event_wait(&c->ready, before + 1);
}

static void connect_client(struct client *c, const char *url, struct stint__transport_options opts)
{
    int listener = raw_listen(url);
    open_client(c, url, opts);
    c->listener = listener;
    accept_client(c);
}

static void close_client(struct client *c)
{
    stint__peer_close(c->peer);
    event_fini(&c->ready);
    event_fini(&c->down);
    event_fini(&c->goaway);
    if (c->fd >= 0)
        close(c->fd);
    close(c->listener);
}

static void on_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    if (in->env.kind != STINT__KIND_REPLY || !stint__transport_in_callback())
        abort();
    event_raise(&STINT__CONTAINER_OF(x, struct call, x)->replied);
}

static void on_lost(struct stint__exchange *x, const stint_error *error)
{
    struct call *call = STINT__CONTAINER_OF(x, struct call, x);
    call->error = *error;
    event_raise(&call->lost);
}

static stint_code try_call(struct client *c, struct call *call, uint64_t call_id, size_t payload,
                           stint_error *err)
{
    static const struct stint__exchange_ops ops = {on_reply, on_lost};
    static const uint8_t zeros[1 << 20];
    *call = (struct call){.x.ops = &ops};
    event_init(&call->replied);
    event_init(&call->lost);
    struct stint__envelope e = {.kind = STINT__KIND_REQUEST,
                                .call_id = call_id,
                                .has_payload = true,
                                .payload = {zeros, payload}};
    return stint__peer_submit(c->peer, &call->x, &e, err);
}

static void start_call(struct client *c, struct call *call, uint64_t call_id)
{
    assert_int_equal(try_call(c, call, call_id, 10, NULL), STINT_OK);
}

static struct stint__transport_options defaults(void)
{
    return (struct stint__transport_options){0};
}

static struct stint__transport_stats stats_of(const struct client *c)
{
    struct stint__transport_stats stats;
    stint__peer_stats(c->peer, &stats);
    return stats;
}

/* Until everything sent before has been read, and nothing else was sent here. */
static void settle(struct client *c)
{
    raw_send_kind(c->fd, true, 0, STINT__KIND_PING, 0, 0);
    raw_expect_kind(c->fd, true, STINT__KIND_PONG);
}

/* ---- exchanges ---- */

static void a_request_says_what_it_must(struct cluster *cl)
{
    struct client c;
    struct call call;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    start_call(&c, &call, 99);
    struct raw_frame f;
    raw_receive_frame(c.fd, true, &f);
    assert_int_equal(f.env.kind, STINT__KIND_REQUEST);
    assert_int_equal(f.env.call_id, 99);
    assert_int_equal(f.env.features, STINT__FEATURES_ALL);
    assert_int_equal(f.env.boot_domain, stint__clock_boot_domain());
    assert_true((int64_t)f.env.sent_boottime_ns <= stint__clock_boottime_ns());
    assert_int_equal(f.stack.len, 4);
    assert_int_not_equal(stint__sp_stack_id(&f.stack), 0);
    assert_int_equal(stint__sp_stack_id(&f.stack), call.x.id);
    raw_send_kind(c.fd, true, call.x.id, STINT__KIND_REPLY, 99, 0);
    event_wait(&call.replied, 1);
    raw_frame_free(&f);
    close_client(&c);
}

static void replies_that_nobody_waits_for_are_counted(struct cluster *cl)
{
    struct client c;
    struct call call;
    struct call gone;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    start_call(&c, &call, 1);
    start_call(&c, &gone, 2);
    assert_int_equal(raw_expect_kind(c.fd, true, STINT__KIND_REQUEST), call.x.id);
    assert_int_equal(raw_expect_kind(c.fd, true, STINT__KIND_REQUEST), gone.x.id);
    assert_true(stint__peer_abandon(c.peer, &gone.x, false));
    assert_false(stint__peer_abandon(c.peer, &gone.x, false));
    raw_send_kind(c.fd, true, gone.x.id, STINT__KIND_REPLY, 2, 0);  /* late */
    raw_send_kind(c.fd, true, call.x.id, STINT__KIND_REPLY, 77, 0); /* another call's */
    raw_send_kind(c.fd, true, 0x7fffffff, STINT__KIND_REPLY, 0, 0); /* never asked for */
    settle(&c);
    assert_int_equal(event_count(&call.replied), 0);
    raw_send_kind(c.fd, true, call.x.id, STINT__KIND_REPLY, 1, 0); /* the right one */
    raw_send_kind(c.fd, true, call.x.id, STINT__KIND_REPLY, 1, 0); /* again */
    settle(&c);
    assert_int_equal(event_count(&call.replied), 1);
    assert_int_equal(event_count(&gone.replied), 0);
    assert_int_equal(stats_of(&c).late_replies, 4);
    assert_false(stint__peer_abandon(c.peer, &call.x, true));
    close_client(&c);
}

static void what_a_server_never_sends_ends_the_connection(struct cluster *cl)
{
    static const enum stint__kind kinds[] = {STINT__KIND_REQUEST, STINT__KIND_CANCEL, 0, 99};
    struct client c;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    for (unsigned i = 0; i < 4; i++) {
        raw_send_kind(c.fd, true, 1, kinds[i], 0, 0);
        event_wait(&c.down, i + 1);
        assert_int_equal(c.down_error.code, STINT_UNAVAILABLE);
        assert_non_null(strstr(c.down_error.message, "which no server sends"));
        close(c.fd);
        accept_client(&c);
    }
    assert_int_equal(stats_of(&c).malformed, 4);
    assert_int_equal(stats_of(&c).connects, 5);
    close_client(&c);
}

/* ---- cancelling ---- */

static void a_cancel_waits_until_the_server_is_known_to_understand(struct cluster *cl)
{
    struct client c;
    struct call calls[3];
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    for (unsigned i = 0; i < 3; i++) {
        start_call(&c, &calls[i], i + 1);
        raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    }
    assert_true(stint__peer_abandon(c.peer, &calls[0].x, true));
    assert_true(stint__peer_abandon(c.peer, &calls[1].x, true));
    raw_send_kind(c.fd, true, 0, STINT__KIND_PING, 0, 0);
    raw_expect_kind(c.fd, true, STINT__KIND_PONG);                     /* no CANCEL came before */
    raw_send_kind(c.fd, true, calls[0].x.id, STINT__KIND_REPLY, 1, 0); /* needs none any more */
    raw_send_kind(c.fd, true, calls[2].x.id, STINT__KIND_HELLO, 0, STINT__FEATURES_ALL);
    assert_int_equal(raw_expect_kind(c.fd, true, STINT__KIND_CANCEL), calls[1].x.id);
    assert_true(stint__peer_abandon(c.peer, &calls[2].x, true));
    assert_int_equal(raw_expect_kind(c.fd, true, STINT__KIND_CANCEL), calls[2].x.id);
    start_call(&c, &calls[0], 4);
    struct raw_frame f;
    raw_receive_frame(c.fd, true, &f);
    assert_int_equal(f.env.features, 0); /* said before */
    raw_frame_free(&f);
    close_client(&c);
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void no_cancel_is_lost_while_the_server_is_not_known(struct cluster *cl)
{
    enum { CANCELS = 1000 };
    struct client c;
    static struct call calls[CANCELS];
    static uint32_t expected[CANCELS], got[CANCELS];
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    for (unsigned i = 0; i < CANCELS; i++) {
        start_call(&c, &calls[i], i + 1);
        expected[i] = raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
        assert_true(stint__peer_abandon(c.peer, &calls[i].x, true));
    }
    raw_send_kind(c.fd, true, expected[0], STINT__KIND_HELLO, 0, STINT__FEATURES_ALL);
    for (unsigned i = 0; i < CANCELS; i++)
        got[i] = raw_expect_kind(c.fd, true, STINT__KIND_CANCEL);
    qsort(expected, CANCELS, sizeof expected[0], compare_ids);
    qsort(got, CANCELS, sizeof got[0], compare_ids);
    assert_memory_equal(got, expected, sizeof got);
    settle(&c);
    close_client(&c);
}

static void a_server_without_cancel_is_never_sent_one(struct cluster *cl)
{
    struct client c;
    struct call call;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    start_call(&c, &call, 1);
    raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    assert_true(stint__peer_abandon(c.peer, &call.x, true));
    raw_send_kind(c.fd, true, 0, STINT__KIND_HELLO, 0, STINT__FEATURE_PING);
    settle(&c);
    close_client(&c);
}

/* ---- losing the connection ---- */

static void without_a_connection_nothing_is_taken(struct cluster *cl)
{
    struct client c;
    struct call call;
    stint_error err;
    open_client(&c, cluster_ipc_url(cl, "nobody"), defaults());
    event_wait(&c.down, 3); /* it keeps trying */
    assert_int_equal(c.down_error.code, STINT_UNAVAILABLE);
    assert_int_equal(c.down_error.reason, STINT_REASON_NOT_CONNECTED);
    assert_non_null(strstr(c.down_error.message, "refused"));
    assert_int_equal(try_call(&c, &call, 1, 0, &err), STINT_UNAVAILABLE);
    assert_int_equal(err.reason, STINT_REASON_NOT_CONNECTED);
    assert_true(err.not_executed);
    close_client(&c);
}

static void a_loss_tells_what_may_have_been_executed(struct cluster *cl)
{
    struct client c;
    struct call given;
    struct call kept[20];
    unsigned n = 0;
    struct stint__transport_options opts = {.max_queued = 64 << 20};
    connect_client(&c, cluster_ipc_url(cl, "s"), opts);
    start_call(&c, &given, 1);
    raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    while (n < 20) { /* more than is given to the stream at once */
        assert_int_equal(try_call(&c, &kept[n], n + 2, 1 << 20, NULL), STINT_OK);
        n++;
    }
    close(c.fd);
    event_wait(&given.lost, 1);
    assert_int_equal(given.error.code, STINT_UNAVAILABLE);
    assert_int_equal(given.error.reason, STINT_REASON_CONNECTION_LOST);
    assert_false(given.error.not_executed);
    for (unsigned i = 0; i < n; i++)
        event_wait(&kept[i].lost, 1);
    assert_false(kept[0].error.not_executed); /* partly or wholly given to the stream */
    assert_true(kept[n - 1].error.not_executed);
    event_wait(&c.down, 1);
    assert_int_equal(c.down_error.reason, STINT_REASON_CONNECTION_LOST);
    c.fd = -1;
    close_client(&c);
}

static void closing_loses_what_is_in_flight(struct cluster *cl)
{
    struct client c;
    struct call call;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    start_call(&c, &call, 1);
    raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    close_client(&c);
    assert_int_equal(event_count(&call.lost), 1);
    assert_int_equal(call.error.code, STINT_UNAVAILABLE);
    assert_int_equal(call.error.reason, STINT_REASON_CHANNEL_CLOSED);
    assert_false(call.error.not_executed);
}

static void a_wrong_peer_is_named(struct cluster *cl)
{
    struct client c;
    const char *url = cluster_ipc_url(cl, "s");
    int listener = raw_listen(url);
    open_client(&c, url, defaults());
    c.listener = listener;
    int fd = raw_accept(listener);
    raw_send(fd, "\0SP\0\0\x30\0\0", 8);
    event_wait(&c.down, 1);
    assert_int_equal(c.down_error.code, STINT_UNAVAILABLE);
    assert_int_equal(c.down_error.reason, STINT_REASON_NOT_CONNECTED);
    assert_non_null(strstr(c.down_error.message, "(REQ), not 0x31 (REP)"));
    assert_non_null(strstr(c.down_error.message, url));
    close(fd);
    close_client(&c);
}

/* ---- going away, and too much ---- */

static void goaway_lets_what_is_in_flight_finish(struct cluster *cl)
{
    struct client c;
    struct call call;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    start_call(&c, &call, 1);
    raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    raw_send_kind(c.fd, true, 0, STINT__KIND_GOAWAY, 0, 0);
    raw_send_kind(c.fd, true, 0, STINT__KIND_GOAWAY, 0, 0);
    event_wait(&c.goaway, 1);
    raw_send_kind(c.fd, true, call.x.id, STINT__KIND_REPLY, 1, 0);
    event_wait(&call.replied, 1);
    assert_int_equal(raw_receive_end(c.fd), 0);
    assert_int_equal(event_count(&c.goaway), 1);
    close(c.fd);
    accept_client(&c);
    assert_int_equal(event_count(&c.down), 0); /* there is nothing to be told */
    close_client(&c);
}

/* Says GOAWAY to the client's connection and takes the next one. Returns the old one's end. */
static int replace_connection(struct client *c)
{
    unsigned before = event_count(&c->goaway);
    int old = c->fd;
    raw_send_kind(old, true, 0, STINT__KIND_GOAWAY, 0, 0);
    event_wait(&c->goaway, before + 1);
    accept_client(c);
    return old;
}

static void after_goaway_new_requests_go_over_a_new_connection(struct cluster *cl)
{
    struct client c;
    struct call old[2];
    struct call fresh;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    for (unsigned i = 0; i < 2; i++) {
        start_call(&c, &old[i], i + 1);
        raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    }
    raw_send_kind(c.fd, true, old[0].x.id, STINT__KIND_HELLO, 0, STINT__FEATURES_ALL);
    int fd = replace_connection(&c);
    start_call(&c, &fresh, 3);
    raw_send_kind(c.fd, true, raw_expect_kind(c.fd, true, STINT__KIND_REQUEST), STINT__KIND_REPLY,
                  3, 0);
    event_wait(&fresh.replied, 1);
    assert_true(stint__peer_abandon(c.peer, &old[0].x, true));
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_CANCEL), old[0].x.id);
    raw_send_kind(fd, true, old[1].x.id, STINT__KIND_REPLY, 2, 0);
    event_wait(&old[1].replied, 1);
    assert_int_equal(raw_receive_end(fd), 0);
    assert_int_equal(stats_of(&c).connects, 2);
    settle(&c); /* the new one is none the worse for it */
    assert_int_equal(event_count(&c.down), 0);
    close(fd);
    close_client(&c);
}

static void what_is_in_flight_on_several_connections_is_lost_once(struct cluster *cl)
{
    enum { TIMES = 3 };
    struct client c;
    struct call calls[TIMES + 1];
    int fds[TIMES];
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    for (unsigned i = 0; i < TIMES; i++) {
        start_call(&c, &calls[i], i + 1);
        raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
        fds[i] = replace_connection(&c);
    }
    start_call(&c, &calls[TIMES], TIMES + 1);
    close(fds[0]); /* one breaks before its time, */
    event_wait(&calls[0].lost, 1);
    assert_int_equal(calls[0].error.reason, STINT_REASON_CONNECTION_LOST);
    assert_int_equal(event_count(&c.down), 0);
    close_client(&c); /* the others are closed here */
    for (unsigned i = 1; i <= TIMES; i++) {
        assert_int_equal(event_count(&calls[i].lost), 1);
        assert_int_equal(calls[i].error.reason, STINT_REASON_CHANNEL_CLOSED);
    }
    close(fds[1]);
    close(fds[2]);
}

static void an_abandoned_call_does_not_keep_a_draining_connection(struct cluster *cl)
{
    struct client c;
    struct call call;
    connect_client(&c, cluster_ipc_url(cl, "s"), defaults());
    start_call(&c, &call, 1);
    raw_send_kind(c.fd, true, 0, STINT__KIND_GOAWAY, 0, 0);
    event_wait(&c.goaway, 1);
    raw_expect_kind(c.fd, true, STINT__KIND_REQUEST);
    assert_true(stint__peer_abandon(c.peer, &call.x, true));
    assert_int_equal(raw_receive_end(c.fd), 0);
    close_client(&c);
}

static void a_full_queue_says_so_and_says_when_it_is_not(struct cluster *cl)
{
    struct client c;
    struct call calls[64];
    struct call too_large;
    stint_error err;
    struct stint__transport_options opts = {.max_queued = 1 << 20, .max_message = 100000};
    unsigned n = 0;
    connect_client(&c, cluster_ipc_url(cl, "s"), opts);
    assert_int_equal(try_call(&c, &too_large, 1, 100001, &err), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
    while (n < 64 && try_call(&c, &calls[n], n + 1, 100000, &err) == STINT_OK)
        n++;
    assert_in_range(n, 10, 63);
    assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(err.reason, STINT_REASON_QUEUE_FULL);
    assert_int_equal(event_count(&c.ready), 1);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(raw_expect_kind(c.fd, true, STINT__KIND_REQUEST), calls[i].x.id);
        raw_send_kind(c.fd, true, calls[i].x.id, STINT__KIND_REPLY, i + 1, 0);
        event_wait(&calls[i].replied, 1);
    }
    event_wait(&c.ready, 2);
    start_call(&c, &calls[n], n + 1);
    close_client(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_request_says_what_it_must),
        CLUSTER_TEST(replies_that_nobody_waits_for_are_counted),
        CLUSTER_TEST(what_a_server_never_sends_ends_the_connection),
        CLUSTER_TEST(a_cancel_waits_until_the_server_is_known_to_understand),
        CLUSTER_TEST(no_cancel_is_lost_while_the_server_is_not_known),
        CLUSTER_TEST(a_server_without_cancel_is_never_sent_one),
        CLUSTER_TEST(without_a_connection_nothing_is_taken),
        CLUSTER_TEST(a_loss_tells_what_may_have_been_executed),
        CLUSTER_TEST(closing_loses_what_is_in_flight),
        CLUSTER_TEST(a_wrong_peer_is_named),
        CLUSTER_TEST(goaway_lets_what_is_in_flight_finish),
        CLUSTER_TEST(after_goaway_new_requests_go_over_a_new_connection),
        CLUSTER_TEST(what_is_in_flight_on_several_connections_is_lost_once),
        CLUSTER_TEST(an_abandoned_call_does_not_keep_a_draining_connection),
        CLUSTER_TEST(a_full_queue_says_so_and_says_when_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
