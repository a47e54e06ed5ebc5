/* full_test.c - strangers that know SP and the envelope's .proto, and nothing else of ours, call a
 * server; a channel calls a stranger; and both through a device. */
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "node.h"
#include "probe.h"

#define WORK "probe.v1.Probe/Work"

static void expect_reply(struct cluster *c, const char *program, const char *url,
                         const char *const call[2], const char *reply)
{
    struct node *n = CLUSTER_START(c, "stranger", url, program, NODE_URL, call[0], call[1]);
    assert_int_equal(node_wait_exit(n), 0);
    if (node_lines_with(n, reply) != 1)
        fail_msg("%s with budget %s: expected \"%s\"", call[0], call[1], reply);
}

static void call_as_stranger(struct cluster *c, const char *program, const char *url)
{
    char unimplemented[64];
    char expired[64];
    snprintf(unimplemented, sizeof unimplemented, "reply %d %d not-executed none",
             STINT_UNIMPLEMENTED, STINT_REASON_NO_SUCH_METHOD);
    snprintf(expired, sizeof expired, "reply %d %d not-executed none", STINT_DEADLINE_EXCEEDED,
             STINT_REASON_EXPIRED_ON_ARRIVAL);
    expect_reply(c, program, url, (const char *[]){WORK, "-"}, "reply 0 0 executed hello");
    expect_reply(c, program, url, (const char *[]){WORK, "5000000"}, "reply 0 0 executed hello");
    expect_reply(c, program, url, (const char *[]){"probe.v1.Probe/Wor", "-"}, unimplemented);
    expect_reply(c, program, url, (const char *[]){"Work", "-"}, unimplemented);
    expect_reply(c, program, url, (const char *[]){WORK, "0"}, expired);
}

static void strangers_call(struct cluster *c, const char *url)
{
    struct probe p;
    probe_init(&p);
    probe_start(&p, url);
    char bound[128];
    snprintf(bound, sizeof bound, "%s", stint_server_url(p.server, 0));
    call_as_stranger(c, PROGRAM_call_nng, bound);
    call_as_stranger(c, PROGRAM_call_nanomsg, bound);
    assert_int_equal(atomic_load(&p.executed), 4);
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p.server, &stats);
    assert_int_equal(stats.requests, 10);
    assert_int_equal(stats.expired_arrival, 2);
    assert_int_equal(stats.refused_method, 4);
    assert_int_equal(stats.malformed, 0);
    probe_stop(&p);
}

static void strangers_call_over_ipc(struct cluster *c)
{
    strangers_call(c, cluster_ipc_url(c, "s"));
}

static void strangers_call_over_tcp(struct cluster *c)
{
    strangers_call(c, "tcp://127.0.0.1:0");
}

/* What is sent comes back as the reply's message: field 1 of both is the payload. */
static void call_once(stint_channel *ch, stint_code code)
{
    uint8_t bytes[] = "there and back";
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.payload = (ProtobufCBinaryData){sizeof bytes, bytes};
    Probe__V1__Reply *rep;
    stint_error err;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20));
    stint_code got = probe_v1_probe_work(ctx, ch, &req, &rep, &err);
    if (got != code)
        fail_msg("%s: %s", stint_code_name(got), err.message);
    if (got == STINT_OK) {
        assert_int_equal(rep->payload.len, sizeof bytes);
        assert_memory_equal(rep->payload.data, bytes, sizeof bytes);
    }
    probe_free(rep);
    stint_ctx_drop(ctx);
}

static void call_a_stranger(struct cluster *c, const char *url)
{
    struct node *server = CLUSTER_START(c, "rep", url, PROGRAM_stock_node, "rep", NODE_URL);
    node_wait_ready(server);
    stint_channel *ch;
    assert_int_equal(stint_channel_open(&ch, node_url(server), NULL, NULL), STINT_OK);
    for (int i = 0; i < 100; i++)
        call_once(ch, STINT_OK);
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(ch, &stats);
    assert_int_equal(stats.connects, 1);
    assert_int_equal(stats.malformed, 0);
    stint_channel_close(ch);
    assert_int_equal(node_lines_with(server, "not a request"), 0);
    node_kill(server);
}

static void a_stranger_is_called(struct cluster *c)
{
    call_a_stranger(c, cluster_ipc_url(c, "s"));
    call_a_stranger(c, "tcp://127.0.0.1:0");
}

static void a_device_is_no_obstacle(struct cluster *c)
{
    struct probe p;
    const char *front = cluster_ipc_url(c, "front");
    probe_init(&p);
    probe_start(&p, cluster_ipc_url(c, "back"));
    struct node *device = CLUSTER_START(c, "device", front, PROGRAM_stock_node, "device", NODE_URL,
                                        stint_server_url(p.server, 0));
    node_wait_ready(device);
    stint_channel *ch;
    assert_int_equal(stint_channel_open(&ch, front, NULL, NULL), STINT_OK);
    for (int i = 0; i < 100; i++)
        call_once(ch, STINT_OK);
    call_as_stranger(c, PROGRAM_call_nng, front);
    call_as_stranger(c, PROGRAM_call_nanomsg, front);
    assert_int_equal(atomic_load(&p.executed), 104);

    /* A cancel finds its way as well. */
    struct outcome o;
    outcome_init(&o);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    assert_int_equal(probe_v1_probe_work_async(ctx, ch, &req, probe_done, &o, NULL), STINT_OK);
    event_wait(&p.entered, 1);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    event_wait(&o.event, 1);
    event_wait(&p.left, 1);
    assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
    stint_channel_close(ch);
    node_kill(device);
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(strangers_call_over_ipc),
        CLUSTER_TEST(strangers_call_over_tcp),
        CLUSTER_TEST(a_stranger_is_called),
        CLUSTER_TEST(a_device_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
