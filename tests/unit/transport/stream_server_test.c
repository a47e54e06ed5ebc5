/* stream_server_test.c - an acceptor against clients that are made by hand, over ipc. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cluster.h"
#include "event.h"
#include "patience.h"
#include "raw.h"
#include "transport.h"

/* ---- a server under test: its callbacks come from threads where a test must not fail ---- */

#define LAST_TEXT  300
#define LARGEST    ((size_t)4 << 20)
#define QUEUED_MAX ((size_t)4 << 20)
#define SENT_MAX   10000 /* far more than are taken from who does not read */

struct server {
    struct stint__acceptor *acceptor;
    const char *url;
    bool silent; /* keeps the first request instead of replying */
    struct stint__conn *kept;
    struct stint__reply_to kept_to;
    struct event opened, requests, cancels, closed, logged, flushed;
    uint8_t last_stack[64], cancel_stack[64];
    size_t last_stack_len, cancel_stack_len;
    bool last_had_owner;
    size_t last_payload;
    char last_text[LAST_TEXT];
};

static void *on_opened(void *arg, struct stint__conn *conn)
{
    struct server *s = arg;
    (void)conn;
    event_raise(&s->opened);
    return s;
}

static stint_code reply(struct stint__conn *conn, const struct stint__reply_to *to,
                        const struct stint__incoming *in)
{
    struct stint__envelope e = {
        .kind = STINT__KIND_REPLY,
        .call_id = in->env.call_id,
        .has_payload = in->env.has_payload,
        .payload = in->env.payload,
        .payload_owner = in->owner,
    };
    return stint__conn_reply(conn, to, &e, NULL);
}

static void on_request(void *arg, void *conn_data, struct stint__conn *conn,
                       const struct stint__reply_to *to, const struct stint__incoming *in)
{
    struct server *s = arg;
    if (conn_data != s || !stint__transport_in_callback())
        abort();
    memcpy(s->last_stack, to->stack.bytes, to->stack.len);
    s->last_stack_len = to->stack.len;
    s->last_had_owner = in->owner != NULL;
    s->last_payload = in->env.payload.len;
    if (s->silent && s->kept == NULL) {
        s->kept = stint__conn_ref(conn);
        s->kept_to = *to;
    } else {
        (void)!reply(conn, to, in); /* fails when the client has gone meanwhile */
    }
    event_raise(&s->requests);
}

static void on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                      const struct stint__reply_to *to)
{
    (void)conn_data;
    (void)conn;
    struct server *s = arg;
    memcpy(s->cancel_stack, to->stack.bytes, to->stack.len);
    s->cancel_stack_len = to->stack.len;
    event_raise(&s->cancels);
}

static void on_closed(void *arg, void *conn_data, struct stint__conn *conn)
{
    struct server *s = arg;
    if (conn_data != s || stint__conn_data(conn) != s)
        abort();
    event_raise(&s->closed);
}

static void on_log(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    (void)suppressed;
    struct server *s = arg;
    if (level != STINT_LOG_WARN)
        abort();
    strncpy(s->last_text, text, LAST_TEXT - 1);
    event_raise(&s->logged);
}

static void open_server(struct server *s, const char *url, struct stint__transport_options opts)
{
    *s = (struct server){.url = url};
    struct event *events[] = {&s->opened, &s->requests, &s->cancels,
                              &s->closed, &s->logged,   &s->flushed};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        event_init(events[i]);
    opts.log = (stint_log){on_log, s};
    struct stint__acceptor_events e = {s, on_opened, on_request, on_cancel, on_closed};
    assert_int_equal(stint__acceptor_open(&s->acceptor, url, &opts, &e, NULL), STINT_OK);
    assert_int_equal(stint__acceptor_start(s->acceptor, NULL), STINT_OK);
}

static void close_server(struct server *s)
{
    stint__acceptor_close(s->acceptor);
    assert_int_equal(event_count(&s->closed), event_count(&s->opened));
    if (s->kept != NULL)
        stint__conn_unref(s->kept);
    struct event *events[] = {&s->opened, &s->requests, &s->cancels,
                              &s->closed, &s->logged,   &s->flushed};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        event_fini(events[i]);
}

static struct stint__transport_stats stats_of(const struct server *s)
{
    struct stint__transport_stats stats;
    stint__acceptor_stats(s->acceptor, &stats);
    return stats;
}

static int connect_client(struct server *s)
{
    int fd = raw_connect(s->url);
    raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
    return fd;
}

static struct stint__transport_options defaults(void)
{
    return (struct stint__transport_options){0};
}

/* ---- replies, features, devices ---- */

static void a_stock_client_gets_its_reply_and_nothing_else(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, 0);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), 7);
    stint__acceptor_drain(s.acceptor); /* a stock socket would take GOAWAY for a reply */
    raw_send_kind(fd, true, 8, STINT__KIND_REQUEST, 2, 0);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), 8);
    close_server(&s);
    assert_int_equal(raw_receive_end(fd), 0);
    close(fd);
}

static void hello_answers_the_first_request_that_announces_features(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, STINT__FEATURES_ALL);
    struct raw_frame f;
    raw_receive_frame(fd, true, &f);
    assert_int_equal(f.env.kind, STINT__KIND_HELLO);
    assert_int_equal(f.env.features, STINT__FEATURES_ALL);
    assert_int_equal(stint__sp_stack_id(&f.stack), 7);
    raw_frame_free(&f);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), 7);
    raw_send_kind(fd, true, 8, STINT__KIND_REQUEST, 2, STINT__FEATURES_ALL);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), 8); /* once is enough */
    stint__acceptor_drain(s.acceptor);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_GOAWAY), 0);
    close(fd);
    close_server(&s);
}

static void who_announces_features_while_draining_is_sent_away(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    event_wait(&s.opened, 1);
    stint__acceptor_drain(s.acceptor);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, STINT__FEATURES_ALL);
    raw_expect_kind(fd, true, STINT__KIND_HELLO);
    raw_expect_kind(fd, true, STINT__KIND_GOAWAY);
    raw_expect_kind(fd, true, STINT__KIND_REPLY);
    int refused;
    assert_false(raw_try_connect(s.url, &refused)); /* nobody listens any more */
    close(fd);
    close_server(&s);
}

static struct stint__sp_stack two_words(uint32_t outer, uint32_t id)
{
    struct stint__sp_stack inner = stint__sp_stack_of(id);
    struct stint__sp_stack stack = {.len = 8};
    for (int i = 0; i < 4; i++)
        stack.bytes[i] = (uint8_t)(outer >> (24 - 8 * i));
    memcpy(stack.bytes + 4, inner.bytes, 4);
    return stack;
}

static void expect_stack(int fd, enum stint__kind kind, const struct stint__sp_stack *stack)
{
    struct raw_frame f;
    raw_receive_frame(fd, true, &f);
    assert_int_equal(f.env.kind, kind);
    assert_int_equal(f.stack.len, stack->len);
    assert_memory_equal(f.stack.bytes, stack->bytes, stack->len);
    raw_frame_free(&f);
}

static void through_a_device_each_client_gets_hello_and_the_device_nothing(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    struct stint__envelope request = {
        .kind = STINT__KIND_REQUEST, .call_id = 1, .features = STINT__FEATURES_ALL};
    struct stint__envelope cancel = {.kind = STINT__KIND_CANCEL};
    for (uint32_t client = 1; client <= 2; client++) {
        struct stint__sp_stack stack = two_words(client, 7);
        raw_send_frame(fd, true, &stack, &request);
        expect_stack(fd, STINT__KIND_HELLO, &stack);
        expect_stack(fd, STINT__KIND_REPLY, &stack);
        raw_send_frame(fd, true, &stack, &cancel);
        event_wait(&s.cancels, client);
        assert_int_equal(s.cancel_stack_len, 8);
        assert_memory_equal(s.cancel_stack, stack.bytes, 8);
    }
    stint__acceptor_drain(s.acceptor);
    struct stint__sp_stack last = two_words(3, 9);
    struct stint__envelope ping = {.kind = STINT__KIND_PING};
    raw_send_frame(fd, true, &last, &ping);
    expect_stack(fd, STINT__KIND_PONG, &last); /* and no GOAWAY before it */
    close(fd);
    close_server(&s);
}

static void ping_is_answered(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    raw_send_kind(fd, true, 0, STINT__KIND_PING, 0, 0);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_PONG), 0);
    close(fd);
    close_server(&s);
}

static void a_reply_after_the_end_is_refused(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    s.silent = true;
    int fd = connect_client(&s);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, 0);
    event_wait(&s.requests, 1);
    close(fd);
    event_wait(&s.closed, 1);
    struct stint__envelope e = {.kind = STINT__KIND_REPLY};
    stint_error err;
    assert_int_equal(stint__conn_reply(s.kept, &s.kept_to, &e, &err), STINT_UNAVAILABLE);
    close_server(&s);
}

/* ---- sizes ---- */

static void large_messages_arrive_whole_and_can_be_kept(struct cluster *c)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 65000, 65536, 70000, 1 << 20, LARGEST};
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    uint8_t *data = malloc(LARGEST);
    assert_non_null(data);
    for (size_t i = 0; i < LARGEST; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct stint__sp_stack stack = stint__sp_stack_of(i + 1);
        struct stint__envelope e = {.kind = STINT__KIND_REQUEST,
                                    .call_id = i + 1,
                                    .has_payload = true,
                                    .payload = {data, sizes[i]}};
        raw_send_frame(fd, true, &stack, &e);
        struct raw_frame f;
        raw_receive_frame(fd, true, &f);
        assert_int_equal(stint__sp_stack_id(&f.stack), i + 1);
        assert_int_equal(f.env.payload.len, sizes[i]);
        assert_memory_equal(f.env.payload.data, data, sizes[i]);
        raw_frame_free(&f);
        assert_int_equal(s.last_had_owner, sizes[i] > 65500);
    }
    free(data);
    close(fd);
    close_server(&s);
}

static void frames_cut_anywhere_arrive(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int fd = connect_client(&s);
    uint8_t bytes[64];
    struct stint__envelope e = {.kind = STINT__KIND_REQUEST, .call_id = 5};
    size_t header = stint__envelope_header_size(&e);
    struct stint__sp_stack stack = stint__sp_stack_of(7);
    size_t n = stint__sp_frame_head(true, stack.len + header, bytes);
    memcpy(bytes + n, stack.bytes, stack.len);
    stint__envelope_encode_header(&e, bytes + n + stack.len);
    n += stack.len + header;
    for (size_t cut = 1; cut < n; cut++) {
        uint8_t whole[2 * 64];
        memcpy(whole, bytes, n);
        memcpy(whole + n, bytes, cut);
        raw_send(fd, whole, n + cut); /* one frame and a part of the next */
        raw_expect_kind(fd, true, STINT__KIND_REPLY);
        raw_send(fd, bytes + cut, n - cut);
        raw_expect_kind(fd, true, STINT__KIND_REPLY);
    }
    close(fd);
    close_server(&s);
}

/* ---- what is wrong closes the connection it came on, and no other ---- */

struct wrong {
    const char *name;
    const char *bytes;
    size_t len;
    bool after_handshake;
    const char *says;
};
#define BYTES(s) (s), sizeof(s) - 1

static void send_wrong(struct server *s, const struct wrong *w, unsigned nth)
{
    int fd = raw_connect(s->url);
    if (w->after_handshake)
        raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
    raw_send(fd, w->bytes, w->len);
    raw_receive_end(fd);
    event_wait(&s->logged, nth);
    if (strstr(s->last_text, w->says) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", w->name, w->says, s->last_text);
    assert_non_null(strstr(s->last_text, s->url));
    assert_int_equal(stats_of(s).malformed, nth);
    close(fd);
}

/* No more of them than lines are logged in a second. */
static void what_is_malformed_is_counted_and_said(struct cluster *c)
{
    static const struct wrong wrongs[] = {
        {"HTTP", BYTES("GET / HTTP/1.1\r\n\r\n"), false, "does not speak SP"},
        {"a PUB socket", BYTES("\0SP\0\0\x20\0\0"), false, "(PUB), not 0x30 (REQ)"},
        {"a wrong type", BYTES("\x02\0\0\0\0\0\0\0\4\x80\0\0\1"), true, "type 2"},
        {"too long", BYTES("\1\0\0\0\0\x7f\xff\xff\xff"), true, "at most"},
        {"absurdly long", BYTES("\1\xff\xff\xff\xff\xff\xff\xff\xff"), true, "at most"},
        {"no request ID", BYTES("\1\0\0\0\0\0\0\0\0"), true, "without a request ID"},
        {"no envelope", BYTES("\1\0\0\0\0\0\0\0\5\x80\0\0\1\xff"), true, ""},
        {"a reply", BYTES("\1\0\0\0\0\0\0\0\6\x80\0\0\1\x08\2"), true, "kind 2"},
        {"a kind of the future", BYTES("\1\0\0\0\0\0\0\0\6\x80\0\0\1\x08\x63"), true, "kind 99"},
        {"no kind", BYTES("\1\0\0\0\0\0\0\0\4\x80\0\0\1"), true, "kind 0"},
    };
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    int good = connect_client(&s);
    for (unsigned i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++)
        send_wrong(&s, &wrongs[i], i + 1);
    raw_send_kind(good, true, 7, STINT__KIND_REQUEST, 1, 0);
    assert_int_equal(raw_expect_kind(good, true, STINT__KIND_REPLY), 7);
    close(good);
    close_server(&s);
}

static void a_frame_of_another_size_than_allowed_is_refused_before_it_comes(struct cluster *c)
{
    struct server s;
    struct stint__transport_options opts = {.max_message = 1000};
    open_server(&s, cluster_ipc_url(c, "s"), opts);
    int fd = connect_client(&s);
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    stint__sp_frame_head(true, 1000 + STINT__HEADER_MAX + sizeof(struct stint__sp_stack) + 1, head);
    raw_send(fd, head, sizeof head);
    raw_receive_end(fd);
    event_wait(&s.logged, 1);
    close(fd);
    close_server(&s);
}

static void the_server_may_refuse_what_came(struct cluster *c)
{
    struct server s;
    open_server(&s, cluster_ipc_url(c, "s"), defaults());
    s.silent = true;
    int fd = connect_client(&s);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, 0);
    event_wait(&s.requests, 1);
    stint_error why;
    stint_error_set(&why, STINT_INVALID_ARGUMENT, "no such thing");
    stint__conn_fail(s.kept, &why);
    assert_int_equal(raw_receive_end(fd), 0);
    event_wait(&s.closed, 1);
    assert_int_equal(stats_of(&s).malformed, 1);
    assert_non_null(strstr(s.last_text, "no such thing"));
    close(fd);
    close_server(&s);
}

/* ---- how many ---- */

/* Whether the server shakes hands or hangs up. */
static bool is_let_in(int fd)
{
    uint8_t byte;
    return read(fd, &byte, 1) == 1;
}

static void one_connection_too_many_is_closed_at_once(struct cluster *c)
{
    struct server s;
    struct stint__transport_options opts = {.max_connections = 2};
    open_server(&s, cluster_ipc_url(c, "s"), opts);
    int one = connect_client(&s);
    int two = connect_client(&s);
    int three = raw_connect(s.url);
    assert_false(is_let_in(three));
    event_wait(&s.logged, 1);
    assert_int_equal(stats_of(&s).refused, 1);
    close(three);
    raw_send_kind(two, true, 7, STINT__KIND_REQUEST, 1, 0);
    assert_int_equal(raw_expect_kind(two, true, STINT__KIND_REPLY), 7);
    close(one);
    event_wait(&s.closed, 1);
    three = raw_connect(s.url);
    while (!is_let_in(three)) { /* there is room right after `closed` */
        close(three);
        three = raw_connect(s.url);
    }
    close(three);
    close(two);
    close_server(&s);
}

/* ---- back-pressure and flushing ---- */

static void on_flushed(void *arg)
{
    event_raise(arg);
}

/* What the server has written and the client not read. */
static size_t unread(int fd)
{
    int n = 0;
    assert_return_code(ioctl(fd, FIONREAD, &n), 0);
    return (size_t)n;
}

/* Sends requests until the server takes no more, which it may do when its replies fill the queue
 * (but for what sockets took of it since); returns how many. The reply to each is as large as the
 * request. */
static unsigned send_until_full(struct server *s, int fd, const uint8_t *payload, size_t len)
{
    struct stint__envelope e = {
        .kind = STINT__KIND_REQUEST, .call_id = 1, .has_payload = true, .payload = {payload, len}};
    struct timespec deadline = deadline_in_ms(patience_ms());
    unsigned sent = 0, before = event_count(&s->requests);
    while (sent < SENT_MAX) {
        if (raw_writable(fd, 20)) {
            struct stint__sp_stack stack = stint__sp_stack_of(++sent);
            raw_send_frame(fd, true, &stack, &e);
            continue;
        }
        size_t replied = (event_count(&s->requests) - before) * len;
        if (replied > QUEUED_MAX / 4 * 3 + unread(fd)) /* otherwise it is only slow */
            break;
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("the server took %u requests, and then no more", sent);
    }
    return sent;
}

static void who_does_not_read_is_not_read_from_and_loses_nothing(struct cluster *c)
{
    struct server s;
    struct stint__transport_options opts = {.max_queued = QUEUED_MAX};
    open_server(&s, cluster_ipc_url(c, "s"), opts);
    int fd = connect_client(&s);
    static const uint8_t payload[4000];
    unsigned sent = send_until_full(&s, fd, payload, sizeof payload);
    assert_true(sent < SENT_MAX);
    /* What was read is bounded by what may be queued and what sockets hold. */
    assert_true(event_count(&s.requests) * sizeof payload < QUEUED_MAX + ((size_t)1 << 20));
    stint__acceptor_flush(s.acceptor, on_flushed, &s.flushed);
    /* More than sockets hold, less than is queued: the server has written some of it. */
    for (uint32_t id = 1; id <= 200; id++)
        assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), id);
    assert_false(event_wait_ms(&s.flushed, 1, 50));
    for (uint32_t id = 201; id <= sent; id++)
        assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), id);
    event_wait(&s.flushed, 1);
    event_wait(&s.requests, sent); /* it is raised after the reply */
    assert_int_equal(event_count(&s.requests), sent);
    close(fd);
    close_server(&s);
}

static void a_flush_ends_with_the_connections_it_waits_for(struct cluster *c)
{
    struct server s;
    struct stint__transport_options opts = {.max_queued = QUEUED_MAX};
    open_server(&s, cluster_ipc_url(c, "s"), opts);
    stint__acceptor_flush(s.acceptor, on_flushed, &s.flushed);
    assert_int_equal(event_count(&s.flushed), 1); /* nothing to wait for */
    static const uint8_t payload[4000];
    int one = connect_client(&s);
    int two = connect_client(&s);
    send_until_full(&s, one, payload, sizeof payload);
    send_until_full(&s, two, payload, sizeof payload);
    stint__acceptor_flush(s.acceptor, on_flushed, &s.flushed);
    stint__acceptor_flush(s.acceptor, on_flushed, &s.flushed);
    close(one);
    event_wait(&s.closed, 1);
    assert_int_equal(event_count(&s.flushed), 1);
    close(two);
    event_wait(&s.flushed, 3);
    close_server(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_stock_client_gets_its_reply_and_nothing_else),
        CLUSTER_TEST(hello_answers_the_first_request_that_announces_features),
        CLUSTER_TEST(who_announces_features_while_draining_is_sent_away),
        CLUSTER_TEST(through_a_device_each_client_gets_hello_and_the_device_nothing),
        CLUSTER_TEST(ping_is_answered),
        CLUSTER_TEST(a_reply_after_the_end_is_refused),
        CLUSTER_TEST(large_messages_arrive_whole_and_can_be_kept),
        CLUSTER_TEST(frames_cut_anywhere_arrive),
        CLUSTER_TEST(what_is_malformed_is_counted_and_said),
        CLUSTER_TEST(a_frame_of_another_size_than_allowed_is_refused_before_it_comes),
        CLUSTER_TEST(the_server_may_refuse_what_came),
        CLUSTER_TEST(one_connection_too_many_is_closed_at_once),
        CLUSTER_TEST(who_does_not_read_is_not_read_from_and_loses_nothing),
        CLUSTER_TEST(a_flush_ends_with_the_connections_it_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
