/* flood_test.c - a server that is full, against ten thousand connections that send garbage, and
 * some that never finish a frame: those are closed, counted, and logged at a bounded rate; calls on
 * other connections do not notice. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "patience.h"
#include "probe.h"
#include "raw.h"
#include "unit.h"

#define VISITORS  10000
#define AT_ONCE   20
#define LOITERING 50
#define HELD      2

static const char *url;

/* ---- a client that goes on ---- */

struct good {
    stint_channel *ch;
    atomic_bool stop;
    unsigned calls, failed;
    stint_duration worst;
    pthread_t thread;
};

static void *call_on(void *arg)
{
    struct good *g = arg;
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    while (!atomic_load(&g->stop)) {
        Probe__V1__Reply *rep;
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20));
        stint_time start = stint_now();
        if (probe_v1_probe_work(ctx, g->ch, &req, &rep, NULL) != STINT_OK)
            g->failed++;
        stint_duration took = stint_time_sub(stint_now(), start);
        g->worst = took > g->worst ? took : g->worst;
        g->calls++;
        probe_free(rep);
        stint_ctx_drop(ctx);
    }
    return NULL;
}

/* ---- what is logged ---- */

struct lines {
    atomic_uint written;
    atomic_ullong suppressed;
};

static void count_line(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    struct lines *l = arg;
    (void)level;
    if (strstr(text, "closed the connection") == NULL)
        return;
    atomic_fetch_add(&l->written, 1);
    atomic_fetch_add(&l->suppressed, suppressed);
}

/* ---- visitors ---- */

static void send_frame_of(int fd, bool ipc, const void *body, size_t len, uint64_t announced)
{
    uint8_t bytes[64];
    size_t head = stint__sp_frame_head(ipc, announced, bytes);
    memcpy(bytes + head, body, len);
    raw_send(fd, bytes, head + len);
}

/* One of several small frames that no client would send. */
static void misbehave(int fd, bool ipc, unsigned kind)
{
    static const uint8_t no_envelope[] = {0x80, 0, 0, 1, 0xff};
    static const uint8_t a_reply[] = {0x80, 0, 0, 1, 0x08, 2};
    static const uint8_t wrong_type[] = {0x80, 0, 0, 1, 0x0d, 1, 1, 1, 1};
    static const uint8_t no_end[] = {0, 0, 0, 1, 0, 0, 0, 1};
    switch (kind % 6) {
    case 0:
        send_frame_of(fd, ipc, no_envelope, sizeof no_envelope, sizeof no_envelope);
        break;
    case 1:
        send_frame_of(fd, ipc, a_reply, sizeof a_reply, sizeof a_reply);
        break;
    case 2:
        send_frame_of(fd, ipc, wrong_type, sizeof wrong_type, sizeof wrong_type);
        break;
    case 3:
        send_frame_of(fd, ipc, no_end, sizeof no_end, sizeof no_end);
        break;
    case 4:
        send_frame_of(fd, ipc, "x", 1, 1);
        break;
    default:
        send_frame_of(fd, ipc, "", 0, UINT64_C(1) << (40 + kind % 20));
        break;
    }
}

static void flood(const char *bound, bool ipc)
{
    int fds[AT_ONCE];
    for (unsigned i = 0; i < VISITORS / AT_ONCE; i++) {
        for (unsigned k = 0; k < AT_ONCE; k++) {
            fds[k] = raw_connect(bound);
            raw_shake_hands(fds[k], STINT__SP_REQ, STINT__SP_REP);
            misbehave(fds[k], ipc, i * AT_ONCE + k);
        }
        for (unsigned k = 0; k < AT_ONCE; k++) {
            assert_int_equal(raw_receive_end(fds[k]), 0); /* no answer, only the end */
            close(fds[k]);
        }
    }
}

/* Those who begin and do not go on: some in the handshake, some in a frame. */
static void loiter(const char *bound, bool ipc, int fds[LOITERING])
{
    static const uint8_t part[] = {0x80, 0};
    for (unsigned i = 0; i < LOITERING; i++) {
        fds[i] = raw_connect(bound);
        if (i % 2 == 0) {
            raw_send(fds[i], "\0SP", i % 4);
            continue;
        }
        raw_shake_hands(fds[i], STINT__SP_REQ, STINT__SP_REP);
        send_frame_of(fds[i], ipc, part, sizeof part, 1000000);
    }
}

/* ---- the test ---- */

static void fill_up(struct probe *p, stint_channel *ch, struct outcome held[HELD])
{
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.gated = true;
    for (unsigned i = 0; i < HELD; i++) {
        outcome_init(&held[i]);
        assert_int_equal(
            probe_v1_probe_work_async(stint_ctx_background(), ch, &req, probe_done, &held[i], NULL),
            STINT_OK);
    }
    event_wait(&p->entered, HELD);
}

static stint_server_stats stats_of(struct probe *p)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(p->server, &stats);
    return stats;
}

static void wait_connections(struct probe *p, uint64_t n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (stats_of(p).connections > n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%u connections", (unsigned)stats_of(p).connections);
        pause_between_looks();
    }
}

static void only_the_bad_are_closed(void **state)
{
    (void)state;
    struct probe p;
    struct outcome held[HELD];
    struct good good = {0};
    struct lines lines = {0};
    int loiterers[LOITERING];
    probe_init(&p);
    p.sopts.workers = HELD + 1;
    p.sopts.max_inflight = HELD + 1; /* the good client's one call just fits */
    p.sopts.log = (stint_log){count_line, &lines};
    probe_start(&p, url);
    const char *bound = stint_server_url(p.server, 0);
    bool ipc = bound[0] == 'i';
    fill_up(&p, p.ch, held);
    assert_int_equal(stint_channel_open(&good.ch, bound, NULL, NULL), STINT_OK);
    loiter(bound, ipc, loiterers);
    assert_int_equal(pthread_create(&good.thread, NULL, call_on, &good), 0);
    stint_time start = stint_now();
    flood(bound, ipc);
    double seconds = (double)stint_time_sub(stint_now(), start) / 1e9;
    atomic_store(&good.stop, true);
    pthread_join(good.thread, NULL);

    assert_int_equal(stats_of(&p).malformed, VISITORS);
    assert_int_equal(good.failed, 0);
    assert_true(good.calls > 0);
    unsigned written = atomic_load(&lines.written);
    assert_true(written > 0 && written <= 10 * ((unsigned)seconds + 2));
    assert_true(written + atomic_load(&lines.suppressed) <= VISITORS);
    print_message("%s: %.0f bad connections a second, beside %.0f good calls a second, the slowest "
                  "%.1f ms; %u lines logged\n",
                  bound, VISITORS / seconds, good.calls / seconds, (double)good.worst / 1e6,
                  written);
    for (unsigned i = 0; i < LOITERING; i++)
        close(loiterers[i]);
    event_raise(&p.gate);
    for (unsigned i = 0; i < HELD; i++) {
        event_wait(&held[i].event, 1);
        assert_int_equal(held[i].err.code, STINT_OK);
        outcome_fini(&held[i]);
    }
    wait_connections(&p, 2);
    stint_channel_close(good.ch);
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, "tcp://127.0.0.1:0");
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_bad_are_closed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
