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

struct stint__record {
    pthread_mutex_t mutex;
    uint32_t under_way;
    stint_time floor;    /* where the period before ended */
    stint_time began;    /* of the period: its earliest call, whichever was reported first */
    stint_time needed;   /* its calls would have ended by then */
    stint_time ended;    /* the latest end so far */
    stint_duration over; /* the excess of the periods before */
};

static void record_destroy(void *content)
{
    struct stint__record *r = content;
    pthread_mutex_destroy(&r->mutex);
    stint__free(r);
}

static struct stint__record *record_new(void)
{
    struct stint__record *r = stint__alloc_zeroed(sizeof *r);
    if (r == NULL)
        return NULL;
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
    r = record_new();
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

void stint__record_begin(struct stint__record *r, stint_time began)
{
    pthread_mutex_lock(&r->mutex);
    if (r->under_way++ == 0) {
        r->floor = r->ended;
        r->began = (stint_time){INT64_MAX};
        r->needed = (stint_time){INT64_MIN};
    }
    r->began = stint_time_min(r->began, later(began, r->floor));
    pthread_mutex_unlock(&r->mutex);
}

void stint__record_end(struct stint__record *r, stint_time began, stint_time ended,
                       stint_duration needed)
{
    pthread_mutex_lock(&r->mutex);
    r->ended = later(r->ended, ended);
    r->needed = later(r->needed, needed < 0 ? ended : stint_time_add(began, needed));
    if (--r->under_way == 0) {
        stint_time from = later(r->began, r->needed);
        if (stint_time_before(from, r->ended))
            r->over += stint_time_sub(r->ended, from);
    }
    pthread_mutex_unlock(&r->mutex);
}

stint_duration stint__record_waited(struct stint__record *r, stint_time now)
{
    (void)now; /* an open period counts as needed */
    pthread_mutex_lock(&r->mutex);
    stint_duration over = r->over;
    pthread_mutex_unlock(&r->mutex);
    return over;
}
