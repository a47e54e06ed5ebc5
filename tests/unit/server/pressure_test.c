/* pressure_test.c - one client that asks for more than it reads, or stays when it is told to leave:
 * what a server holds for it is bounded, and so is how long it waits. */
#include <string.h>
#include <unistd.h>

#include "cluster.h"
#include "patience.h"
#include "probe.h"
#include "raw.h"
#include "unit.h"

#define REPLY_SIZE  ((uint32_t)512 * 1024)
#define MAX_MESSAGE ((size_t)1024 * 1024) /* twice that may wait to be written */
#define MANY        1000

/* Many requests in one write. */
static void ask_for_much(int fd, const char *path)
{
    static uint8_t bytes[MANY * 64];
    uint8_t payload[8];
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.reply_size = REPLY_SIZE;
    struct stint__envelope e = {
        .kind = STINT__KIND_REQUEST,
        .method = {(const uint8_t *)path, strlen(path)},
        .has_payload = true,
        .payload = {payload, probe__v1__request__pack(&req, payload)},
    };
    size_t n = 0;
    for (uint32_t id = 1; id <= MANY; id++) {
        struct stint__sp_stack stack = stint__sp_stack_of(id);
        size_t header = stint__envelope_header_size(&e);
        n += stint__sp_frame_head(true, stack.len + header + e.payload.len, bytes + n);
        memcpy(bytes + n, stack.bytes, stack.len);
        stint__envelope_encode_header(&e, bytes + n + stack.len);
        memcpy(bytes + n + stack.len + header, payload, e.payload.len);
        n += stack.len + header + e.payload.len;
        assert_true(n + 64 <= sizeof bytes);
    }
    raw_send(fd, bytes, n);
}

static stint_server_stats stats_of(struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats;
}

/* How many of the requests are executed for a client that reads nothing, until it is given up. */
static uint64_t executed_in_vain(struct cluster *c, const char *path)
{
    struct probe p;
    probe_init(&p);
    p.sopts.max_message = MAX_MESSAGE;
    p.sopts.heartbeat = STINT_MS(100);
    const char *url = cluster_ipc_url(c, "s");
    probe_start(&p, url);
    int fd = raw_connect(url);
    raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
    ask_for_much(fd, path);
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (stats_of(&p).stalled == 0) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("the client that does not read was not given up");
        pause_between_looks();
    }
    uint64_t executed = stats_of(&p).executed;
    close(fd);
    probe_stop(&p);
    return executed;
}

static void who_does_not_read_is_not_worked_for(struct cluster *c)
{
    /* What may be queued, what sockets hold, and the one that was too much. */
    assert_in_range(executed_in_vain(c, "probe.v1.Probe/Quick"), 1, 10);
}

/* Its requests have all been read, so nothing is left to be held back: but it is given up. */
static void who_does_not_read_what_workers_reply_is_given_up(struct cluster *c)
{
    assert_in_range(executed_in_vain(c, "probe.v1.Probe/Work"), 1, MANY);
}

/* One connection cannot take all the calls there may be. */
static void a_connection_has_its_own_limit_of_calls(struct cluster *c)
{
    enum { LIMIT = 2 };
    struct probe p;
    struct outcome slow[LIMIT];
    stint_channel *other;
    stint_error err;
    Probe__V1__Request gated = PROBE__V1__REQUEST__INIT;
    gated.gated = true;
    probe_init(&p);
    p.sopts.max_connection_inflight = LIMIT;
    const char *url = cluster_ipc_url(c, "s");
    probe_start(&p, url);
    for (unsigned i = 0; i < LIMIT; i++) {
        outcome_init(&slow[i]);
        assert_int_equal(probe_v1_probe_work_async(stint_ctx_background(), p.ch, &gated, probe_done,
                                                   &slow[i], NULL),
                         STINT_OK);
    }
    event_wait(&p.entered, LIMIT);
    probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), NULL, STINT_RESOURCE_EXHAUSTED,
               &err);
    assert_int_equal(err.reason, STINT_REASON_QUEUE_FULL);
    assert_true(err.not_executed);
    assert_int_equal(stint_channel_open(&other, url, NULL, &err), STINT_OK);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep;
    assert_int_equal(probe_v1_probe_quick(stint_ctx_background(), other, &req, &rep, &err),
                     STINT_OK);
    probe_free(rep);
    stint_channel_close(other);
    event_raise(&p.gate);
    for (unsigned i = 0; i < LIMIT; i++) {
        event_wait(&slow[i].event, 1);
        assert_int_equal(slow[i].err.code, STINT_OK);
        outcome_fini(&slow[i]);
    }
    probe_free(probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), NULL, STINT_OK, NULL));
    probe_stop(&p);
}

static void who_stays_holds_up_a_drain_until_its_context_ends(struct cluster *c)
{
    struct probe p;
    stint_error err;
    probe_init(&p);
    const char *url = cluster_ipc_url(c, "s");
    probe_start(&p, url);
    int fd = raw_connect_with_features(url);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(20));
    assert_int_equal(stint_server_drain(p.server, ctx, &err), STINT_DEADLINE_EXCEEDED);
    stint_ctx_drop(ctx);
    raw_expect_kind(fd, true, STINT__KIND_GOAWAY);
    stint_server_stop(p.server);
    assert_int_equal(raw_receive_end(fd), 0);
    close(fd);
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(who_does_not_read_is_not_worked_for),
        CLUSTER_TEST(who_does_not_read_what_workers_reply_is_given_up),
        CLUSTER_TEST(a_connection_has_its_own_limit_of_calls),
        CLUSTER_TEST(who_stays_holds_up_a_drain_until_its_context_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
