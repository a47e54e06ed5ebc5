/* record.c - what is gathered while a call is served; see record.h.
 *
 * Waiting is counted in periods: one lasts from the first call under way until none is. A period
 * needed as much as reaches to the latest end that one of its calls would have had without queues
 * (its beginning and what it needed); what it lasted longer is excess. A call still under way has
 * not said yet what it needs, so an open period counts as needed.
 *
 * Invariants: periods do not overlap, so the excess is never more than the time that has passed,
 * even when threads report out of order. A record is put into its slot once and goes with it. The
 * mutex guards all but what is fixed when the record is made. */
#include "record.h"

#include <pthread.h>

#include "alloc.h"
#include "ctx_internal.h"
#include "ledger_list.h"

struct stint__record {
    stint_time since; /* what the ledger's times are counted from */
    pthread_mutex_t mutex;
    struct stint__list under_way; /* of stint__record_call, in the order of their reports */
    stint_ledger *ledger;         /* NULL: nothing was added */
    bool taken;
    stint_time floor;        /* where the period before ended */
    stint_time began;        /* of the period: its earliest call, whichever was reported first */
    stint_time needed;       /* its calls would have ended by then */
    stint_time ended;        /* the latest end so far */
    stint_time last_began;   /* of the call that ended then, */
    const char *last_method; /* NULL: none has ended */
    stint_duration over;     /* the excess of the periods before */
};

static void record_destroy(void *content)
{
    struct stint__record *r = content;
    stint__ledger_free(r->ledger);
    pthread_mutex_destroy(&r->mutex);
    stint__free(r);
}

static struct stint__record *record_new(stint_time since)
{
    struct stint__record *r = stint__alloc_zeroed(sizeof *r);
    if (r == NULL)
        return NULL;
    r->since = since;
    stint__list_init(&r->under_way);
    pthread_mutex_init(&r->mutex, NULL);
    r->ended = (stint_time){INT64_MIN};
    return r;
}

static struct stint__record *content_of(struct stint__slot *slot)
{
    return atomic_load_explicit(&slot->content, memory_order_acquire);
}

struct stint__record *stint__record_find(const stint_ctx *ctx)
{
    struct stint__slot *slot = stint__ctx_slot(ctx);
    return slot != NULL ? content_of(slot) : NULL;
}

struct stint__record *stint__record_of(const stint_ctx *ctx)
{
    struct stint__slot *slot = stint__ctx_slot(ctx);
    if (slot == NULL)
        return NULL;
    struct stint__record *r = content_of(slot);
    if (r != NULL)
        return r;
    r = record_new(slot->since);
    if (r == NULL)
        return NULL;
    /* Before the content is there, as whoever sees that looks for this. */
    atomic_store_explicit(&slot->destroy, record_destroy, memory_order_release);
    void *before = NULL;
    if (atomic_compare_exchange_strong(&slot->content, &before, r))
        return r;
    record_destroy(r);
    return before;
}

static stint_time later(stint_time a, stint_time b)
{
    return stint_time_before(a, b) ? b : a;
}

void stint__record_begin(struct stint__record *r, struct stint__record_call *c)
{
    pthread_mutex_lock(&r->mutex);
    if (stint__list_empty(&r->under_way)) {
        r->floor = r->ended;
        r->began = (stint_time){INT64_MAX};
        r->needed = (stint_time){INT64_MIN};
    }
    r->began = stint_time_min(r->began, later(c->began, r->floor));
    stint__list_push_back(&r->under_way, &c->link);
    pthread_mutex_unlock(&r->mutex);
}

void stint__record_end(struct stint__record *r, struct stint__record_call *c, stint_time ended,
                       stint_duration needed)
{
    pthread_mutex_lock(&r->mutex);
    stint__list_unlink(&c->link);
    if (!stint_time_before(ended, r->ended)) {
        r->ended = ended;
        r->last_began = c->began;
        r->last_method = c->method;
    }
    r->needed = later(r->needed, needed < 0 ? ended : stint_time_add(c->began, needed));
    if (stint__list_empty(&r->under_way)) {
        stint_time from = later(r->began, r->needed);
        if (stint_time_before(from, r->ended))
            r->over += stint_time_sub(r->ended, from);
    }
    pthread_mutex_unlock(&r->mutex);
}

stint_duration stint__record_waited(struct stint__record *r)
{
    pthread_mutex_lock(&r->mutex);
    stint_duration over = r->over;
    pthread_mutex_unlock(&r->mutex);
    return over;
}

const char *stint__record_under_way(struct stint__record *r, stint_time at, stint_time *ret_since)
{
    const char *method = NULL;
    stint_time since = at;
    pthread_mutex_lock(&r->mutex);
    if (r->last_method != NULL && !stint_time_before(r->ended, at) &&
        !stint_time_before(since, r->last_began)) {
        method = r->last_method;
        since = r->last_began;
    }
    STINT_LIST_FOREACH (link, &r->under_way) {
        const struct stint__record_call *c =
            STINT__CONTAINER_OF(link, struct stint__record_call, link);
        if (stint_time_before(since, c->began) || (method != NULL && since.ns == c->began.ns))
            continue;
        method = c->method;
        since = c->began;
    }
    pthread_mutex_unlock(&r->mutex);
    if (method != NULL)
        *ret_since = since;
    return method;
}

/* ---- the ledger ---- */

void stint__record_want_ledger(const stint_ctx *ctx, stint_time since)
{
    struct stint__slot *slot = stint__ctx_slot(ctx);
    if (slot == NULL)
        return;
    slot->ledger = true;
    slot->since = since;
}

bool stint__record_wants_ledger(const stint_ctx *ctx)
{
    const struct stint__slot *slot = stint__ctx_slot(ctx);
    return slot != NULL && slot->ledger;
}

/* NULL: it has been taken, or out of memory. */
static stint_ledger *ledger_locked(struct stint__record *r)
{
    if (r->ledger == NULL && !r->taken)
        r->ledger = stint__ledger_new(STINT_LEDGER_MAX - 1); /* and the caller's own entry */
    return r->ledger;
}

void stint__record_add(struct stint__record *r, const stint_ledger *child, stint_time began)
{
    pthread_mutex_lock(&r->mutex);
    stint_ledger *l = ledger_locked(r);
    if (l != NULL)
        stint__ledger_append(l, child, stint_time_sub(began, r->since));
    pthread_mutex_unlock(&r->mutex);
}

static void add_under_way_locked(struct stint__record *r, stint_time now)
{
    STINT_LIST_FOREACH (link, &r->under_way) {
        const struct stint__record_call *c =
            STINT__CONTAINER_OF(link, struct stint__record_call, link);
        stint_ledger *l = ledger_locked(r);
        if (l == NULL)
            return;
        stint__ledger_add(l, &(stint_ledger_entry){
                                 .depth = 1,
                                 .state = STINT_LEDGER_UNDER_WAY,
                                 .method = stint__ledger_copy(l, c->method),
                                 .target = stint__ledger_copy(l, c->target),
                                 .start = stint_time_sub(c->began, r->since),
                                 .elapsed = stint_time_sub(now, c->began),
                             });
    }
}

stint_ledger *stint__record_take(struct stint__record *r, stint_time now)
{
    pthread_mutex_lock(&r->mutex);
    if (!r->taken)
        add_under_way_locked(r, now);
    stint_ledger *l = r->ledger;
    r->ledger = NULL;
    r->taken = true;
    pthread_mutex_unlock(&r->mutex);
    return l;
}
