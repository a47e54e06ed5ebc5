/* chain.c - the client's open loop of W6 and what it reports.
 *
 * Each call's record is written by the thread that ends it; `closed`, counted after that, is what
 * the reporting thread waits for before it reads them. */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t chain_deadline(const struct chain_call *call)
{
    return call->chain->start + call->at + call->deadline;
}

void chain_done(struct chain_call *call, int ok)
{
    uint64_t t = now_ns();
    if (ok && t <= chain_deadline(call)) {
        call->latency = t - call->chain->start - call->at;
        call->good = 1;
    }
    __atomic_fetch_add(&call->chain->closed, 1, __ATOMIC_RELEASE);
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
        uint64_t at = c->start + c->calls[i].at;
        sleep_until_ns(at);
        uint64_t late = now_ns() - at;
        if (late > c->lag)
            c->lag = late;
        send(arg, &c->calls[i]);
    }
}

/* Stops C for a while, as a machine does that is short of memory or of CPU. */
static void *pause_last(void *arg)
{
    const struct chain *c = arg;
    pid_t last = c->o.pids[c->o.npids - 1];
    uint64_t at = c->start + (uint64_t)(c->o.secs * 1e9 * TROUBLE_AT);
    sleep_until_ns(at);
    if (kill(last, SIGSTOP) != 0)
        die_errno("cannot stop C");
    sleep_until_ns(at + PAUSE);
    if (kill(last, SIGCONT) != 0)
        die_errno("cannot continue C");
    return NULL;
}

/* The window: all calls, and what disturbs them. */
static void run_window(struct chain *c, chain_send_fn *send, void *arg)
{
    pthread_t pauser;
    bool paused = has_shape(&c->o, "pause");
    if (paused && (c->o.npids == 0 || pthread_create(&pauser, NULL, pause_last, c) != 0))
        die("pause", "no process, or no thread");
    issue_all(c, send, arg);
    if (paused)
        pthread_join(pauser, NULL);
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

/* ---- the report ---- */

/* The latencies of good calls, sorted; returns how many there are. The caller frees them. */
static size_t collect_good(const struct chain *c, uint64_t **ret_latencies)
{
    size_t good = 0;
    uint64_t *lat = calloc(c->n + 1, sizeof *lat);
    if (lat == NULL)
        die("calloc", "latencies");
    for (size_t i = 0; i < c->n; i++)
        if (c->calls[i].good)
            lat[good++] = c->calls[i].latency;
    sort_u64(lat, good);
    *ret_latencies = lat;
    return good;
}

static double share_pct(double part, double whole)
{
    return whole > 0 ? part / whole * 100 : 0;
}

/* Calls a second that C could serve if it did nothing else. */
static double capacity(const struct chain *c)
{
    return 1e6 / c->o.burn_us / c->o.fan;
}

static void print_goodput(const struct chain *c, const uint64_t *lat, size_t n_good)
{
    double secs = c->o.secs, n = (double)c->n, good = (double)n_good;
    printf("offered_s=%.0f goodput_s=%.1f goodput_pct_cap=%.1f good_pct_offered=%.1f p50_ms=%.2f "
           "p99_ms=%.2f lag_max_ms=%.2f ",
           n / secs, good / secs, share_pct(good / secs, capacity(c)), share_pct(good, n),
           pct_us(lat, n_good, 50) / 1e3, pct_us(lat, n_good, 99) / 1e3, (double)c->lag / 1e6);
}

/* CPU for each call: A is the first process, C the last, without its burn, B all between. */
static void print_cpu(const struct chain *c, const struct marks *m0, const struct marks *m1,
                      double burn_ns)
{
    double cpu[3] = {0}, n = (double)c->n * 1e3;
    for (int k = 0; k < c->o.npids; k++)
        cpu[k == 0 ? 0 : k < c->o.npids - 1 ? 1 : 2] += (double)(m1->cpu[k] - m0->cpu[k]);
    printf(" cli_cpu_us=%.0f cpuA_us=%.0f cpuB_us=%.0f cpuC_us=%.0f",
           (double)(m1->own - m0->own) / n, cpu[0] / n, cpu[1] / n, (cpu[2] - burn_ns) / n);
}

static void print_work(const struct chain *c, size_t n_good, const struct marks *m0,
                       const struct marks *m1)
{
    const struct chain_stats *s0 = &m0->stats, *s1 = &m1->stats;
    double burns = (double)(s1->burns - s0->burns), useful = (double)n_good * c->o.fan;
    double burn_ns = (double)(s1->burn_ns - s0->burn_ns);
    printf("wasted_pct=%.1f late_start_pct=%.1f burns_s=%.1f burn_us=%.0f reached_c=%.0f "
           "skipped=%.0f",
           share_pct(burns > useful ? burns - useful : 0, burns),
           share_pct((double)(s1->late_ns - s0->late_ns), burn_ns), burns / c->o.secs,
           burns > 0 ? burn_ns / burns / 1e3 : 0, (double)(s1->arrived - s0->arrived),
           (double)(s1->skipped - s0->skipped));
    print_cpu(c, m0, m1, burn_ns);
}

/* ---- the report of what was disturbed ---- */

#define SLICE    (100 * NS_PER_MS)
#define RECOVERY (250 * NS_PER_MS)

/* Counts the calls that arrived in [from, from + span), and those of them that were good. */
static void count_calls(const struct chain *c, uint64_t from, uint64_t span, size_t *n,
                        size_t *good)
{
    *n = *good = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->calls[i].at >= from && c->calls[i].at - from < span) {
            *n += 1;
            *good += c->calls[i].good;
        }
    }
}

/* When the trouble begins and ends, ns after the start. */
static void trouble(const struct chain *c, uint64_t *ret_begin, uint64_t *ret_end)
{
    double window = c->o.secs * 1e9;
    *ret_begin = (uint64_t)(window * TROUBLE_AT);
    *ret_end = has_shape(&c->o, "pause") ? *ret_begin + PAUSE : (uint64_t)(window * STEP_DOWN);
}

/* From the end of the trouble until calls are good again: the end of the first RECOVERY after it,
 * moved in steps of 10 ms, of whose calls 95 % were good. -1: never. */
static double recover_ms(const struct chain *c, uint64_t back)
{
    uint64_t window = (uint64_t)(c->o.secs * 1e9);
    for (uint64_t t = back; t + RECOVERY <= window; t += 10 * NS_PER_MS) {
        size_t n, good;
        count_calls(c, t, RECOVERY, &n, &good);
        if (n > 0 && good * 100 >= n * 95)
            return (double)(t + RECOVERY - back) / 1e6;
    }
    return -1;
}

static void print_trouble(const struct chain *c)
{
    size_t n, good;
    uint64_t begin, end;
    trouble(c, &begin, &end);
    count_calls(c, begin, end - begin, &n, &good);
    printf(" recover_ms=%.0f meanwhile_pct_cap=%.1f slices=", recover_ms(c, end),
           share_pct((double)good / ((double)(end - begin) / 1e9), capacity(c)));
    for (uint64_t t = 0; t < (uint64_t)(c->o.secs * 1e9); t += SLICE) {
        count_calls(c, t, SLICE, &n, &good);
        printf("%s%zu/%zu", t == 0 ? "" : ",", good, n);
    }
}

int run_chain(const struct opts *o, chain_send_fn *send, void *arg)
{
    struct chain c = {.o = *o};
    struct marks before, after;
    uint64_t *latencies;
    c.calls = schedule_new(o, &c.n);
    for (size_t i = 0; i < c.n; i++)
        c.calls[i].chain = &c;
    struct chain_stats *live = chain_stats_map(o->stats);
    c.start = now_ns() + 50 * NS_PER_MS;
    sleep_until_ns(c.start);
    take_marks(&before, o, live);
    run_window(&c, send, arg);
    /* The window ends one deadline after the last arrival may come. */
    sleep_until_ns(c.start + (uint64_t)(o->secs * 1e9) + (uint64_t)o->deadline_ms * NS_PER_MS);
    take_marks(&after, o, live);
    size_t open = c.n - wait_closed(&c), good = collect_good(&c, &latencies);
    print_goodput(&c, latencies, good);
    print_work(&c, good, &before, &after);
    if (has_shape(o, "step") || has_shape(o, "pause"))
        print_trouble(&c);
    printf(" open=%zu\n", open);
    fflush(stdout);
    if (open > 0)
        die("W6", "calls that never ended"); /* which may still write to c */
    free(latencies);
    free(c.calls);
    return 0;
}
