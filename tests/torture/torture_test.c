/* torture_test.c - what libnng's own sockets do not survive: peers that are killed under load, that
 * connect and go at once, that send garbage. Afterwards every descriptor and connection is freed,
 * new calls succeed, and closing returns. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster.h"
#include "echo.h"
#include "leak.h"
#include "patience.h"
#include "random.h"
#include "raw.h"

#define KILLS     500 /* of clients, over ipc and again over tcp */
#define RESTARTS  100 /* of a server, the same */
#define VISITORS  300
#define IN_FLIGHT "64"
#define PAYLOAD   64

/* ---- waiting for what other processes bring about ---- */

static void wait_at_least(const char *what, atomic_uint *count, unsigned n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (atomic_load(count) < n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%s: %u, waited for %u", what, atomic_load(count), n);
        pause_between_looks();
    }
}

static void wait_replies(struct echo_load *l, unsigned long long n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (atomic_load(&l->replies) < n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("replies: %llu, waited for %llu", atomic_load(&l->replies), n);
        pause_between_looks();
    }
}

static void expect_calls_succeed(const char *url)
{
    struct echo_load l = {0};
    echo_load_start(&l, url, 8, PAYLOAD, NULL);
    wait_replies(&l, 1000);
    echo_load_close(&l);
    assert_int_equal(l.wrong, 0);
}

/* Runs `hurt` against a server at `url` and sees that nothing of it remains. */
static void survive(struct cluster *c, const char *url,
                    void (*hurt)(struct cluster *c, struct echo_server *s, const char *url))
{
    struct echo_server s;
    echo_server_open(&s, url, NULL);
    const char *bound = stint__acceptor_url(s.acceptor);
    expect_calls_succeed(bound);
    wait_at_least("closed", &s.closed, 1);
    struct leaks before = leaks_look();
    hurt(c, &s, bound);
    leaks_check(&before);
    wait_at_least("closed", &s.closed, s.opened);
    expect_calls_succeed(bound);
    wait_at_least("closed", &s.closed, s.opened);
    struct stint__transport_stats stats;
    stint__acceptor_stats(s.acceptor, &stats);
    assert_int_equal(stats.open, 0);
    assert_int_equal(stats.connects, stats.disconnects);
    echo_server_close(&s);
}

/* ---- clients are killed ---- */

static void kill_clients(struct cluster *c, struct echo_server *s, const char *url)
{
    struct node *client =
        CLUSTER_START(c, "load", url, PROGRAM_echo_node, "load", NODE_URL, IN_FLIGHT);
    for (unsigned i = 0; i < KILLS; i++) {
        if (i > 0)
            node_start(client);
        /* At another moment of its life each time. */
        wait_at_least("requests", &s->requests, atomic_load(&s->requests) + 1 + i * 7 % 500);
        node_kill(client);
    }
    wait_at_least("closed", &s->closed, KILLS + 1);
}

static void clients_are_killed_over_ipc(struct cluster *c)
{
    survive(c, cluster_ipc_url(c, "s"), kill_clients);
}

static void clients_are_killed_over_tcp(struct cluster *c)
{
    survive(c, "tcp://127.0.0.1:0", kill_clients);
}

/* ---- a server is killed and comes back ---- */

static void restart_server(struct cluster *c, const char *url)
{
    struct node *server = CLUSTER_START(c, "server", url, PROGRAM_echo_node, "serve", NODE_URL);
    node_wait_ready(server);
    expect_calls_succeed(node_url(server)); /* and NNG has its threads */
    struct leaks before = leaks_look();
    struct echo_load l = {0};
    echo_load_start(&l, node_url(server), 64, PAYLOAD, NULL);
    wait_replies(&l, 100);
    for (unsigned i = 0; i < RESTARTS; i++) {
        node_kill(server);
        node_start(server);
        unsigned long long replies = atomic_load(&l.replies);
        wait_replies(&l, replies + 64 + i * 7 % 500);
    }
    echo_load_close(&l);
    assert_int_equal(l.wrong, 0);
    assert_true(l.downs >= RESTARTS);
    leaks_check(&before);
}

static void a_server_is_restarted_over_ipc(struct cluster *c)
{
    restart_server(c, cluster_ipc_url(c, "s"));
}

static void a_server_is_restarted_over_tcp(struct cluster *c)
{
    restart_server(c, "tcp://127.0.0.1:0");
}

/* ---- visitors who do not stay ---- */

static void end_with_a_reset(int fd)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void visit(struct cluster *c, struct echo_server *s, const char *url)
{
    (void)c;
    (void)s;
    for (unsigned i = 0; i < VISITORS; i++) {
        int fd = raw_connect(url);
        if (i % 3 == 1)
            end_with_a_reset(fd);
        if (i % 3 == 2)
            raw_send(fd, "\0SP\0\0\x30\0\0", i % 9);
        close(fd);
    }
}

static void visitors_come_and_go_over_ipc(struct cluster *c)
{
    survive(c, cluster_ipc_url(c, "s"), visit);
}

static void visitors_come_and_go_over_tcp(struct cluster *c)
{
    survive(c, "tcp://127.0.0.1:0", visit);
}

/* ---- garbage ---- */

static void send_random(int fd, bool ipc)
{
    (void)ipc;
    uint8_t bytes[3000];
    size_t len = 1 + stint__random() % sizeof bytes;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)stint__random();
    (void)!send(fd, bytes, len, MSG_NOSIGNAL);
}

static void send_http(int fd, bool ipc)
{
    (void)ipc;
    raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
}

static void send_wrong_protocol(int fd, bool ipc)
{
    (void)ipc;
    raw_send(fd, "\0SP\0\0\x10\0\0", 8);
}

static void shake_hands(int fd)
{
    raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
}

static void send_random_after_the_handshake(int fd, bool ipc)
{
    shake_hands(fd);
    send_random(fd, ipc);
}

static void send_huge_length(int fd, bool ipc)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    shake_hands(fd);
    raw_send(fd, head, stint__sp_frame_head(ipc, UINT64_MAX >> stint__random() % 40, head));
}

static void send_half_a_frame(int fd, bool ipc)
{
    static const uint8_t zeros[100000];
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    shake_hands(fd);
    raw_send(fd, head, stint__sp_frame_head(ipc, 4 << 20, head));
    raw_send(fd, zeros, stint__random() % sizeof zeros);
}

static void send_a_random_envelope(int fd, bool ipc)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    uint8_t body[200] = {0x80, 0, 0, 1};
    size_t len = 4 + stint__random() % (sizeof body - 4);
    for (size_t i = 4; i < len; i++)
        body[i] = (uint8_t)stint__random();
    shake_hands(fd);
    raw_send(fd, head, stint__sp_frame_head(ipc, len, head));
    (void)!send(fd, body, len, MSG_NOSIGNAL);
}

static void throw_garbage(struct cluster *c, struct echo_server *s, const char *url)
{
    static void (*const kinds[])(int fd, bool ipc) = {
        send_random,
        send_http,
        send_wrong_protocol,
        send_random_after_the_handshake,
        send_huge_length,
        send_half_a_frame,
        send_a_random_envelope,
    };
    (void)c;
    (void)s;
    for (unsigned i = 0; i < VISITORS; i++) {
        int fd = raw_connect(url);
        kinds[i % (sizeof kinds / sizeof kinds[0])](fd, url[0] == 'i');
        if (stint__random() % 2 == 0)
            raw_readable(fd, 5); /* sometimes the server ends it first */
        close(fd);
    }
}

static void garbage_is_thrown_over_ipc(struct cluster *c)
{
    survive(c, cluster_ipc_url(c, "s"), throw_garbage);
}

static void garbage_is_thrown_over_tcp(struct cluster *c)
{
    survive(c, "tcp://127.0.0.1:0", throw_garbage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(visitors_come_and_go_over_ipc),  CLUSTER_TEST(visitors_come_and_go_over_tcp),
        CLUSTER_TEST(garbage_is_thrown_over_ipc),     CLUSTER_TEST(garbage_is_thrown_over_tcp),
        CLUSTER_TEST(clients_are_killed_over_ipc),    CLUSTER_TEST(clients_are_killed_over_tcp),
        CLUSTER_TEST(a_server_is_restarted_over_ipc), CLUSTER_TEST(a_server_is_restarted_over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
