/* server_torture_test.c - a server that is too small for what is asked of it, and that now and then
 * gets no memory: methods of all kinds, all criticalities, deadlines of nothing to 50 ms, cancels,
 * connections that go with calls under way, and a drain or a stop in the middle of it. Whatever
 * happens: every call ends once at its caller, the server's books add up, and nothing is left. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "alloc.h"
#include "books.h"
#include "patience.h"
#include "probe.h"
#include "random.h"
#include "unit.h"

#define ROUNDS       8
#define ROUND        STINT_MS(900)
#define CALLERS      3
#define PER_CHANNEL  60
#define FAIL_ONE_IN  3000 /* allocations */
#define TICKETS      64   /* more than may be in flight */
#define MAX_INFLIGHT 24

static const char *url;
static uint64_t first_seed = 1; /* or the second argument */

/* Fails some allocations, while it is on. */
static struct {
    atomic_bool on;
    atomic_ullong asked, seed;
    atomic_uint failed;
} gate;

static bool allows(void *arg, size_t n)
{
    (void)arg, (void)n;
    if (!atomic_load_explicit(&gate.on, memory_order_relaxed))
        return true;
    uint64_t i = atomic_fetch_add_explicit(&gate.asked, 1, memory_order_relaxed);
    if (stint__mix(atomic_load(&gate.seed) + i) % FAIL_ONE_IN != 0)
        return true;
    atomic_fetch_add(&gate.failed, 1);
    return false;
}

struct torture {
    struct probe p;
    uint64_t seed;
    atomic_uint executed;
    atomic_bool over; /* callers stop, */
    atomic_bool done; /* and then the finisher */
    pthread_mutex_t mutex;
    stint_ticket *tickets[TICKETS]; /* guarded by the mutex */
    unsigned n_tickets;
};

static uint64_t draw(uint64_t *seed)
{
    return stint__mix(*seed += UINT64_C(0x9E3779B97F4A7C15));
}

static void pause_for(stint_duration d)
{
    const struct timespec ts = {.tv_nsec = (long)d};
    nanosleep(&ts, NULL);
}

/* ---- handlers ---- */

static stint_code quick(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct torture *t = self;
    (void)ctx, (void)rep, (void)call;
    atomic_fetch_add(&t->executed, 1);
    return (stint_code)req->code;
}

/* Sleeps as its context says, or without regard to it. */
static stint_code work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    struct torture *t = self;
    atomic_fetch_add(&t->executed, 1);
    rep->payload.data = stint_call_alloc(call, req->reply_size);
    rep->payload.len = rep->payload.data != NULL ? req->reply_size : 0;
    if (req->hold)
        return stint_ctx_sleep(ctx, STINT_SECONDS(10));
    if (req->gated)
        pause_for(STINT_MS(3));
    else if (req->code == 0)
        return stint_ctx_sleep(ctx, STINT_US(req->reply_size));
    return (stint_code)req->code;
}

static void finish(stint_ticket *ticket)
{
    static const Probe__V1__Reply rep = PROBE__V1__REPLY__INIT;
    probe_v1_probe_later_finish(ticket, STINT_OK, &rep, NULL);
}

/* Finishes at once, or lets another thread do it. */
static stint_code later(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct torture *t = self;
    stint_ticket *ticket;
    (void)ctx, (void)rep;
    atomic_fetch_add(&t->executed, 1);
    stint_code code = stint_call_defer(call, &ticket, NULL);
    if (code != STINT_OK)
        return code;
    pthread_mutex_lock(&t->mutex);
    bool keep = !req->gated && t->n_tickets < TICKETS;
    if (keep)
        t->tickets[t->n_tickets++] = ticket;
    pthread_mutex_unlock(&t->mutex);
    if (!keep)
        finish(ticket);
    return STINT_DEFERRED;
}

static const probe_v1_probe_ops ops = {
    .quick = quick, .work = work, .later = later, .hasty = work, .careful = work};

/* A random ticket now and then; all of them in the end. */
static void *finisher(void *arg)
{
    struct torture *t = arg;
    uint64_t seed = t->seed ^ 77;
    for (;;) {
        stint_ticket *ticket = NULL;
        bool done = atomic_load(&t->done);
        pthread_mutex_lock(&t->mutex);
        if (t->n_tickets > 0) {
            unsigned i = (unsigned)(draw(&seed) % t->n_tickets);
            ticket = t->tickets[i];
            t->tickets[i] = t->tickets[--t->n_tickets];
        }
        pthread_mutex_unlock(&t->mutex);
        if (ticket != NULL)
            finish(ticket);
        else if (done)
            return NULL;
        if (!done)
            pause_for(STINT_US(200));
    }
}

/* ---- callers ---- */

struct caller {
    struct torture *t;
    uint64_t seed;
    pthread_t thread;
    unsigned begun, refused; /* asynchronous calls; and how many ended before they began */
    atomic_uint ended, ok;
};

static void ended(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct caller *c = arg;
    (void)err;
    probe_free(rep);
    if (code == STINT_OK)
        atomic_fetch_add(&c->ok, 1);
    atomic_fetch_add(&c->ended, 1);
}

static void begin_call(struct caller *c, stint_channel *ch, const stint_ctx *ctx)
{
    typedef stint_code begin(const stint_ctx *, stint_channel *, const Probe__V1__Request *,
                             probe_v1_probe_work_done *, void *, stint_error *);
    static begin *const stubs[] = {probe_v1_probe_quick_async, probe_v1_probe_work_async,
                                   probe_v1_probe_work_async,  probe_v1_probe_later_async,
                                   probe_v1_probe_hasty_async, probe_v1_probe_careful_async};
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    uint64_t r = draw(&c->seed);
    req.hold = r % 41 == 0;
    req.gated = r % 7 == 0;
    req.code = r % 11 == 0 ? STINT_NOT_FOUND : 0;
    req.reply_size = (uint32_t)((r >> 8) % 3000);
    begin *stub = stubs[(r >> 32) % (sizeof stubs / sizeof stubs[0])];
    if (stub(ctx, ch, &req, ended, c, NULL) == STINT_OK)
        c->begun++;
    else
        c->refused++;
}

/* One connection, which goes with its last calls under way. */
static void use_channel(struct caller *c, stint_channel *ch)
{
    for (int i = 0; i < PER_CHANNEL && !atomic_load(&c->t->over); i++) {
        uint64_t r = draw(&c->seed);
        stint_ctx *level =
            stint_ctx_with_criticality(stint_ctx_background(), (stint_criticality)(r % 5));
        stint_ctx *ctx = stint_ctx_with_timeout(level, (stint_duration)(r % 50000000));
        for (uint64_t n = 1 + (r >> 40) % 4; n > 0; n--)
            begin_call(c, ch, ctx);
        if ((r >> 32) % 4 == 0)
            pause_for((stint_duration)((r >> 16) % 2000000));
        if ((r >> 34) % 4 == 0)
            stint_ctx_cancel(ctx, STINT_CANCELLED, "on second thoughts");
        stint_ctx_unref(ctx);
        stint_ctx_unref(level);
    }
}

static void *caller(void *arg)
{
    struct caller *c = arg;
    while (!atomic_load(&c->t->over)) {
        stint_channel *ch;
        if (stint_channel_open(&ch, url, NULL, NULL) != STINT_OK)
            continue; /* no memory */
        use_channel(c, ch);
        stint_channel_close(ch);
    }
    return NULL;
}

/* ---- a round ---- */

static void start(struct torture *t, struct caller *callers, pthread_t *finishing)
{
    static const stint_server_options small = {
        .size = sizeof small,
        .workers = 3,
        .max_queue = 6,
        .max_inflight = MAX_INFLIGHT,
        .max_concurrency = 5,
        .max_connection_inflight = 16,
    };
    probe_init(&t->p);
    t->p.sopts = small;
    t->p.ops = &ops;
    t->p.self = t;
    probe_start(&t->p, url);
    pthread_mutex_init(&t->mutex, NULL);
    assert_int_equal(pthread_create(finishing, NULL, finisher, t), 0);
    atomic_store(&gate.seed, t->seed);
    atomic_store(&gate.on, true);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.t = t, .seed = t->seed + UINT64_C(1000) * (i + 1)};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, caller, &callers[i]), 0);
    }
}

/* In the middle of everything. */
static void end_server(struct torture *t)
{
    pause_for(ROUND);
    if (t->seed % 2 == 0) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(30));
        (void)!stint_server_drain(t->p.server, ctx, NULL);
        stint_ctx_drop(ctx);
    }
    if (t->seed % 4 < 3)
        stint_server_stop(t->p.server);
}

/* Returns how many calls ended OK. */
static unsigned one_round(uint64_t seed)
{
    struct torture t = {.seed = seed};
    struct caller callers[CALLERS];
    pthread_t finishing;
    unsigned begun = 0, over = 0, ok = 0;
    start(&t, callers, &finishing);
    end_server(&t);
    atomic_store(&t.over, true);
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        begun += callers[i].begun;
        over += atomic_load(&callers[i].ended); /* a closed channel has told all */
        ok += atomic_load(&callers[i].ok);
    }
    atomic_store(&gate.on, false);
    assert_int_equal(begun, over);
    books_wait(t.p.server);        /* by itself, if it was not stopped */
    stint_server_stop(t.p.server); /* what a closed channel had sent may still arrive, and a handler
                                      may have been about to keep its ticket */
    atomic_store(&t.done, true);
    pthread_join(finishing, NULL);
    stint_server_stats s = books_check(t.p.server);
    assert_int_equal(s.executed, atomic_load(&t.executed));
    assert_true(s.ok >= ok);
    assert_true(s.requests <= begun);
    print_message(
        "%u calls, %u requests: %u executed, %u ok, %u cancelled, %u expired, %u short of "
        "time, %u full, %u draining, %u other; %u allocations failed\n",
        begun, (unsigned)s.requests, (unsigned)s.executed, (unsigned)s.ok, (unsigned)s.cancelled,
        (unsigned)(s.expired_arrival + s.expired_queue),
        (unsigned)(s.insufficient_arrival + s.insufficient_queue), (unsigned)s.refused_full,
        (unsigned)s.refused_draining, (unsigned)s.refused_other, atomic_exchange(&gate.failed, 0));
    probe_stop(&t.p);
    pthread_mutex_destroy(&t.mutex);
    return ok;
}

static void whatever_happens_it_adds_up(void **state)
{
    (void)state;
    stint__alloc_set_gate(allows, NULL); /* is off */
    unsigned ok = 0;
    for (int i = 0; i < ROUNDS; i++)
        ok += one_round(first_seed + (uint64_t)i);
    assert_true(ok > 0);
    stint__alloc_set_gate(NULL, NULL);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, "mem://torture");
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_happens_it_adds_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
