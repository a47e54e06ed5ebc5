/* ctx_bench.c - what contexts cost, beside Go's.
 *
 * The first table: operation, nanoseconds of CPU time in one thread (the median of ROUNDS rounds),
 * Go's, and how many times faster we are. Go's figures are those of Go 1.19 on a 2-core virtual
 * machine, given as constants: the ratio means something on such a machine only. The second table
 * is about timers: how late a deadline's hook runs, and what arming costs, while many others are
 * armed. Build it as Release. */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <stint/stint.h>

#define ROUNDS   21
#define CHILDREN 10000
#define DEPTH    16
#define PENDING  100000
#define WAKEUPS  500

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

static double quantile(double *values, size_t n, double q)
{
    qsort(values, n, sizeof *values, by_value);
    return values[(size_t)(q * (double)(n - 1))];
}

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nanoseconds for one of `count` operations that fn does. */
static double measure(void (*fn)(void *arg, size_t count), void *arg, size_t count)
{
    double rounds[ROUNDS];
    fn(arg, count / 10 + 1); /* warm */
    for (size_t i = 0; i < ROUNDS; i++) {
        double start = cpu_ns();
        fn(arg, count);
        rounds[i] = (cpu_ns() - start) / (double)count;
    }
    return quantile(rounds, ROUNDS, 0.5);
}

/* ---- operations ---- */

static void timeout_and_cancel(void *parent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stint_ctx *ctx = stint_ctx_with_timeout(parent, STINT_SECONDS(60));
        stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
        stint_ctx_unref(ctx);
    }
}

static void cancel(void *parent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stint_ctx *ctx = stint_ctx_with_cancel(parent);
        stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
        stint_ctx_unref(ctx);
    }
}

static void drop(void *parent, size_t count)
{
    for (size_t i = 0; i < count; i++)
        stint_ctx_drop(stint_ctx_with_timeout(parent, STINT_SECONDS(60)));
}

static void look(void *ctx, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (stint_ctx_err(ctx) != STINT_OK)
            abort();
    }
}

static stint_key keys[DEPTH];

static void look_up(void *ctx, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (stint_ctx_value(ctx, &keys[0]) == NULL)
            abort();
    }
}

static void family(void *arg, size_t count)
{
    static stint_ctx *children[CHILDREN];
    (void)arg;
    for (size_t n = 0; n < count; n++) {
        stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
        for (size_t i = 0; i < CHILDREN; i++)
            children[i] = stint_ctx_with_cancel(parent);
        stint_ctx_cancel(parent, STINT_CANCELLED, NULL);
        for (size_t i = 0; i < CHILDREN; i++)
            stint_ctx_unref(children[i]);
        stint_ctx_unref(parent);
    }
}

static void count_run(void *arg)
{
    atomic_fetch_add((atomic_size_t *)arg, 1);
}

static void hook_and_stop(void *ctx, size_t count)
{
    atomic_size_t runs = 0;
    for (size_t i = 0; i < count; i++) {
        stint_hook hook;
        if (!stint_ctx_after(ctx, &hook, count_run, &runs) || !stint_hook_stop(&hook))
            abort();
    }
}

/* A context with a deadline that somebody waits for: a timer is armed and disarmed. */
static void timed_wait(void *parent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stint_ctx *ctx = stint_ctx_with_timeout(parent, STINT_SECONDS(60));
        hook_and_stop(ctx, 1);
        stint_ctx_unref(ctx);
    }
}

/* ---- the first table ---- */

static void row(const char *operation, double ns, double go_ns)
{
    if (go_ns > 0)
        printf("%s\t%.1f\t%.0f\t%.1f\n", operation, ns, go_ns, go_ns / ns);
    else
        printf("%s\t%.1f\t-\t-\n", operation, ns);
}

static void *root(void)
{
    static stint_ctx *detached; /* background, as a pointer that is not const */
    detached = stint_ctx_without_cancel(stint_ctx_background());
    return detached;
}

static stint_ctx *with_values(stint_ctx *chain[DEPTH])
{
    static int value;
    const stint_ctx *ctx = stint_ctx_background();
    for (size_t i = 0; i < DEPTH; i++)
        ctx = chain[i] = stint_ctx_with_value(ctx, &keys[i], &value, NULL);
    return chain[DEPTH - 1];
}

static void compare_with_go(void)
{
    stint_ctx *parent = root();
    stint_ctx *timed = stint_ctx_with_timeout(parent, STINT_SECONDS(3600));
    stint_ctx *chain[DEPTH];
    stint_ctx *deep = with_values(chain);
    printf("operation\tns\tgo_ns\ttimes_faster\n");
    row("with_timeout, cancel, unref", measure(timeout_and_cancel, parent, 100000), 600);
    row("with_timeout, drop", measure(drop, parent, 100000), 600);
    row("with_cancel, cancel, unref", measure(cancel, parent, 100000), 252);
    row("err, no deadline", measure(look, parent, 1000000), 6);
    row("err, deadline an hour off", measure(look, timed, 1000000), 6);
    row("value, 16 deep", measure(look_up, deep, 100000), 99);
    row("10,000 children made and cancelled", measure(family, NULL, 3), 3.25e6);
    row("after, stop", measure(hook_and_stop, parent, 100000), 0);
    row("with_timeout, after, stop, unref", measure(timed_wait, parent, 100000), 0);
    for (size_t i = 0; i < DEPTH; i++)
        stint_ctx_unref(chain[i]);
    stint_ctx_unref(timed);
    stint_ctx_unref(parent);
}

/* ---- the second table ---- */

struct wakeup {
    stint_hook hook;
    stint_time deadline;
    double late_us;
    sem_t done;
};

static void note_lateness(void *arg)
{
    struct wakeup *w = arg;
    w->late_us = (double)stint_time_sub(stint_now(), w->deadline) / 1e3;
    sem_post(&w->done);
}

static void measure_wakeups(double late_us[WAKEUPS])
{
    for (size_t i = 0; i < WAKEUPS; i++) {
        struct wakeup w = {.deadline = stint_time_add(stint_now(), STINT_US(500 + i))};
        stint_ctx *ctx = stint_ctx_with_deadline(stint_ctx_background(), w.deadline);
        sem_init(&w.done, 0, 0);
        if (!stint_ctx_after(ctx, &w.hook, note_lateness, &w))
            abort();
        sem_wait(&w.done);
        (void)stint_hook_stop(&w.hook);
        stint_ctx_unref(ctx);
        sem_destroy(&w.done);
        late_us[i] = w.late_us;
    }
}

static void report_timers(size_t pending)
{
    double late_us[WAKEUPS];
    measure_wakeups(late_us);
    double p50 = quantile(late_us, WAKEUPS, 0.5);
    double p99 = quantile(late_us, WAKEUPS, 0.99);
    stint_ctx *parent = root();
    printf("%zu\t%.1f\t%.1f\t%.1f\n", pending, p50, p99, measure(timed_wait, parent, 100000));
    stint_ctx_unref(parent);
}

static int with_pending_timers(void)
{
    stint_ctx **contexts = calloc(PENDING, sizeof(stint_ctx *));
    stint_hook *hooks = calloc(PENDING, sizeof *hooks);
    if (contexts == NULL || hooks == NULL) {
        free(contexts);
        free(hooks);
        return 1;
    }
    atomic_size_t runs = 0;
    for (size_t i = 0; i < PENDING; i++) {
        stint_duration timeout = STINT_SECONDS(30) + STINT_US(i * 7919 % PENDING);
        contexts[i] = stint_ctx_with_timeout(stint_ctx_background(), timeout);
        if (!stint_ctx_after(contexts[i], &hooks[i], count_run, &runs))
            abort();
    }
    report_timers(PENDING);
    for (size_t i = 0; i < PENDING; i++)
        stint_ctx_drop(contexts[i]);
    free(contexts);
    free(hooks);
    return atomic_load(&runs) == PENDING ? 0 : 1;
}

int main(void)
{
    compare_with_go();
    printf("\npending\tlate_p50_us\tlate_p99_us\tarm_and_disarm_ns\n");
    report_timers(0);
    return with_pending_timers();
}
