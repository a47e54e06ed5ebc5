/* stock_test.c - stock sockets of NNG and of old nanomsg on the other end of a connection. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "cluster.h"
#include "echo.h"
#include "envelope.pb-c.h"
#include "patience.h"

#define CALLS   200
#define PAYLOAD 100

/* ---- a stock REQ socket calls a Stint server ---- */

static void call_stock(nng_socket socket, uint64_t call_id)
{
    uint8_t payload[PAYLOAD];
    uint8_t bytes[256];
    memset(payload, (int)(call_id & 0xff), sizeof payload);
    struct stint__envelope e = {.kind = STINT__KIND_REQUEST,
                                .call_id = call_id,
                                .has_payload = true,
                                .payload = {payload, sizeof payload}};
    uint8_t *end = stint__envelope_encode_header(&e, bytes);
    memcpy(end, payload, sizeof payload);
    assert_int_equal(nng_send(socket, bytes, (size_t)(end - bytes) + sizeof payload, 0), 0);
    nng_msg *reply;
    assert_int_equal(nng_recvmsg(socket, &reply, 0), 0);
    struct stint__envelope got;
    assert_int_equal(
        stint__envelope_decode(&got, (struct stint__slice){nng_msg_body(reply), nng_msg_len(reply)},
                               NULL),
        STINT_OK);
    assert_int_equal(got.kind, STINT__KIND_REPLY);
    assert_int_equal(got.call_id, call_id);
    assert_int_equal(got.payload.len, PAYLOAD);
    assert_memory_equal(got.payload.data, payload, PAYLOAD);
    nng_msg_free(reply);
}

static nng_socket stock_client(const char *url)
{
    nng_socket socket;
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 20000), 0);
    assert_int_equal(nng_dial(socket, url, NULL, 0), 0);
    return socket;
}

static void a_stock_req_socket_is_served(struct cluster *c)
{
    const char *urls[] = {"tcp://127.0.0.1:0", cluster_ipc_url(c, "s")};
    for (int i = 0; i < 2; i++) {
        struct echo_server s;
        echo_server_open(&s, urls[i], NULL);
        nng_socket socket = stock_client(stint__acceptor_url(s.acceptor));
        for (uint64_t id = 1; id <= CALLS; id++)
            call_stock(socket, id);
        nng_close(socket);
        assert_int_equal(s.requests, CALLS);
        echo_server_close(&s);
        assert_int_equal(s.closed, 1);
    }
}

static void an_old_nanomsg_req_socket_is_served(struct cluster *c)
{
    const char *urls[] = {"tcp://127.0.0.1:0", cluster_ipc_url(c, "s")};
    for (int i = 0; i < 2; i++) {
        struct echo_server s;
        echo_server_open(&s, urls[i], NULL);
        struct node *client =
            CLUSTER_START(c, i == 0 ? "nanomsg_tcp" : "nanomsg_ipc",
                          stint__acceptor_url(s.acceptor), PROGRAM_nanomsg_client, NODE_URL, "200");
        assert_int_equal(node_wait_exit(client), 0);
        assert_int_equal(s.requests, CALLS);
        echo_server_close(&s);
    }
}

/* ---- a Stint client calls a stock REP socket, which knows envelopes from protobuf-c ---- */

struct stock_server {
    nng_socket socket;
    pthread_t thread;
    unsigned served, wrong;
};

/* Returns 0 for bytes that are no request with what the load puts into one. */
static size_t answer(const nng_msg *request, uint8_t *out)
{
    Stint__Rpc__V1__Envelope *in = stint__rpc__v1__envelope__unpack(
        NULL, nng_msg_len(request), nng_msg_body((nng_msg *)(uintptr_t)request));
    if (in == NULL)
        return 0;
    Stint__Rpc__V1__Envelope reply = STINT__RPC__V1__ENVELOPE__INIT;
    reply.has_kind = reply.has_call_id = reply.has_payload = 1;
    reply.kind = STINT__RPC__V1__KIND__KIND_REPLY;
    reply.call_id = in->call_id;
    reply.payload = in->payload;
    size_t len = 0;
    if (in->kind == STINT__RPC__V1__KIND__KIND_REQUEST && in->has_budget_us &&
        in->trace_id.len == 16 && strcmp(in->method, "bench.Echo/Echo") == 0)
        len = stint__rpc__v1__envelope__pack(&reply, out);
    stint__rpc__v1__envelope__free_unpacked(in, NULL);
    return len;
}

static void *serve_stock(void *arg)
{
    struct stock_server *s = arg;
    nng_msg *request;
    while (nng_recvmsg(s->socket, &request, 0) == 0) {
        uint8_t out[512];
        size_t len = answer(request, out);
        nng_msg_free(request);
        s->wrong += len == 0;
        s->served++;
        if (nng_send(s->socket, out, len, 0) != 0)
            break;
    }
    return NULL;
}

static void wait_replies(struct echo_load *l, unsigned long long n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (atomic_load(&l->replies) < n && deadline_left_ms(&deadline) > 0)
        pause_between_looks();
    assert_true(atomic_load(&l->replies) >= n);
}

static void a_stock_rep_socket_can_be_called(struct cluster *c)
{
    static const char *const names[] = {"tcp", "ipc"};
    for (int i = 0; i < 2; i++) {
        struct stock_server s = {0};
        const char *url = i == 0 ? "tcp://127.0.0.1:0" : cluster_ipc_url(c, names[i]);
        nng_listener listener;
        char *bound;
        assert_int_equal(nng_rep0_open(&s.socket), 0);
        assert_int_equal(nng_listen(s.socket, url, &listener, 0), 0);
        assert_int_equal(nng_listener_get_string(listener, NNG_OPT_URL, &bound), 0);
        assert_int_equal(pthread_create(&s.thread, NULL, serve_stock, &s), 0);
        struct echo_load l = {0};
        echo_load_start(&l, bound, 1, PAYLOAD, NULL);
        wait_replies(&l, CALLS);
        echo_load_close(&l);
        nng_strfree(bound);
        nng_close(s.socket);
        pthread_join(s.thread, NULL);
        assert_int_equal(s.wrong, 0);
        assert_int_equal(l.wrong, 0);
        assert_in_range(l.losses, 0, 1); /* one may be in flight at the end */
        assert_true(s.served >= CALLS);
    }
}

/* ---- a device between the two: requests and replies have a stack of two words ---- */

struct device {
    nng_socket front, back;
    pthread_t thread;
};

static void *run_device(void *arg)
{
    struct device *d = arg;
    nng_device(d->front, d->back); /* until they are closed */
    return NULL;
}

static void start_device(struct device *d, const char *front, const char *back)
{
    assert_int_equal(nng_rep0_open_raw(&d->front), 0);
    assert_int_equal(nng_req0_open_raw(&d->back), 0);
    assert_int_equal(nng_listen(d->front, front, NULL, 0), 0);
    assert_int_equal(nng_dial(d->back, back, NULL, 0), 0);
    assert_int_equal(pthread_create(&d->thread, NULL, run_device, d), 0);
}

static void stop_device(struct device *d)
{
    nng_close(d->front);
    nng_close(d->back);
    pthread_join(d->thread, NULL);
}

static void a_request_through_a_device_is_answered(struct cluster *c)
{
    struct echo_server s;
    struct device d;
    const char *front = cluster_ipc_url(c, "front");
    echo_server_open(&s, cluster_ipc_url(c, "back"), NULL);
    start_device(&d, front, stint__acceptor_url(s.acceptor));
    nng_socket stock = stock_client(front);
    struct echo_load one = {0};
    struct echo_load two = {0};
    echo_load_start(&one, front, 1, PAYLOAD, NULL);
    echo_load_start(&two, front, 1, PAYLOAD, NULL);
    for (uint64_t id = 1; id <= CALLS; id++)
        call_stock(stock, id);
    wait_replies(&one, CALLS);
    wait_replies(&two, CALLS);
    echo_load_close(&one);
    echo_load_close(&two);
    nng_close(stock);
    stop_device(&d);
    assert_int_equal(one.wrong + two.wrong, 0);
    assert_int_equal(s.opened, 1); /* all of them came on the device's connection */
    echo_server_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_stock_req_socket_is_served),
        CLUSTER_TEST(an_old_nanomsg_req_socket_is_served),
        CLUSTER_TEST(a_stock_rep_socket_can_be_called),
        CLUSTER_TEST(a_request_through_a_device_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
