/* memory_host.c - the simulated network's events, hosts and faults.
 *
 * The state stands at file scope because the network it stands for does: a dialer finds a listener
 * by name only, and a test sets faults by name.
 *
 * Invariants: the list of events is sorted, and stable for equal times; a host lives as long as it
 * has users or faults of its own. Locking: see memory.h. */
#include "memory.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

#define MILLION 1000000u

static void run_due(struct stint__timer *timer);

static struct {
    pthread_mutex_t lock;
    struct stint__timer timer;
    struct stint__list events;
    struct stint__list hosts;
    struct stint__mem_faults defaults;
    uint64_t random;
} net = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .timer = {.fn = run_due, .slot = SIZE_MAX},
    .events = {&net.events, &net.events},
    .hosts = {&net.hosts, &net.hosts},
};

void stint__mem_lock(void)
{
    pthread_mutex_lock(&net.lock);
}

void stint__mem_unlock(void)
{
    pthread_mutex_unlock(&net.lock);
}

/* ---- events ---- */

void stint__mem_event_init(struct stint__mem_event *e,
                           struct stint__net_op *(*fn)(struct stint__mem_event *e))
{
    stint__list_init(&e->link);
    e->fn = fn;
}

static struct stint__mem_event *event_of(struct stint__list *link)
{
    return STINT__CONTAINER_OF(link, struct stint__mem_event, link);
}

static void set_timer_locked(void)
{
    bool armed = false;
    if (!stint__list_empty(&net.events))
        armed = stint__timer_arm(&net.timer, event_of(net.events.next)->when);
    if (!armed)
        stint__timer_disarm(&net.timer);
}

void stint__mem_schedule_locked(struct stint__mem_event *e, stint_time when)
{
    stint__list_unlink(&e->link);
    e->when = when;
    struct stint__list *before = net.events.prev;
    while (before != &net.events && stint_time_before(when, event_of(before)->when))
        before = before->prev;
    stint__list_push_back(before->next, &e->link);
    if (net.events.next == &e->link)
        set_timer_locked();
}

void stint__mem_soon_locked(struct stint__mem_event *e)
{
    if (stint__list_empty(&e->link))
        stint__mem_schedule_locked(e, stint_now());
}

void stint__mem_unschedule_locked(struct stint__mem_event *e)
{
    stint__list_unlink(&e->link);
    if (stint__list_empty(&net.events))
        set_timer_locked();
}

/* Events that are scheduled meanwhile lie later than `now` on the system's clock, so that other
 * timers get their turn. */
static void run_due(struct stint__timer *timer)
{
    (void)timer;
    stint__mem_lock();
    stint_time now = stint_now();
    while (!stint__list_empty(&net.events)) {
        struct stint__mem_event *e = event_of(net.events.next);
        if (stint_time_before(now, e->when))
            break;
        stint__list_unlink(&e->link);
        struct stint__net_op *op = e->fn(e);
        if (op == NULL)
            continue;
        stint__mem_unlock();
        op->fn(op);
        stint__mem_lock();
    }
    set_timer_locked();
    stint__mem_unlock();
}

void stint__mem_op_begin(struct stint__net_op *op)
{
    op->code = STINT_OK;
    op->count = 0;
    op->stream = NULL;
    stint_error_clear(&op->error);
}

struct stint__net_op *stint__mem_op_fail(struct stint__net_op *op, stint_code code,
                                         const char *name, const char *what)
{
    op->code = stint_error_set(&op->error, code, STINT__MEM_PREFIX "%s: %s", name, what);
    return op;
}

/* ---- hosts ---- */

static struct stint__mem_host *host_of(struct stint__list *link)
{
    return STINT__CONTAINER_OF(link, struct stint__mem_host, link);
}

struct stint__mem_host *stint__mem_host_get_locked(const char *name)
{
    STINT_LIST_FOREACH (it, &net.hosts) {
        struct stint__mem_host *h = host_of(it);
        if (strcmp(h->name, name) == 0) {
            h->users++;
            return h;
        }
    }
    struct stint__mem_host *h = stint__alloc_zeroed(sizeof *h);
    if (h == NULL)
        return NULL;
    snprintf(h->name, sizeof h->name, "%s", name);
    h->users = 1;
    stint__list_init(&h->connections);
    stint__list_init(&h->parked);
    stint__list_push_back(&net.hosts, &h->link);
    return h;
}

static void host_reap_locked(struct stint__mem_host *h)
{
    if (h->users > 0 || h->has_faults)
        return;
    stint__list_unlink(&h->link);
    stint__free(h);
}

void stint__mem_host_put_locked(struct stint__mem_host *h)
{
    h->users--;
    host_reap_locked(h);
}

const struct stint__mem_faults *stint__mem_faults_locked(const struct stint__mem_host *h)
{
    return h->has_faults ? &h->faults : &net.defaults;
}

/* splitmix64, so that a seed gives the same run everywhere. */
static uint64_t random_locked(void)
{
    uint64_t z = (net.random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

stint_time stint__mem_arrival_locked(const struct stint__mem_host *h)
{
    const struct stint__mem_faults *f = stint__mem_faults_locked(h);
    stint_duration jitter =
        f->jitter > 0 ? (stint_duration)(random_locked() % ((uint64_t)f->jitter + 1)) : 0;
    return stint_time_add(stint_time_add(stint_now(), f->delay), jitter);
}

bool stint__mem_chance_of_cut_locked(const struct stint__mem_host *h)
{
    uint32_t ppm = stint__mem_faults_locked(h)->cut_ppm;
    return ppm > 0 && random_locked() % MILLION < ppm;
}

bool stint__mem_park_locked(struct stint__mem_host *h, struct stint__mem_event *e)
{
    if (!stint__mem_faults_locked(h)->partitioned)
        return false;
    stint__list_push_back(&h->parked, &e->link);
    return true;
}

/* ---- faults ---- */

/* Puts new faults into effect for what is under way. What was parked sets out again. */
static void apply_locked(struct stint__mem_host *h)
{
    struct stint__list *link;
    while (!stint__mem_faults_locked(h)->partitioned &&
           (link = stint__list_pop_front(&h->parked)) != NULL)
        stint__mem_schedule_locked(event_of(link), stint__mem_arrival_locked(h));
    STINT_LIST_FOREACH (it, &h->connections)
        stint__mem_resume_locked(STINT__CONTAINER_OF(it, struct stint__mem_connection, link));
}

static void set_all_locked(const struct stint__mem_faults *faults)
{
    net.defaults = *faults;
    STINT_LIST_FOREACH (it, &net.hosts) {
        struct stint__mem_host *h = host_of(it);
        h->has_faults = false;
        apply_locked(h);
        host_reap_locked(h);
    }
}

void stint__mem_set_faults(const char *name, const struct stint__mem_faults *faults)
{
    stint__mem_lock();
    struct stint__mem_host *h = name != NULL ? stint__mem_host_get_locked(name) : NULL;
    if (name == NULL) {
        set_all_locked(faults);
    } else if (h != NULL) {
        h->has_faults = true;
        h->faults = *faults;
        apply_locked(h);
        stint__mem_host_put_locked(h);
    }
    stint__mem_unlock();
}

void stint__mem_set_seed(uint64_t seed)
{
    stint__mem_lock();
    net.random = seed;
    stint__mem_unlock();
}

void stint__mem_cut(const char *name)
{
    stint__mem_lock();
    STINT_LIST_FOREACH (it, &net.hosts) {
        struct stint__mem_host *h = host_of(it);
        if (name != NULL && strcmp(h->name, name) != 0)
            continue;
        STINT_LIST_FOREACH (at, &h->connections)
            stint__mem_break_locked(STINT__CONTAINER_OF(at, struct stint__mem_connection, link));
    }
    stint__mem_unlock();
}

void stint__mem_reset(void)
{
    static const struct stint__mem_faults none;
    stint__mem_lock();
    set_all_locked(&none);
    net.random = 0;
    stint__mem_unlock();
}
