/* stock_test.c - stock sockets of NNG and of old nanomsg on the other end of a connection. They
 * live in programs of their own. */
#include "cluster.h"
#include "echo.h"
#include "patience.h"

#define CALLS      200
#define CALLS_TEXT "200"
#define PAYLOAD    100

static void wait_replies(struct echo_load *l, unsigned long long n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (atomic_load(&l->replies) < n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%llu replies of %llu", atomic_load(&l->replies), n);
        pause_between_looks();
    }
}

/* Over tcp and over ipc. */
static void for_each_scheme(struct cluster *c, void (*body)(struct cluster *c, const char *url))
{
    body(c, "tcp://127.0.0.1:0");
    body(c, cluster_ipc_url(c, "s"));
}

/* ---- they call ---- */

static void serve_nng(struct cluster *c, const char *url)
{
    struct echo_server s;
    echo_server_open(&s, url, NULL);
    struct node *client = CLUSTER_START(c, "req", stint__acceptor_url(s.acceptor),
                                        PROGRAM_stock_node, "req", NODE_URL, CALLS_TEXT);
    assert_int_equal(node_wait_exit(client), 0);
    assert_int_equal(s.requests, CALLS);
    echo_server_close(&s);
}

static void an_nng_req_socket_is_served(struct cluster *c)
{
    for_each_scheme(c, serve_nng);
}

static void serve_nanomsg(struct cluster *c, const char *url)
{
    struct echo_server s;
    echo_server_open(&s, url, NULL);
    struct node *client = CLUSTER_START(c, "nanomsg", stint__acceptor_url(s.acceptor),
                                        PROGRAM_nanomsg_client, NODE_URL, CALLS_TEXT);
    assert_int_equal(node_wait_exit(client), 0);
    assert_int_equal(s.requests, CALLS);
    echo_server_close(&s);
}

static void an_old_nanomsg_req_socket_is_served(struct cluster *c)
{
    for_each_scheme(c, serve_nanomsg);
}

/* ---- they are called ---- */

static void call_nng(struct cluster *c, const char *url)
{
    struct node *server = CLUSTER_START(c, "rep", url, PROGRAM_stock_node, "rep", NODE_URL);
    node_wait_ready(server);
    struct echo_load l = {0};
    echo_load_start(&l, node_url(server), 1, PAYLOAD, NULL);
    wait_replies(&l, CALLS);
    echo_load_close(&l);
    assert_int_equal(node_lines_with(server, "not a request"), 0);
    assert_int_equal(l.wrong, 0);
    assert_int_equal(l.connects, 1);
    node_kill(server);
}

static void an_nng_rep_socket_can_be_called(struct cluster *c)
{
    for_each_scheme(c, call_nng);
}

/* ---- a device between: requests and replies have a stack of two words ---- */

static void a_device_passes_calls_on(struct cluster *c)
{
    struct echo_server s;
    struct echo_load one = {0};
    struct echo_load two = {0};
    const char *front = cluster_ipc_url(c, "front");
    echo_server_open(&s, cluster_ipc_url(c, "back"), NULL);
    struct node *device = CLUSTER_START(c, "device", front, PROGRAM_stock_node, "device", NODE_URL,
                                        stint__acceptor_url(s.acceptor));
    node_wait_ready(device);
    echo_load_start(&one, front, 1, PAYLOAD, NULL);
    echo_load_start(&two, front, 1, PAYLOAD, NULL);
    struct node *stock =
        CLUSTER_START(c, "req", front, PROGRAM_stock_node, "req", NODE_URL, CALLS_TEXT);
    assert_int_equal(node_wait_exit(stock), 0);
    wait_replies(&one, CALLS);
    wait_replies(&two, CALLS);
    echo_load_close(&one);
    echo_load_close(&two);
    assert_int_equal(one.wrong + two.wrong, 0);
    assert_int_equal(s.opened, 1); /* all of them came on the device's connection */
    node_kill(device);
    echo_server_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(an_nng_req_socket_is_served),
        CLUSTER_TEST(an_old_nanomsg_req_socket_is_served),
        CLUSTER_TEST(an_nng_rep_socket_can_be_called),
        CLUSTER_TEST(a_device_passes_calls_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
