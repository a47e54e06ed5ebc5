/* queue.c - the order in which calls are run: see queue.h.
 *
 * Invariants: a waiter is `queued` exactly while it is in one list of its lane and in the heap; a
 * lane is linked exactly while calls wait in it; `length` is the number of entries of the heap, and
 * the sum of `waiting`; `blocked` is the sum of the counts of the lanes that are `full`. */
#include "queue.h"

#include <math.h>

#define FADE             STINT_MS(500) /* how fast the past is forgotten: to 1/e */
#define SHED_SHARE       0.1           /* of the calls: more, and the newest go first */
#define SHED_LEAST       3.0           /* one or two are no overload */
#define PAUSE_MAX        4             /* times the interval: what one take counts at most */
#define SMOOTHING        16            /* takes, for the interval between them, */
#define INTERVAL_AGE_MAX 4 /* which is forgotten when so many of it brought nothing new */

uint8_t stint__level_of(uint32_t criticality)
{
    bool known = criticality >= 1 && criticality <= STINT__LEVELS;
    return (uint8_t)((known ? criticality : STINT_CRITICALITY_CRITICAL) - 1);
}

void stint__lane_init(struct stint__lane *lane, uint32_t limit)
{
    for (size_t i = 0; i < STINT__LEVELS; i++)
        stint__list_init(&lane->waiting[i]);
    stint__list_init(&lane->link);
    lane->length = 0;
    lane->running = 0;
    lane->limit = limit;
    for (size_t i = 0; i < STINT__LEVELS; i++)
        atomic_init(&lane->counts[i], 0);
    atomic_init(&lane->full, limit == 0);
}

void stint__queue_init(struct stint__queue *q, uint32_t max, uint32_t limit, stint_time now)
{
    *q = (struct stint__queue){.max = max, .limit = limit, .faded = now, .last_take = now};
    stint__list_init(&q->lanes);
}

void stint__queue_fini(struct stint__queue *q)
{
    stint__heap_fini(&q->due);
}

/* ---- overload ---- */

/* While calls are refused because of the wait there is no backlog to measure it by: the interval
 * would hold for ever, however much faster everything has become. */
static void forget_interval(struct stint__queue *q, stint_time now)
{
    stint_duration interval = atomic_load_explicit(&q->interval, memory_order_relaxed);
    stint_duration age = stint_time_sub(now, q->measured);
    if (interval == 0 || age <= FADE || age / INTERVAL_AGE_MAX <= interval)
        return;
    atomic_store_explicit(&q->interval, 0, memory_order_relaxed);
    q->backlog = false; /* nor is it learned from what made it old */
}

static void fade(struct stint__queue *q, stint_time now)
{
    stint_duration passed = stint_time_sub(now, q->faded);
    if (passed < FADE / 16)
        return;
    forget_interval(q, now);
    double factor = exp(-(double)passed / (double)FADE);
    q->shed *= factor;
    q->taken *= factor;
    q->faded = now;
    atomic_store_explicit(&q->newest_first,
                          q->shed > SHED_LEAST && q->shed > SHED_SHARE * (q->shed + q->taken),
                          memory_order_relaxed);
}

void stint__queue_count_shed(struct stint__queue *q, stint_time now)
{
    q->shed++;
    fade(q, now);
}

static bool newest_first(const struct stint__queue *q)
{
    return atomic_load_explicit(&q->newest_first, memory_order_relaxed);
}

/* ---- in and out ---- */

static uint_fast32_t get(const atomic_uint_fast32_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* Written under the lock only, so two steps will do; subtracting is adding a negative number. */
static void add(atomic_uint_fast32_t *count, uint_fast32_t n)
{
    atomic_store_explicit(count, get(count) + n, memory_order_relaxed);
}

static bool is_full(const struct stint__lane *lane)
{
    return atomic_load_explicit(&lane->full, memory_order_relaxed);
}

static void count_waiting(struct stint__queue *q, struct stint__waiter *w, uint_fast32_t change)
{
    add(&q->waiting[w->level], change);
    add(&w->lane->counts[w->level], change);
    if (is_full(w->lane))
        add(&q->blocked[w->level], change);
}

/* After each change of running or limit. */
static void note_full(struct stint__queue *q, struct stint__lane *lane)
{
    bool full = lane->running >= lane->limit;
    if (full == is_full(lane))
        return;
    atomic_store_explicit(&lane->full, full, memory_order_relaxed);
    for (size_t i = 0; i < STINT__LEVELS; i++)
        add(&q->blocked[i], full ? get(&lane->counts[i]) : -get(&lane->counts[i]));
}

void stint__lane_set_limit(struct stint__queue *q, struct stint__lane *lane, uint32_t limit)
{
    lane->limit = limit;
    note_full(q, lane);
}

enum stint__push stint__queue_push(struct stint__queue *q, struct stint__waiter *w)
{
    if (q->length >= q->max)
        return STINT__PUSH_FULL;
    if (!stint__heap_reserve(&q->due))
        return STINT__PUSH_NO_MEMORY;
    struct stint__lane *lane = w->lane;
    w->order = q->next_order++;
    w->queued = true;
    w->due.slot = STINT__NO_SLOT;
    stint__heap_put(&q->due, &w->due, w->order);
    stint__list_push_back(&lane->waiting[w->level], &w->link);
    if (lane->length++ == 0)
        stint__list_push_back(&q->lanes, &lane->link);
    q->length++;
    count_waiting(q, w, 1);
    return STINT__PUSH_DONE;
}

void stint__queue_remove(struct stint__queue *q, struct stint__waiter *w)
{
    if (!w->queued)
        return;
    w->queued = false;
    stint__heap_remove(&q->due, w->due.slot);
    stint__list_unlink(&w->link);
    if (--w->lane->length == 0)
        stint__list_unlink(&w->lane->link);
    q->length--;
    count_waiting(q, w, (uint_fast32_t)-1);
}

static struct stint__waiter *oldest_of(const struct stint__list *list)
{
    return STINT__CONTAINER_OF(list->next, struct stint__waiter, link);
}

static struct stint__waiter *newest_of(const struct stint__list *list)
{
    return STINT__CONTAINER_OF(list->prev, struct stint__waiter, link);
}

/* The first of a level by the order that is asked for, in any lane, or in those that may run. */
static struct stint__waiter *first_of(const struct stint__queue *q, uint8_t level, bool newest,
                                      bool runnable)
{
    struct stint__waiter *first = NULL;
    STINT_LIST_FOREACH (link, &q->lanes) {
        struct stint__lane *lane = STINT__CONTAINER_OF(link, struct stint__lane, link);
        struct stint__list *list = &lane->waiting[level];
        if (stint__list_empty(list) || (runnable && is_full(lane)))
            continue;
        struct stint__waiter *w = newest ? newest_of(list) : oldest_of(list);
        if (first == NULL || (newest ? w->order > first->order : w->order < first->order))
            first = w;
    }
    return first;
}

/* ---- who is given up ---- */

struct stint__waiter *stint__queue_make_room(struct stint__queue *q, uint8_t level)
{
    int levels = level + (newest_first(q) ? 1 : 0);
    for (int i = 0; i < levels; i++) {
        /* What would be run last. */
        struct stint__waiter *w = first_of(q, (uint8_t)i, !newest_first(q), false);
        if (w == NULL)
            continue;
        stint__queue_remove(q, w);
        return w;
    }
    return NULL;
}

struct stint__waiter *stint__queue_first_due(const struct stint__queue *q)
{
    if (q->length == 0)
        return NULL;
    return STINT__CONTAINER_OF(q->due.entries[0].timer, struct stint__waiter, due);
}

struct stint__waiter *stint__queue_take_due(struct stint__queue *q, stint_time now)
{
    struct stint__waiter *w = stint__queue_first_due(q);
    if (w == NULL || !stint_time_before(w->due.when, now))
        return NULL;
    stint__queue_remove(q, w);
    stint__queue_count_shed(q, now);
    return w;
}

/* ---- who is run ---- */

static struct stint__waiter *next_to_run(const struct stint__queue *q)
{
    struct stint__waiter *w = NULL;
    if (q->running < q->limit)
        for (uint8_t level = STINT__LEVELS; w == NULL && level-- > 0;)
            w = first_of(q, level, newest_first(q), true);
    return w;
}

/* How many calls wait at a level that a new one in `lane` competes with. */
static uint_fast32_t competing(const struct stint__queue *q, const struct stint__lane *lane,
                               size_t level)
{
    uint_fast32_t all = get(&q->waiting[level]);
    if (lane == NULL)
        return all;
    uint_fast32_t blocked = get(&q->blocked[level]);
    uint_fast32_t open = blocked < all ? all - blocked : 0; /* they are not read at once */
    return is_full(lane) ? open + get(&lane->counts[level]) : open;
}

static bool competes(const struct stint__queue *q, const struct stint__lane *lane)
{
    for (size_t i = 0; i < STINT__LEVELS; i++)
        if (competing(q, lane, i) > 0)
            return true;
    return false;
}

/* Calls leave the queue so often, while there are some that could. What waits in a full lane, other
 * than the one just taken from, could not: how often the others come says nothing about it. A
 * single long pause counts for little: who comes after it need not wait for another. */
static void measure_interval(struct stint__queue *q, const struct stint__lane *lane, stint_time now)
{
    if (q->backlog) {
        stint_duration sample = stint_time_sub(now, q->last_take);
        stint_duration old = atomic_load_explicit(&q->interval, memory_order_relaxed);
        if (old > 0 && sample > PAUSE_MAX * old)
            sample = PAUSE_MAX * old;
        stint_duration mean = old == 0 ? sample : old + (sample - old) / SMOOTHING;
        atomic_store_explicit(&q->interval, mean, memory_order_relaxed);
        q->measured = now;
    }
    q->last_take = now;
    q->backlog = competes(q, lane);
}

struct stint__waiter *stint__queue_take(struct stint__queue *q, stint_time now)
{
    struct stint__waiter *w = next_to_run(q);
    if (w == NULL)
        return NULL;
    stint__queue_remove(q, w);
    q->running++;
    w->lane->running++;
    note_full(q, w->lane);
    q->taken++;
    fade(q, now);
    measure_interval(q, w->lane, now);
    return w;
}

void stint__queue_done(struct stint__queue *q, struct stint__lane *lane)
{
    q->running--;
    lane->running--;
    note_full(q, lane);
}

stint_duration stint__queue_estimate(struct stint__queue *q, const struct stint__lane *lane,
                                     uint8_t level)
{
    stint_duration interval = atomic_load_explicit(&q->interval, memory_order_relaxed);
    uint_fast32_t ahead = 0;
    /* When the newest goes first, it waits for its betters only. */
    for (int i = newest_first(q) ? level + 1 : level; i < STINT__LEVELS; i++)
        ahead += competing(q, lane, (size_t)i);
    return interval * (stint_duration)ahead;
}

bool stint__queue_is_pressed(struct stint__queue *q, const struct stint__lane *lane)
{
    return newest_first(q) || competes(q, lane);
}
