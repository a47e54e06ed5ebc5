/* overload_test.c - ten times more calls than the server can do, each with 50 ms: every one ends
 * once, nothing hangs, nothing piles up, and the counters add up. */
#include <stdatomic.h>
#include <string.h>

#include "books.h"
#include "patience.h"
#include "probe.h"
#include "unit.h"

#define WORKERS   2
#define TIMEOUT   STINT_MS(50)
#define PACE      STINT_MS(2) /* of a call in a worker, and of the bursts */
#define BURST     (10 * WORKERS)
#define BURSTS    500
#define CALLS     (BURST * BURSTS)
#define MAX_QUEUE 200

static const char *url;

struct tally {
    atomic_uint ended[CALLS];
    atomic_uint over;
    atomic_uint by_code[STINT_UNAUTHENTICATED + 1];
    atomic_uint executed;
};

struct entry {
    struct tally *tally;
    unsigned number;
};

static struct tally tally;
static struct entry entries[CALLS];

/* Takes its time, not the machine's. */
static stint_code take_a_while(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                               Probe__V1__Reply *rep, stint_call *call)
{
    struct tally *t = self;
    (void)req, (void)rep, (void)call;
    atomic_fetch_add(&t->executed, 1);
    return stint_ctx_sleep(ctx, PACE);
}

static void ended(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct entry *e = arg;
    (void)err;
    probe_free(rep);
    atomic_fetch_add(&e->tally->ended[e->number], 1);
    atomic_fetch_add(&e->tally->by_code[code], 1);
    atomic_fetch_add(&e->tally->over, 1);
}

static stint_server_stats stats_of(stint_server *s)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(s, &stats);
    return stats;
}

/* Returns how many calls were in flight at the server at most, as far as was seen. */
static uint64_t load(stint_server *s, stint_channel *ch)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    uint64_t most = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        entries[i] = (struct entry){&tally, i};
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), TIMEOUT);
        stint_error err;
        stint_code code = probe_v1_probe_work_async(ctx, ch, &req, ended, &entries[i], &err);
        stint_ctx_unref(ctx);
        if (code != STINT_OK)
            ended(&entries[i], code, NULL, &err);
        if (i % BURST == BURST - 1) {
            uint64_t inflight = stats_of(s).inflight;
            most = inflight > most ? inflight : most;
            assert_int_equal(stint_ctx_sleep(stint_ctx_background(), PACE), STINT_OK);
        }
    }
    return most;
}

static void wait_over(stint_server *s)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (atomic_load(&tally.over) < CALLS) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%u of %u calls ended", atomic_load(&tally.over), CALLS);
        pause_between_looks();
    }
    books_wait(s);
}

/* The server's counters, when all calls are over and nothing comes any more. Calls end at the
 * client by themselves: until it is closed, requests may still be on their way. */
static stint_server_stats last_stats(struct probe *p)
{
    assert_int_equal(stats_of(p->server).cancelled, 0);
    stint_channel_close(p->ch);
    p->ch = NULL;
    stint_server_stop(p->server);
    return books_check(p->server);
}

static void check_books(const stint_server_stats *s, const stint_channel_stats *c)
{
    unsigned known = atomic_load(&tally.by_code[STINT_OK]) +
                     atomic_load(&tally.by_code[STINT_DEADLINE_EXCEEDED]) +
                     atomic_load(&tally.by_code[STINT_RESOURCE_EXHAUSTED]);
    assert_int_equal(known, CALLS); /* ended in no other way */
    for (unsigned i = 0; i < CALLS; i++)
        assert_int_equal(atomic_load(&tally.ended[i]), 1);
    assert_int_equal(c->calls, CALLS);
    assert_int_equal(c->ok, atomic_load(&tally.by_code[STINT_OK]));
    assert_int_equal(c->ok + c->failed, c->calls);
    assert_int_equal(s->executed, atomic_load(&tally.executed));
    assert_true(c->ok <= s->ok);
    assert_true(c->ok > 0);
    assert_true(
        s->expired_queue + s->insufficient_queue + s->insufficient_arrival + s->refused_full > 0);
}

static void ten_times_too_much(void **state)
{
    (void)state;
    struct probe p; /* for its leak checks and options; the handlers are our own */
    static const probe_v1_probe_ops ops = {.work = take_a_while};
    probe_init(&p);
    p.sopts.workers = WORKERS;
    p.sopts.max_queue = MAX_QUEUE;
    assert_int_equal(stint_server_new(&p.server, &p.sopts, NULL), STINT_OK);
    assert_int_equal(probe_v1_probe_register(p.server, &ops, &tally, NULL), STINT_OK);
    assert_int_equal(stint_server_listen(p.server, url, NULL), STINT_OK);
    assert_int_equal(stint_server_start(p.server, NULL), STINT_OK);
    assert_int_equal(stint_channel_open(&p.ch, stint_server_url(p.server, 0), NULL, NULL),
                     STINT_OK);
    stint_time start = stint_now();
    uint64_t most = load(p.server, p.ch);
    double seconds = (double)stint_time_sub(stint_now(), start) / 1e9;
    wait_over(p.server);
    stint_channel_stats channel = {.size = sizeof channel};
    stint_channel_stats_get(p.ch, &channel);
    stint_server_stats server = last_stats(&p);
    check_books(&server, &channel);
    /* The queue, what runs, and what is being refused: one that has just come, and what each worker
     * and the sweep have taken out of the queue to give it up. */
    assert_in_range(most, 0, MAX_QUEUE + WORKERS + 1 + 16 * (WORKERS + 1));
    double capacity = WORKERS / ((double)PACE / 1e9);
    print_message("%.1fx the capacity: %.0f %% of it delivered; executed %u, expired in the queue "
                  "%u, refused %u; at most %u in flight\n",
                  CALLS / seconds / capacity, 100 * (double)channel.ok / seconds / capacity,
                  (unsigned)server.executed, (unsigned)server.expired_queue,
                  (unsigned)server.refused_full, (unsigned)most);
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, "ipc:///tmp/stint-overload");
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_times_too_much)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
