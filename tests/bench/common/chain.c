/* chain.c - W6: the burn server's accounting and the client's open loop.
 *
 * The whole schedule of arrivals is drawn before the first call, from the seed alone, so that every
 * implementation gets the same arrivals. Counters that more than one process or thread writes are
 * only touched with atomic operations. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- the burn server ---- */

struct chain_stats *chain_stats_map(const char *path)
{
    if (path == NULL)
        die("W6", "--stats is needed");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct chain_stats)) != 0)
        die_errno(path);
    void *p = mmap(NULL, sizeof(struct chain_stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        die_errno(path);
    close(fd);
    return p;
}

/* The builtin writes through the pointer, which clang-tidy does not see. */
// NOLINTNEXTLINE(readability-non-const-parameter)
void stat_add(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint64_t burn_cpu(int us)
{
    volatile uint64_t sink = 0;
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID), now = start;
    while (now - start < (uint64_t)us * 1000) {
        for (unsigned i = 0; i < 2000; i++)
            sink = sink + i;
        now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    return now - start;
}

void burn_call(struct chain_stats *st, int us, uint64_t client_deadline)
{
    int late = now_ns() > client_deadline;
    uint64_t ns = burn_cpu(us);
    stat_add(&st->burns, 1);
    stat_add(&st->burn_ns, ns);
    if (late)
        stat_add(&st->late_ns, ns);
}

/* ---- the client's schedule ---- */

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
static uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* The gap to the next arrival of a Poisson process of `rate` a second. */
static uint64_t poisson_gap_ns(uint64_t *state, double rate)
{
    double u = ((double)(rng_next(state) >> 11) + 0.5) / 9007199254740992.0;
    return (uint64_t)(-log(u) / rate * 1e9);
}

static void chain_init(struct chain *c, const struct opts *o)
{
    uint64_t rng = o->seed, window = (uint64_t)(o->secs * 1e9);
    size_t cap = (size_t)(o->rate * o->secs * 2) + 1000;
    memset(c, 0, sizeof *c);
    c->o = *o;
    c->sched = calloc(cap, sizeof *c->sched);
    c->lat = calloc(cap, sizeof *c->lat);
    c->state = calloc(cap, sizeof *c->state);
    if (c->sched == NULL || c->lat == NULL || c->state == NULL)
        die("calloc", "schedule");
    uint64_t t = poisson_gap_ns(&rng, o->rate);
    for (; t < window && c->n < cap; t += poisson_gap_ns(&rng, o->rate))
        c->sched[c->n++] = t;
}

uint64_t chain_deadline(const struct chain *c, size_t i)
{
    return c->start + c->sched[i] + (uint64_t)c->o.deadline_ms * NS_PER_MS;
}

void chain_done(struct chain *c, size_t i, int ok)
{
    uint64_t t = now_ns();
    int good = ok && t <= chain_deadline(c, i);
    if (good)
        c->lat[i] = t - c->start - c->sched[i];
    c->state[i] = good ? 1 : 2;
    __atomic_fetch_add(&c->closed, 1, __ATOMIC_RELEASE);
}

/* ---- the run ---- */

/* What is read at both ends of the window. */
struct marks {
    struct chain_stats stats;
    uint64_t own, cpu[MAX_PIDS];
};

static void take_marks(struct marks *m, const struct opts *o, const struct chain_stats *live)
{
    m->stats = *live;
    m->own = cpu_ns(0);
    for (int k = 0; k < o->npids; k++)
        m->cpu[k] = cpu_ns(o->pids[k]);
}

static void issue_all(struct chain *c, chain_send_fn *send, void *arg)
{
    for (size_t i = 0; i < c->n; i++) {
        sleep_until_ns(c->start + c->sched[i]);
        uint64_t late = now_ns() - c->start - c->sched[i];
        if (late > c->lag)
            c->lag = late;
        send(arg, c, i);
    }
}

static size_t wait_closed(struct chain *c)
{
    size_t closed = 0;
    for (int i = 0; i < 5000; i++) {
        closed = __atomic_load_n(&c->closed, __ATOMIC_ACQUIRE);
        if (closed == c->n)
            break;
        sleep_secs(0.001);
    }
    return closed;
}

/* Moves the latencies of good calls to the front, sorted; returns how many there are. */
static size_t collect_good(struct chain *c)
{
    size_t good = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->state[i] == 1)
            c->lat[good++] = c->lat[i];
    sort_u64(c->lat, good);
    return good;
}

static double share_pct(double part, double whole)
{
    return whole > 0 ? part / whole * 100 : 0;
}

static void print_goodput(const struct chain *c, size_t n_good)
{
    double secs = c->o.secs, n = (double)c->n, good = (double)n_good;
    printf("offered_s=%.0f goodput_s=%.1f goodput_pct_cap=%.1f good_pct_offered=%.1f p50_ms=%.2f "
           "p99_ms=%.2f lag_max_ms=%.2f ",
           n / secs, good / secs, share_pct(good / secs, 1e6 / c->o.burn_us), share_pct(good, n),
           pct_us(c->lat, n_good, 50) / 1e3, pct_us(c->lat, n_good, 99) / 1e3,
           (double)c->lag / 1e6);
}

static void print_work(const struct chain *c, size_t n_good, const struct marks *m0,
                       const struct marks *m1)
{
    const struct chain_stats *s0 = &m0->stats, *s1 = &m1->stats;
    double burns = (double)(s1->burns - s0->burns), n = (double)c->n;
    double burn_ns = (double)(s1->burn_ns - s0->burn_ns);
    double wasted = burns > (double)n_good ? burns - (double)n_good : 0;
    printf("wasted_pct=%.1f late_start_pct=%.1f burns_s=%.1f burn_us=%.0f reached_c=%.0f "
           "skipped=%.0f cli_cpu_us=%.0f",
           share_pct(wasted, burns), share_pct((double)(s1->late_ns - s0->late_ns), burn_ns),
           burns / c->o.secs, burns > 0 ? burn_ns / burns / 1e3 : 0,
           (double)(s1->arrived - s0->arrived), (double)(s1->skipped - s0->skipped),
           (double)(m1->own - m0->own) / 1e3 / n);
    for (int k = 0; k < c->o.npids; k++) {
        double cpu = (double)(m1->cpu[k] - m0->cpu[k]);
        if (k == c->o.npids - 1)
            cpu -= burn_ns; /* the last is C: its overhead beside the burn */
        printf(" cpu%c_us=%.0f", "ABCD"[k], cpu / 1e3 / n);
    }
}

int run_chain(const struct opts *o, chain_send_fn *send, void *arg)
{
    struct chain c;
    struct marks before, after;
    chain_init(&c, o);
    struct chain_stats *live = chain_stats_map(o->stats);
    c.start = now_ns() + 50 * NS_PER_MS;
    sleep_until_ns(c.start);
    take_marks(&before, o, live);
    issue_all(&c, send, arg);
    /* The window ends one deadline after the last arrival may come. */
    sleep_until_ns(c.start + (uint64_t)(o->secs * 1e9) + (uint64_t)o->deadline_ms * NS_PER_MS);
    take_marks(&after, o, live);
    size_t open = c.n - wait_closed(&c), good = collect_good(&c);
    print_goodput(&c, good);
    print_work(&c, good, &before, &after);
    printf(" open=%zu\n", open);
    fflush(stdout);
    return open != 0;
}
