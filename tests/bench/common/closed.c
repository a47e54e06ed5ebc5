/* closed.c - the closed-loop workloads: W1 (one call at a time), W2, W3 and W5 (so many in flight),
 * W4 (memory of calls that wait).
 *
 * A loop's window runs in a thread of its own: it waits for the warm-up, takes counters and CPU
 * clocks, waits again, takes them again, and tells the slots to stop. The slots only count. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- percentiles ---- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void sort_u64(uint64_t *v, size_t n)
{
    qsort(v, n, sizeof *v, compare_u64);
}

double pct_us(const uint64_t *v, size_t n, double p)
{
    if (n == 0)
        return 0;
    size_t rank = (size_t)ceil(p / 100.0 * (double)n);
    return (double)v[rank > 0 ? rank - 1 : 0] / 1000.0;
}

/* ---- W1 ---- */

int run_lat(const struct opts *o, call_fn *call, void *arg)
{
    size_t n = (size_t)o->calls;
    uint64_t *v = calloc(n, sizeof *v);
    int errors = 0;
    if (v == NULL)
        die("calloc", "latencies");
    for (size_t i = 0; i < n / 10 + 1; i++)
        errors += call(arg) != 0;
    uint64_t own = cpu_ns(0), server = cpu_ns(o->pids[0]);
    for (size_t i = 0; i < n; i++) {
        uint64_t t = now_ns();
        errors += call(arg) != 0;
        v[i] = now_ns() - t;
    }
    own = cpu_ns(0) - own;
    server = cpu_ns(o->pids[0]) - server;
    sort_u64(v, n);
    printf("p50_us=%.1f p90_us=%.1f p99_us=%.1f p999_us=%.1f cli_cpu_us=%.2f srv_cpu_us=%.2f "
           "errors=%d\n",
           pct_us(v, n, 50), pct_us(v, n, 90), pct_us(v, n, 99), pct_us(v, n, 99.9),
           (double)own / 1e3 / (double)n, (double)server / 1e3 / (double)n, errors);
    fflush(stdout);
    free(v);
    return errors != 0;
}

/* ---- W2, W3, W5 ---- */

static uint64_t loop_total(const struct loop *l)
{
    uint64_t sum = 0;
    for (int i = 0; i < l->slots; i++)
        sum += __atomic_load_n(&l->slot[i].done, __ATOMIC_RELAXED);
    return sum;
}

static void *loop_window(void *arg)
{
    struct loop *l = arg;
    pid_t server = l->o.pids[0];
    sleep_secs(l->o.warm);
    uint64_t n0 = loop_total(l), t0 = now_ns(), own0 = cpu_ns(0), server0 = cpu_ns(server);
    sleep_secs(l->o.secs);
    uint64_t calls = loop_total(l) - n0;
    double secs = (double)(now_ns() - t0) / 1e9;
    double own = (double)(cpu_ns(0) - own0) / 1e3;
    double other = (double)(cpu_ns(server) - server0) / 1e3;
    long rss = status_kb(server, "VmRSS:");
    __atomic_store_n(&l->stop, 1, __ATOMIC_RELEASE);
    if (calls == 0)
        die("closed loop", "no call ended within the window");
    double n = (double)calls;
    printf("calls_s=%.0f cli_cpu_us=%.2f srv_cpu_us=%.2f mb_s=%.1f srv_rss_mb=%.1f ", n / secs,
           own / n, other / n, n / secs * l->o.size / 1e6, (double)rss / 1024.0);
    return NULL;
}

void loop_start(struct loop *l, const struct opts *o, int slots)
{
    memset(l, 0, sizeof *l);
    l->o = *o;
    l->slots = slots;
    l->slot = calloc((size_t)slots, sizeof *l->slot);
    if (l->slot == NULL || pthread_create(&l->window, NULL, loop_window, l) != 0)
        die("loop_start", "out of memory or threads");
}

int loop_done(struct loop *l, int slot, int good)
{
    uint64_t *n = &l->slot[slot].done;
    __atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
    if (!good)
        __atomic_fetch_add(&l->errors, 1, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE))
        return 1;
    __atomic_fetch_add(&l->idle, 1, __ATOMIC_RELEASE);
    return 0;
}

int loop_idle(struct loop *l)
{
    return __atomic_load_n(&l->idle, __ATOMIC_ACQUIRE) == l->slots;
}

int loop_finish(struct loop *l)
{
    pthread_join(l->window, NULL);
    for (int i = 0; i < 10000 && !loop_idle(l); i++)
        sleep_secs(0.001);
    int errors = __atomic_load_n(&l->errors, __ATOMIC_RELAXED);
    int drained = loop_idle(l);
    printf("errors=%d drained=%d\n", errors, drained);
    fflush(stdout);
    if (drained)
        free(l->slot);
    return errors != 0 || !drained;
}

/* ---- W4 ---- */

void hold_before(struct hold *h, const struct opts *o)
{
    memset(h, 0, sizeof *h);
    sleep_secs(0.2);
    h->rss0 = status_kb(o->pids[0], "VmRSS:");
    h->anon0 = status_kb(o->pids[0], "RssAnon:");
    h->t0 = now_ns();
}

void hold_done(struct hold *h, int good)
{
    if (!good)
        __atomic_fetch_add(&h->errors, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&h->done, 1, __ATOMIC_RELEASE);
}

int hold_report(struct hold *h, const struct opts *o)
{
    uint64_t calls = (uint64_t)o->calls;
    sleep_until_ns(h->t0 + NS_PER_SEC * 8 / 10);
    long rss = status_kb(o->pids[0], "VmRSS:");
    long anon = status_kb(o->pids[0], "RssAnon:");
    long threads = status_kb(o->pids[0], "Threads:");
    uint64_t early = __atomic_load_n(&h->done, __ATOMIC_ACQUIRE), n = early;
    while (n < calls && now_ns() < h->t0 + 10 * NS_PER_SEC) {
        sleep_secs(0.005);
        n = __atomic_load_n(&h->done, __ATOMIC_ACQUIRE);
    }
    double secs = (double)(now_ns() - h->t0) / 1e9;
    uint64_t errors = __atomic_load_n(&h->errors, __ATOMIC_RELAXED) + (calls - n);
    printf("rss_idle_mb=%.1f rss_held_mb=%.1f anon_idle_mb=%.1f anon_held_mb=%.1f kb_per_call=%.2f "
           "threads=%ld early=%d all_done_s=%.2f errors=%d\n",
           (double)h->rss0 / 1024, (double)rss / 1024, (double)h->anon0 / 1024, (double)anon / 1024,
           (double)(rss - h->rss0) / (double)calls, threads, (int)early, secs, (int)errors);
    fflush(stdout);
    return errors != 0;
}
