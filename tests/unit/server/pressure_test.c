/* pressure_test.c - one client that asks for more than it reads: what a server holds for it is
 * bounded. */
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

static void check_bounded(struct cluster *c, const char *path)
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
    /* What may be queued, what sockets hold, and one reply of each thread that runs handlers. */
    assert_in_range(stats_of(&p).executed, 1, 10);
    close(fd);
    probe_stop(&p);
}

static void who_does_not_read_is_not_worked_for(struct cluster *c)
{
    check_bounded(c, "probe.v1.Probe/Quick");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(who_does_not_read_is_not_worked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
