/* skew.c - see the header.
 *
 * The linker puts the functions at the end in the place of the library's own (--wrap). A timer, or
 * an operation of the network, is remembered with the host that began it from then until it runs;
 * its function is replaced meanwhile by one that goes to that host first.
 *
 * Invariants: a timer is in the table exactly while its function is ours; to_world never rounds
 * down, so that a timer which fires finds its time come. One thread, no locks: see fiber.h. */
#include "skew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fiber.h"
#include "map.h"
#include "net.h"

#define MILLION 1000000

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker gives the names. */
#define REAL(ret, name, ...)                                                                       \
    ret __real_##name(__VA_ARGS__);                                                                \
    ret __wrap_##name(__VA_ARGS__);

REAL(stint_time, stint_now, void)
REAL(stint_time, stint__clock_ceiling, void)
REAL(bool, stint__clock_has_come, stint_time)
REAL(int64_t, stint__clock_boottime_ns, void)
REAL(uint64_t, stint__clock_boot_domain, void)
REAL(bool, stint__timer_arm, struct stint__timer *, stint_time)
REAL(bool, stint__timer_disarm, struct stint__timer *)
REAL(void, stint__timer_disarm_wait, struct stint__timer *)
REAL(void, stint__dial, struct stint__dialer *, struct stint__net_op *)
REAL(void, stint__dialer_free, struct stint__dialer *)
REAL(void, stint__accept, struct stint__listener *, struct stint__net_op *)
REAL(void, stint__listener_free, struct stint__listener *)
REAL(void, stint__stream_read, struct stint__stream *, void *, size_t, struct stint__net_op *)
REAL(void, stint__stream_write, struct stint__stream *, const struct stint__iov *, unsigned,
     struct stint__net_op *)
REAL(void, stint__stream_close, struct stint__stream *)
REAL(void, stint__stream_free, struct stint__stream *)
/* NOLINTEND(bugprone-reserved-identifier) */

/* What waits for its host. */
struct bound {
    int host;
    union {
        void (*timer)(struct stint__timer *t);
        void (*op)(struct stint__net_op *op);
    } fn;
    struct bound *next; /* unused */
};

static struct {
    struct skew_host *hosts;
    struct stint__map bound; /* struct bound, by the address of the timer or operation */
    struct bound *unused;
    bool active;
} skew;

/* ---- clocks ---- */

/* The host's clock at so much time after the world's start. */
static int64_t local_at(const struct skew_host *h, int64_t since)
{
    int64_t gained = since / MILLION * h->ppm + since % MILLION * h->ppm / MILLION;
    return SKEW_START + h->offset + since + gained;
}

static const struct skew_host *host_of(int host)
{
    return skew.active && host != HOST_WORLD ? &skew.hosts[host] : NULL;
}

stint_time skew_world_now(void)
{
    return __real_stint_now();
}

/* Saturates: points that far away are never. */
static bool is_never(stint_time t)
{
    return t.ns > INT64_MAX / 2 || t.ns < INT64_MIN / 2;
}

stint_time skew_world_time(int host, stint_time local)
{
    const struct skew_host *h = host_of(host);
    if (h == NULL || is_never(local))
        return local;
    int64_t shown = local.ns - SKEW_START - h->offset; /* since the start, by that clock */
    int64_t since = shown - shown / MILLION * h->ppm - shown % MILLION * h->ppm / MILLION;
    while (local_at(h, since) < local.ns)
        since += local.ns - local_at(h, since);
    while (local_at(h, since - 1) >= local.ns)
        since -= 1 + (local_at(h, since - 1) - local.ns) / 2;
    return (stint_time){SKEW_START + since};
}

int skew_enter(int host)
{
    int before = fiber_host();
    fiber_set_host(host);
    return before;
}

stint_time __wrap_stint_now(void)
{
    stint_time world = __real_stint_now();
    if (!fibers_active())
        return world;
    const struct skew_host *h = host_of(fiber_host());
    if (h == NULL)
        return world;
    return (stint_time){local_at(h, world.ns - SKEW_START)};
}

stint_time __wrap_stint__clock_ceiling(void)
{
    return fibers_active() ? __wrap_stint_now() : __real_stint__clock_ceiling();
}

bool __wrap_stint__clock_has_come(stint_time when)
{
    if (!fibers_active())
        return __real_stint__clock_has_come(when);
    return !stint_time_before(__wrap_stint_now(), when);
}

int64_t __wrap_stint__clock_boottime_ns(void)
{
    return fibers_active() ? __wrap_stint_now().ns : __real_stint__clock_boottime_ns();
}

uint64_t __wrap_stint__clock_boot_domain(void)
{
    const struct skew_host *h = fibers_active() ? host_of(fiber_host()) : NULL;
    return h != NULL ? h->domain : __real_stint__clock_boot_domain();
}

/* ---- what waits for its host ---- */

static uint64_t key_of(const void *address)
{
    return (uint64_t)(uintptr_t)address;
}

static struct bound *bind(const void *address)
{
    struct bound *b = stint__map_get(&skew.bound, key_of(address));
    if (b != NULL)
        return b;
    b = skew.unused;
    if (b != NULL)
        skew.unused = b->next;
    else
        b = malloc(sizeof *b);
    if (b == NULL || !stint__map_put(&skew.bound, key_of(address), b)) {
        fprintf(stderr, "no memory for the simulation\n");
        abort();
    }
    return b;
}

static void unbind(const void *address)
{
    struct bound *b = stint__map_get(&skew.bound, key_of(address));
    stint__map_remove(&skew.bound, key_of(address));
    b->next = skew.unused;
    skew.unused = b;
}

static bool is_armed(const struct stint__timer *t)
{
    return t->slot != SIZE_MAX;
}

static void release_timer(struct stint__timer *t)
{
    struct bound *b = stint__map_get(&skew.bound, key_of(t));
    if (b == NULL)
        return;
    t->fn = b->fn.timer;
    unbind(t);
}

static void fire(struct stint__timer *t)
{
    struct bound b = *(struct bound *)stint__map_get(&skew.bound, key_of(t));
    if (!is_armed(t)) /* else it was armed again since it was taken to be run */
        release_timer(t);
    int before = skew_enter(b.host);
    b.fn.timer(t);
    skew_enter(before);
}

bool __wrap_stint__timer_arm(struct stint__timer *t, stint_time when)
{
    if (!skew.active)
        return __real_stint__timer_arm(t, when);
    struct bound *b = bind(t);
    if (t->fn != fire)
        b->fn.timer = t->fn;
    b->host = fiber_host();
    t->fn = fire;
    bool armed = __real_stint__timer_arm(t, skew_world_time(b->host, when));
    if (!armed)
        release_timer(t);
    return armed;
}

bool __wrap_stint__timer_disarm(struct stint__timer *t)
{
    bool was_armed = __real_stint__timer_disarm(t);
    if (skew.active && was_armed)
        release_timer(t);
    return was_armed;
}

void __wrap_stint__timer_disarm_wait(struct stint__timer *t)
{
    __real_stint__timer_disarm_wait(t);
    if (skew.active)
        release_timer(t);
}

/* ---- the network's operations, and its own time ---- */

static void complete(struct stint__net_op *op)
{
    struct bound b = *(struct bound *)stint__map_get(&skew.bound, key_of(op));
    unbind(op);
    op->fn = b.fn.op;
    int before = skew_enter(b.host);
    op->fn(op);
    skew_enter(before);
}

/* Binds the operation to the caller's host, and takes the caller to the world's clock. */
static int leave_with(struct stint__net_op *op)
{
    if (!skew.active)
        return HOST_WORLD;
    struct bound *b = bind(op);
    b->host = fiber_host();
    b->fn.op = op->fn;
    op->fn = complete;
    return skew_enter(HOST_WORLD);
}

static int leave(void)
{
    return skew.active ? skew_enter(HOST_WORLD) : HOST_WORLD;
}

static void come_back(int host)
{
    if (skew.active)
        skew_enter(host);
}

void __wrap_stint__dial(struct stint__dialer *d, struct stint__net_op *op)
{
    int host = leave_with(op);
    __real_stint__dial(d, op);
    come_back(host);
}

void __wrap_stint__dialer_free(struct stint__dialer *d)
{
    int host = leave();
    __real_stint__dialer_free(d);
    come_back(host);
}

void __wrap_stint__accept(struct stint__listener *l, struct stint__net_op *op)
{
    int host = leave_with(op);
    __real_stint__accept(l, op);
    come_back(host);
}

void __wrap_stint__listener_free(struct stint__listener *l)
{
    int host = leave();
    __real_stint__listener_free(l);
    come_back(host);
}

void __wrap_stint__stream_read(struct stint__stream *s, void *buf, size_t len,
                               struct stint__net_op *op)
{
    int host = leave_with(op);
    __real_stint__stream_read(s, buf, len, op);
    come_back(host);
}

void __wrap_stint__stream_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n,
                                struct stint__net_op *op)
{
    int host = leave_with(op);
    __real_stint__stream_write(s, iov, n, op);
    come_back(host);
}

void __wrap_stint__stream_close(struct stint__stream *s)
{
    int host = leave();
    __real_stint__stream_close(s);
    come_back(host);
}

void __wrap_stint__stream_free(struct stint__stream *s)
{
    int host = leave();
    __real_stint__stream_free(s);
    come_back(host);
}

/* ---- beginning and end ---- */

void skew_begin(const struct skew_host *hosts, size_t n)
{
    skew.hosts = calloc(n, sizeof *hosts);
    if (skew.hosts == NULL) {
        fprintf(stderr, "no memory for the simulation\n");
        abort();
    }
    memcpy(skew.hosts, hosts, n * sizeof *hosts);
    stint__map_init(&skew.bound);
    stint__vclock_install((stint_time){SKEW_START});
    skew.active = true;
}

void skew_end(void)
{
    skew.active = false;
    stint__vclock_uninstall();
    for (struct bound *next; skew.unused != NULL; skew.unused = next) {
        next = skew.unused->next;
        free(skew.unused);
    }
    stint__map_fini(&skew.bound);
    free(skew.hosts);
    skew.hosts = NULL;
}

bool skew_step(stint_time limit)
{
    return stint__vclock_step(limit);
}
