/* admission.c - what a request has left, and whether that is enough.
 *
 * Looked at three times: on arrival, before a call is made of it; when a worker would take it; and
 * by the queue itself, for what no worker takes. What is left is the caller's budget less the time
 * the frame was under way and less a reserve for the reply; what is needed is learned (learn.c) or
 * declared (the method's minimum), and on arrival the wait in the queue comes to it.
 *
 * What is asked for depends on whether calls wait. If they do, a call that is begun in vain takes
 * the place of one that would have been in time: so it must have what nearly all calls need. If
 * none waits it costs nobody anything, and what half of the calls need will do; so a few slow calls
 * do not close a service that has nothing else to do.
 *
 * Of the calls that have too little one in PROBE_ONE_IN is let in all the same, and where there are
 * few one in each PROBE_PAUSE times its time: otherwise an estimate that was right once could never
 * be corrected. It stands for those that were turned away before it (Horvitz and Thompson, "A
 * Generalization of Sampling Without Replacement from a Finite Universe", JASA 47, 1952), or the
 * estimate would lean to what it already says. */
#include "millis.h"
#include "server_internal.h"

#define RESERVE_SHARE   50 /* the default reply reserve: this part of the budget, */
#define RESERVE_MAX     STINT_MS(1)
#define PROBE_ONE_IN    100
#define PROBE_PAUSE     10 /* times what a probe has left: how long until the next one is due */
#define PROBE_OF_OTHERS 16 /* what a probe that a caller chose stands for */
#define PUSHBACK_MIN    STINT_MS(1)
#define PUSHBACK_MAX    STINT_SECONDS(1)

/* ---- what is left ---- */

static stint_duration budget_of(const struct stint__arrival *a)
{
    const struct stint__envelope *e = &a->in->env;
    stint_duration most = a->server->opts.max_timeout;
    if (e->has_budget && e->budget_us <= (uint64_t)(most / 1000))
        return STINT_US(e->budget_us);
    if (e->has_budget)
        stint__count(&a->server->counters.clamped);
    return most;
}

static stint_duration reserve_of(const struct stint__arrival *a, stint_duration budget)
{
    stint_duration own = a->server->opts.reply_reserve;
    if (own == 0)
        own = budget / RESERVE_SHARE < RESERVE_MAX ? budget / RESERVE_SHARE : RESERVE_MAX;
    stint_duration declared = a->entry->method->reserve;
    return declared > own ? declared : own > 0 ? own : 0;
}

/* How long the frame was in buffers before its bytes were read. */
static stint_duration transit_of(const struct stint__arrival *a, stint_duration budget)
{
    const struct stint__envelope *e = &a->in->env;
    if (e->sent_boottime_ns == 0 || e->sent_boottime_ns > INT64_MAX || a->sc == NULL)
        return 0;
    int64_t read = stint__clock_boottime_ns() - stint_time_sub(a->now, a->in->read_at);
    bool same = e->boot_domain != 0 && e->boot_domain == stint__clock_boot_domain();
    if (!same && e->boot_domain != a->sc->domain) {
        /* Another clock: there is a device between us. Nothing is known about this one. */
        stint__transit_init(&a->sc->transit, a->now);
        a->sc->domain = e->boot_domain;
    }
    return stint__transit_of(&a->sc->transit, (int64_t)e->sent_boottime_ns, read, same, budget,
                             a->now);
}

void stint__arrival_set_times(struct stint__arrival *a)
{
    stint_duration budget = budget_of(a);
    a->transit = transit_of(a, budget);
    a->deadline = stint_time_add(a->in->read_at, budget - a->transit);
    a->handler_deadline = stint_time_add(a->deadline, -reserve_of(a, budget));
}

/* ---- whether it is enough ---- */

/* Whether calls wait: then one that is begun in vain takes the place of another. */
static bool is_pressed(stint_server *s, const struct stint__method_entry *entry)
{
    bool waits = (entry->method->flags & STINT_METHOD_SHORT) == 0;
    return waits && stint__queue_is_pressed(&s->work.queue, &entry->state->lane);
}

static stint_duration asked(const struct stint__method_entry *entry, bool pressed, stint_time now)
{
    stint_duration needed =
        pressed ? stint__method_needs(entry, now) : stint__method_typical(entry, now);
    return needed > entry->method->minimum ? needed : entry->method->minimum;
}

/* The state of a moment is of no use to a caller; overload lasts. */
stint_duration stint__method_asks_callers(const stint_server *s,
                                          const struct stint__method_entry *entry, stint_time now)
{
    bool waits = (entry->method->flags & STINT_METHOD_SHORT) == 0;
    bool overload =
        waits && atomic_load_explicit(&s->work.queue.newest_first, memory_order_relaxed);
    return asked(entry, overload, now);
}

stint_duration stint__method_asks(stint_server *s, const struct stint__method_entry *entry,
                                  stint_time now)
{
    return asked(entry, is_pressed(s, entry), now);
}

/* How many calls this one, which has too little time for what is known, is to find out for; 0: it
 * is turned away. */
static uint32_t probe_for(const struct stint__arrival *a, stint_duration left)
{
    struct stint__method_state *m = a->entry->state;
    if (left <= a->entry->method->minimum)
        return 0; /* what is declared is not in question */
    uint_fast32_t turned_away =
        atomic_fetch_add_explicit(&m->turned_away, 1, memory_order_relaxed) + 1;
    int_fast64_t last = atomic_load_explicit(&m->probed_at, memory_order_relaxed);
    stint_duration since = stint_time_sub(a->now, (stint_time){last});
    /* A caller that marks whatever it sends occupies one worker at most. */
    if (a->in->env.probe && since > left)
        turned_away = PROBE_OF_OTHERS;
    else if (turned_away < PROBE_ONE_IN && since / PROBE_PAUSE <= left)
        return 0;
    if (!atomic_compare_exchange_strong(&m->probed_at, &last, a->now.ns))
        return 0;
    atomic_store_explicit(&m->turned_away, 0, memory_order_relaxed);
    return (uint32_t)(turned_away < PROBE_ONE_IN ? turned_away : PROBE_ONE_IN);
}

static void say_insufficient(stint_error *why, stint_duration left, stint_duration needed,
                             stint_duration wait, const char *path)
{
    if (wait > 0)
        stint_error_set(why, STINT_DEADLINE_EXCEEDED,
                        "%.3f ms are left, and %s needs %.3f ms after some %.3f ms in the queue",
                        stint__ms(left), path, stint__ms(needed), stint__ms(wait));
    else
        stint_error_set(why, STINT_DEADLINE_EXCEEDED, "%.3f ms are left, and %s needs %.3f ms",
                        stint__ms(left), path, stint__ms(needed));
    why->reason = STINT_REASON_INSUFFICIENT_BUDGET;
    why->not_executed = true;
}

/* The wait in the queue makes it too little: that is what overload is. */
static void count_shed(struct stint__work *work, stint_time now)
{
    pthread_mutex_lock(&work->mutex);
    stint__queue_count_shed(&work->queue, now);
    pthread_mutex_unlock(&work->mutex);
}

bool stint__arrival_lacks_time(struct stint__arrival *a, stint_error *why)
{
    const stint_method *method = a->entry->method;
    struct stint__work *work = &a->server->work;
    stint_duration left = stint_time_sub(a->handler_deadline, a->now);
    stint_duration needed = stint__method_asks(a->server, a->entry, a->now);
    a->probe = left < needed ? probe_for(a, left) : 0;
    if (left < needed && a->probe == 0) {
        say_insufficient(why, left, needed, 0, method->path);
        return true;
    }
    if ((method->flags & STINT_METHOD_SHORT) != 0)
        return false;
    if (a->probe > 0)
        needed = 0;
    stint_duration wait = stint__queue_estimate(&work->queue, &a->entry->state->lane,
                                                stint__level_of(a->in->env.criticality));
    if (wait == 0 || left - wait >= needed)
        return false;
    say_insufficient(why, left, needed, wait, method->path);
    count_shed(work, a->now);
    return true;
}

/* ---- in the queue ---- */

stint_time stint__call_due(const stint_call *call)
{
    stint_duration needed = call->entry->method->minimum;
    if (call->probe == 0)
        needed = stint__method_asks(call->server, call->entry, call->arrival);
    return stint_time_add(call->handler_deadline, -needed);
}

enum stint__outcome stint__call_given_up(const stint_call *call, stint_time now, stint_error *why)
{
    stint_duration waited = stint_time_sub(now, call->arrival);
    stint_duration left = stint_time_sub(call->handler_deadline, now);
    bool expired = left <= 0;
    const char *path = call->entry->method->path;
    if (expired) /* entry.c says where the time went, as for every deadline that passes here */
        stint_error_set(why, STINT_DEADLINE_EXCEEDED, "the deadline passed in the queue");
    else
        stint_error_set(why, STINT_DEADLINE_EXCEEDED,
                        "%.3f ms are left after %.1f ms queued for a worker, and %s needs %.3f ms",
                        stint__ms(left), stint__ms(waited), path,
                        stint__ms(stint__method_asks(call->server, call->entry, now)));
    why->reason = expired ? STINT_REASON_EXPIRED_IN_QUEUE : STINT_REASON_INSUFFICIENT_BUDGET;
    why->not_executed = true;
    return expired ? STINT__EXPIRED_QUEUE : STINT__INSUFFICIENT_QUEUE;
}

/* Until half of what waits has been taken. */
stint_duration stint__server_pushback(stint_server *s)
{
    stint_duration wait = stint__queue_estimate(&s->work.queue, NULL, 0) / 2;
    if (wait < PUSHBACK_MIN)
        return PUSHBACK_MIN;
    return wait < PUSHBACK_MAX ? wait : PUSHBACK_MAX;
}
