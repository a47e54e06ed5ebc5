/* stream_time_test.c - what a peer and an acceptor do by the clock: heartbeats, limits,
 * reconnecting, pauses. The clock is virtual and moves when the test says so; the sockets are real.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "clock_internal.h"
#include "cluster.h"
#include "event.h"
#include "patience.h"
#include "raw.h"
#include "transport.h"

#define HEARTBEAT  STINT_MS(500)
#define QUEUED_MAX ((size_t)64 << 10)
#define REPLY_SIZE 4000
#define MANY       1000

struct side {
    struct stint__peer *peer;
    struct stint__acceptor *acceptor;
    struct event up, down, logged, requests;
    stint_error error;
};

/* ---- both ends' events ---- */

static void on_ready(void *arg)
{
    struct side *s = arg;
    event_raise(&s->up);
}

static void on_down(void *arg, const stint_error *error)
{
    struct side *s = arg;
    s->error = *error;
    event_raise(&s->down);
}

static void on_goaway(void *arg)
{
    (void)arg;
}

static void *on_opened(void *arg, struct stint__conn *conn)
{
    (void)conn;
    struct side *s = arg;
    event_raise(&s->up);
    return NULL;
}

static void on_request(void *arg, void *conn_data, struct stint__conn *conn,
                       const struct stint__reply_to *to, const struct stint__incoming *in)
{
    static const uint8_t payload[REPLY_SIZE];
    (void)conn_data, (void)in;
    struct side *s = arg;
    struct stint__envelope e = {
        .kind = STINT__KIND_REPLY, .has_payload = true, .payload = {payload, sizeof payload}};
    (void)!stint__conn_reply(conn, to, &e, NULL);
    event_raise(&s->requests);
}

static void on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                      const struct stint__reply_to *to)
{
    (void)arg, (void)conn_data, (void)conn, (void)to;
}

static void on_closed(void *arg, void *conn_data, struct stint__conn *conn)
{
    (void)conn_data, (void)conn;
    struct side *s = arg;
    event_raise(&s->down);
}

static void on_log(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    (void)level, (void)text, (void)suppressed;
    struct side *s = arg;
    event_raise(&s->logged);
}

static void side_init(struct side *s)
{
    *s = (struct side){0};
    event_init(&s->up);
    event_init(&s->down);
    event_init(&s->logged);
    event_init(&s->requests);
    stint__vclock_install((stint_time){STINT_SECONDS(1000)});
}

static void side_fini(struct side *s)
{
    stint__peer_close(s->peer);
    stint__acceptor_close(s->acceptor);
    event_fini(&s->up);
    event_fini(&s->down);
    event_fini(&s->logged);
    event_fini(&s->requests);
    assert_int_equal(stint__timer_count(), 0);
    stint__vclock_uninstall();
}

static void open_peer(struct side *s, const char *url)
{
    struct stint__transport_options opts = {.heartbeat = HEARTBEAT};
    struct stint__peer_events events = {s, on_ready, on_down, on_goaway};
    side_init(s);
    assert_int_equal(stint__peer_open(&s->peer, url, &opts, &events, NULL), STINT_OK);
}

static void open_acceptor_with(struct side *s, const char *url, stint_duration heartbeat)
{
    struct stint__transport_options opts = {
        .heartbeat = heartbeat, .max_queued = QUEUED_MAX, .log = {on_log, s}};
    struct stint__acceptor_events events = {s, on_opened, on_request, on_cancel, on_closed};
    side_init(s);
    assert_int_equal(stint__acceptor_open(&s->acceptor, url, &opts, &events, NULL), STINT_OK);
    assert_int_equal(stint__acceptor_start(s->acceptor, NULL), STINT_OK);
}

static void open_acceptor(struct side *s, const char *url)
{
    open_acceptor_with(s, url, HEARTBEAT);
}

/* Until everything sent before has been read, at the present time. */
static void settle(int fd)
{
    raw_send_kind(fd, true, 0, STINT__KIND_PING, 0, 0);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_PONG), 0);
}

/* Until a timer is armed: a loss is reported before that. */
static void wait_armed(void)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (stint__timer_count() == 0) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("no timer was armed");
        pause_between_looks();
    }
}

/* What is written meanwhile counts from then on: there is no telling when the last of it is. */
static stint_duration advance_until_down(struct side *s, stint_duration step)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    stint_time begin = stint_now();
    while (!event_wait_ms(&s->down, 1, 1)) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("the peer was not lost");
        stint__vclock_advance(step);
    }
    return stint_time_sub(stint_now(), begin);
}

/* ---- heartbeats, the same for both ends ---- */

static void expect_heartbeats(struct side *s, int fd)
{
    for (int i = 0; i < 3; i++) { /* who answers stays */
        settle(fd);
        stint__vclock_advance(HEARTBEAT);
        assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_PING), 0);
        raw_send_kind(fd, true, 0, STINT__KIND_PONG, 0, 0);
    }
    settle(fd);
    stint__vclock_advance(HEARTBEAT - 1);
    settle(fd); /* whatever comes counts: no PING is due now */
    stint__vclock_advance(HEARTBEAT - 1);
    settle(fd);
    stint__vclock_advance(HEARTBEAT);
    assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_PING), 0);
    stint__vclock_advance(HEARTBEAT - 1);
    assert_int_equal(event_count(&s->down), 0);
    stint__vclock_advance(1);
    event_wait(&s->down, 1);
    assert_int_equal(raw_receive_end(fd), 0);
}

static void a_silent_server_is_lost_after_two_heartbeats(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    int listener = raw_listen(url);
    open_peer(&s, url);
    int fd = raw_accept(listener);
    raw_shake_hands(fd, STINT__SP_REP, STINT__SP_REQ);
    raw_send_kind(fd, true, 0, STINT__KIND_HELLO, 0, STINT__FEATURES_ALL);
    expect_heartbeats(&s, fd);
    assert_int_equal(s.error.code, STINT_UNAVAILABLE);
    assert_non_null(strstr(s.error.message, "silent"));
    close(fd);
    close(listener);
    side_fini(&s);
}

static void a_silent_client_is_lost_after_two_heartbeats(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    open_acceptor(&s, url);
    int fd = raw_connect_with_features(url);
    expect_heartbeats(&s, fd);
    close(fd);
    side_fini(&s);
}

static void a_stock_peer_may_be_silent_for_ever(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    open_acceptor(&s, url);
    int fd = raw_connect(url);
    raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, 0);
    raw_expect_kind(fd, true, STINT__KIND_REPLY);
    stint__vclock_advance(1000 * HEARTBEAT);
    settle(fd); /* nothing came before the PONG */
    close(fd);
    event_wait(&s.down, 1);
    side_fini(&s);
}

/* All at once: they are read at once, and their replies are far more than may be queued. */
static void send_many_requests(int fd)
{
    uint8_t bytes[32 * MANY];
    size_t n = 0;
    struct stint__envelope e = {.kind = STINT__KIND_REQUEST};
    size_t header = stint__envelope_header_size(&e);
    for (uint32_t id = 1; id <= MANY; id++) {
        struct stint__sp_stack stack = stint__sp_stack_of(id);
        n += stint__sp_frame_head(true, stack.len + header, bytes + n);
        memcpy(bytes + n, stack.bytes, stack.len);
        stint__envelope_encode_header(&e, bytes + n + stack.len);
        n += stack.len + header;
    }
    raw_send(fd, bytes, n);
}

/* More than sockets hold: the server has written, and seen that it did, after the first of it was
 * read. A PING may stand between the replies. */
static void read_replies(int fd)
{
    size_t bytes = 0;
    while (bytes < (size_t)800 << 10) {
        struct raw_frame f;
        raw_receive_frame(fd, true, &f);
        assert_true(f.env.kind == STINT__KIND_REPLY || f.env.kind == STINT__KIND_PING);
        bytes += f.env.payload.len;
        raw_frame_free(&f);
    }
}

static void who_takes_its_replies_lives_although_it_is_not_heard(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    open_acceptor(&s, url);
    int fd = raw_connect_with_features(url);
    send_many_requests(fd);
    read_replies(fd); /* from now on the server reads nothing: there is enough to be written */
    for (int i = 0; i < 3; i++) {
        stint__vclock_advance(HEARTBEAT);
        read_replies(fd);
    }
    assert_int_equal(event_count(&s.down), 0);
    assert_true(advance_until_down(&s, HEARTBEAT / 8) >= HEARTBEAT); /* who takes nothing is lost */
    close(fd);
    side_fini(&s);
}

static int connect_greedy(struct side *s, const char *url)
{
    int fd = raw_connect(url);
    raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
    event_wait(&s->up, 1);
    send_many_requests(fd);
    wait_armed(); /* no heartbeat is: the client knows none */
    return fd;
}

static void check_stalled(const char *url, stint_duration heartbeat, stint_duration limit)
{
    struct side s;
    open_acceptor_with(&s, url, heartbeat);
    int fd = connect_greedy(&s, url);
    assert_true(advance_until_down(&s, limit / 8) >= limit);
    /* What was handed up is bounded by what may be queued and what sockets hold. */
    assert_true((size_t)event_count(&s.requests) * REPLY_SIZE < QUEUED_MAX + ((size_t)1 << 20));
    struct stint__transport_stats stats;
    stint__acceptor_stats(s.acceptor, &stats);
    assert_int_equal(stats.stalled, 1);
    assert_int_equal(stats.malformed, 0);
    assert_int_equal(event_count(&s.logged), 1);
    close(fd);
    side_fini(&s);
}

static void who_takes_nothing_is_lost_whatever_it_knows(struct cluster *c)
{
    check_stalled(cluster_ipc_url(c, "s"), HEARTBEAT, 2 * HEARTBEAT);
    check_stalled(cluster_ipc_url(c, "t"), 0, STINT_SECONDS(30));
}

static void what_is_left_of_a_batch_is_handed_up_when_there_is_room(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    open_acceptor(&s, url);
    int fd = connect_greedy(&s, url);
    for (uint32_t id = 1; id <= MANY; id++)
        assert_int_equal(raw_expect_kind(fd, true, STINT__KIND_REPLY), id);
    event_wait(&s.requests, MANY); /* it is raised after the reply */
    assert_int_equal(event_count(&s.requests), MANY);
    settle(fd);
    close(fd);
    event_wait(&s.down, 1);
    side_fini(&s);
}

static void a_half_used_batch_can_be_left(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    open_acceptor(&s, url);
    int fd = connect_greedy(&s, url);
    close(fd); /* the client's end */
    event_wait(&s.down, 1);
    side_fini(&s);
    open_acceptor(&s, url);
    fd = connect_greedy(&s, url);
    stint__acceptor_close(s.acceptor); /* the server's end */
    s.acceptor = NULL;
    assert_int_equal(event_count(&s.down), 1);
    close(fd);
    side_fini(&s);
}

static void a_process_that_was_stopped_gives_the_peer_time(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    int listener = raw_listen(url);
    open_peer(&s, url);
    int fd = raw_accept(listener);
    raw_shake_hands(fd, STINT__SP_REP, STINT__SP_REQ);
    raw_send_kind(fd, true, 0, STINT__KIND_HELLO, 0, STINT__FEATURES_ALL);
    settle(fd);
    stint__vclock_advance(HEARTBEAT);
    raw_expect_kind(fd, true, STINT__KIND_PING);
    stint__vclock_move_to(stint_time_add(stint_now(), 10 * HEARTBEAT)); /* and no timer ran */
    stint__vclock_advance(0);
    settle(fd); /* the answer comes at last, and is heard */
    stint__vclock_advance(HEARTBEAT);
    raw_expect_kind(fd, true, STINT__KIND_PING);
    stint__vclock_advance(HEARTBEAT);
    event_wait(&s.down, 1);
    close(fd);
    close(listener);
    side_fini(&s);
}

/* ---- limits ---- */

static void who_does_not_shake_hands_is_dropped_after_ten_seconds(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    open_acceptor(&s, url);
    int fd = raw_connect(url);
    uint8_t handshake[STINT__SP_HANDSHAKE_SIZE];
    raw_receive(fd, handshake, sizeof handshake);
    raw_send(fd, "\0SP\0", 4); /* half of one */
    stint__vclock_advance(STINT_SECONDS(10) - 1);
    assert_false(raw_readable(fd, 0));
    stint__vclock_advance(1);
    assert_int_equal(raw_receive_end(fd), 0);
    assert_int_equal(event_count(&s.up), 0);
    close(fd);
    side_fini(&s);
}

/* ---- reconnecting ---- */

static void a_lost_connection_is_made_again_within_20_ms(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    int listener = raw_listen(url);
    open_peer(&s, url);
    for (unsigned i = 1; i <= 20; i++) {
        int fd = raw_accept(listener);
        raw_shake_hands(fd, STINT__SP_REP, STINT__SP_REQ);
        event_wait(&s.up, i);
        stint__vclock_advance(STINT_SECONDS(1)); /* it lived for a while */
        close(fd);
        event_wait(&s.down, i);
        wait_armed();
        stint__vclock_advance(STINT_MS(20));
    }
    close(listener);
    side_fini(&s);
}

struct asked {
    struct stint__exchange x;
    struct event replied;
};

static void on_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    (void)in;
    event_raise(&STINT__CONTAINER_OF(x, struct asked, x)->replied);
}

static void on_lost(struct stint__exchange *x, const stint_error *error)
{
    (void)x, (void)error;
    abort();
}

/* A request that is answered with `code`. */
static void ask(struct side *s, int fd, stint_code code)
{
    static const struct stint__exchange_ops ops = {on_reply, on_lost};
    struct asked a = {.x.ops = &ops};
    struct stint__envelope request = {.kind = STINT__KIND_REQUEST};
    struct stint__envelope reply = {.kind = STINT__KIND_REPLY, .code = (uint32_t)code};
    event_init(&a.replied);
    assert_int_equal(stint__peer_submit(s->peer, &a.x, &request, NULL), STINT_OK);
    struct stint__sp_stack stack =
        stint__sp_stack_of(raw_expect_kind(fd, true, STINT__KIND_REQUEST));
    raw_send_frame(fd, true, &stack, &reply);
    event_wait(&a.replied, 1);
    event_fini(&a.replied);
}

/* Hangs up; how long until the client comes back. */
static stint_duration return_after(struct side *s, int fd, unsigned nth)
{
    close(fd);
    event_wait(&s->down, nth);
    wait_armed();
    stint_time before = stint_now();
    assert_true(stint__vclock_step((stint_time){INT64_MAX}));
    return stint_time_sub(stint_now(), before);
}

/* That it says something first does not help a server that hangs up at once, again and again. */
static void only_a_connection_of_use_resets_the_backoff(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    int listener = raw_listen(url);
    open_peer(&s, url);
    for (unsigned i = 0; i < 6; i++) {
        int fd = raw_accept(listener);
        raw_shake_hands(fd, STINT__SP_REP, STINT__SP_REQ);
        event_wait(&s.up, i + 1);
        settle(fd);
        if (i == 2)
            ask(&s, fd, STINT_UNAVAILABLE);
        if (i == 4)
            ask(&s, fd, STINT_OK);
        stint_duration base = STINT_MS(10) << (i < 4 ? i : i - 4);
        assert_in_range(return_after(&s, fd, i + 1), base / 2, base);
    }
    close(listener);
    side_fini(&s);
}

/* How long until the next attempt, which fails. */
static stint_duration next_attempt(struct side *s, unsigned nth)
{
    stint_time before = stint_now();
    wait_armed();
    assert_true(stint__vclock_step((stint_time){INT64_MAX}));
    event_wait(&s->down, nth);
    return stint_time_sub(stint_now(), before);
}

static void attempts_back_off_to_the_maximum_with_jitter(struct cluster *c)
{
    struct side s;
    open_peer(&s, cluster_ipc_url(c, "nobody"));
    event_wait(&s.down, 1);
    stint_duration longest = 0;
    stint_duration shortest = STINT_SECONDS(10);
    for (unsigned i = 0; i < 40; i++) {
        stint_duration base = i < 7 ? STINT_MS(10) << i : STINT_SECONDS(1);
        stint_duration delay = next_attempt(&s, i + 2);
        assert_in_range(delay, base / 2, base);
        if (i < 7)
            continue;
        longest = delay > longest ? delay : longest;
        shortest = delay < shortest ? delay : shortest;
    }
    assert_true(longest - shortest > STINT_MS(100)); /* chance of a failure: 1e-20 */
    side_fini(&s);
}

/* ---- accepting ---- */

/* Takes every descriptor there is below a new limit; returns how many, in fds. */
static size_t exhaust_descriptors(int like, int fds[], size_t max)
{
    struct rlimit limit;
    assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), 0);
    fds[0] = dup(like);
    limit.rlim_cur = (rlim_t)fds[0] + max / 2;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t n = 1;
    while (n < max && (fds[n] = dup(like)) >= 0)
        n++;
    assert_true(n < max);
    return n;
}

static void give_descriptors_back(const int fds[], size_t n, const struct rlimit *limit)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    assert_return_code(setrlimit(RLIMIT_NOFILE, limit), 0);
}

/* The first of the tests: nothing of an earlier one is still to be closed. */
static void without_descriptors_accepting_pauses_and_goes_on(struct cluster *c)
{
    struct side s;
    const char *url = cluster_ipc_url(c, "s");
    struct rlimit limit;
    int fds[64];
    open_acceptor(&s, url);
    int first = raw_connect(url);
    raw_shake_hands(first, STINT__SP_REQ, STINT__SP_REP);
    event_wait(&s.up, 1);
    assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int second = raw_socket(url);
    size_t n = exhaust_descriptors(second, fds, 64);
    raw_connect_socket(second, url);
    event_wait(&s.logged, 1);
    wait_armed();
    stint__vclock_advance(STINT_MS(100)); /* still none */
    event_wait(&s.logged, 2);
    give_descriptors_back(fds, n, &limit);
    wait_armed();
    stint__vclock_advance(STINT_MS(100));
    raw_shake_hands(second, STINT__SP_REQ, STINT__SP_REP);
    event_wait(&s.up, 2);
    close(first);
    close(second);
    event_wait(&s.down, 2);
    side_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(without_descriptors_accepting_pauses_and_goes_on),
        CLUSTER_TEST(a_silent_server_is_lost_after_two_heartbeats),
        CLUSTER_TEST(a_silent_client_is_lost_after_two_heartbeats),
        CLUSTER_TEST(a_stock_peer_may_be_silent_for_ever),
        CLUSTER_TEST(who_takes_its_replies_lives_although_it_is_not_heard),
        CLUSTER_TEST(who_takes_nothing_is_lost_whatever_it_knows),
        CLUSTER_TEST(what_is_left_of_a_batch_is_handed_up_when_there_is_room),
        CLUSTER_TEST(a_half_used_batch_can_be_left),
        CLUSTER_TEST(a_process_that_was_stopped_gives_the_peer_time),
        CLUSTER_TEST(who_does_not_shake_hands_is_dropped_after_ten_seconds),
        CLUSTER_TEST(a_lost_connection_is_made_again_within_20_ms),
        CLUSTER_TEST(only_a_connection_of_use_resets_the_backoff),
        CLUSTER_TEST(attempts_back_off_to_the_maximum_with_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
