/* hook.c - functions to run when a context is done.
 *
 * A hook's memory is the user's, and its function may free it, and the context may be gone when
 * stint_hook_stop is called. So what is needed to wait for a running function stands elsewhere: in
 * a record on the stack of the thread that runs it, in a list of one of a few shards, chosen by the
 * hook's address. Shards are at file scope because nothing shorter-lived is sure to be there.
 *
 * A hook's state goes IDLE -> ARMED -> STARTED or STOPPING -> IDLE. Leaving ARMED is a
 * compare-and-swap, between the one who runs it and the one who stops it:
 *  - the winner of STARTED has, by then, its record in the shard (both under the shard's lock), and
 *    does not touch the hook again once the function is entered;
 *  - the winner of STOPPING owns the hook's reference to its context, so the tree's lock is there,
 *    and unlinks the hook under it before it returns. */
#include <stdint.h>

#include "ctx_internal.h"
#include "ctx_tree.h"

enum hook_state {
    HOOK_IDLE,
    HOOK_ARMED,
    HOOK_STARTED,
    HOOK_STOPPING,
};

/* What a stint_hook holds. It may alias the public struct, whose members are only room. */
struct __attribute__((may_alias)) hook {
    struct stint__list
        link; /* in the context's list or in a runner's; guarded by the tree's lock */
    void (*fn)(void *arg);
    void *arg;
    stint_ctx *ctx; /* a reference while armed */
    atomic_int state;
};
_Static_assert(sizeof(struct hook) <= sizeof(stint_hook), "a hook must fit into its public struct");

static struct hook *hook_of(stint_hook *public)
{
    return (struct hook *)public;
}

/* ---- running functions ---- */

/* Guarded by its shard's lock. Only who waits for this function is woken, so that what threads do
 * does not depend on which hooks share a shard. */
struct running {
    struct stint__list link;
    const struct hook *hook; /* compared, never followed */
    pthread_t thread;
    unsigned waiters;        /* the record stays until they have looked */
    pthread_cond_t finished; /* for the waiters */
    pthread_cond_t left;     /* and for the last of them to say so */
};

struct shard {
    pthread_mutex_t lock;
    struct stint__list running; /* not initialised while `ready` is false */
    bool ready;
};

#define SHARD                                                                                      \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }
#define SHARD_BITS 4
static struct shard shards[1 << SHARD_BITS] = {SHARD, SHARD, SHARD, SHARD, SHARD, SHARD,
                                               SHARD, SHARD, SHARD, SHARD, SHARD, SHARD,
                                               SHARD, SHARD, SHARD, SHARD};

static struct shard *shard_of(const struct hook *h)
{
    uint64_t address = (uint64_t)(uintptr_t)h;
    return &shards[address * UINT64_C(0x9E3779B97F4A7C15) >> (64 - SHARD_BITS)];
}

/* True if this thread is now the one to run h. */
static bool start(struct hook *h, struct running *r)
{
    struct shard *s = shard_of(h);
    int armed = HOOK_ARMED;
    pthread_mutex_lock(&s->lock);
    bool mine = atomic_compare_exchange_strong(&h->state, &armed, HOOK_STARTED);
    if (mine) {
        if (!s->ready) {
            stint__list_init(&s->running);
            s->ready = true;
        }
        *r = (struct running){.hook = h,
                              .thread = pthread_self(),
                              .finished = PTHREAD_COND_INITIALIZER,
                              .left = PTHREAD_COND_INITIALIZER};
        stint__list_push_back(&s->running, &r->link);
    }
    pthread_mutex_unlock(&s->lock);
    return mine;
}

static void finish(struct running *r)
{
    struct shard *s = shard_of(r->hook);
    pthread_mutex_lock(&s->lock);
    stint__list_unlink(&r->link);
    if (r->waiters > 0)
        pthread_cond_broadcast(&r->finished);
    while (r->waiters > 0)
        pthread_cond_wait(&r->left, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* Where h runs in another thread, or NULL. */
static struct running *runs_elsewhere_locked(struct shard *s, const struct hook *h)
{
    if (!s->ready)
        return NULL;
    STINT_LIST_FOREACH (it, &s->running) {
        struct running *r = STINT__CONTAINER_OF(it, struct running, link);
        if (r->hook == h && !pthread_equal(r->thread, pthread_self()))
            return r;
    }
    return NULL;
}

static void wait_finished(const struct hook *h)
{
    struct shard *s = shard_of(h);
    struct running *r;
    pthread_mutex_lock(&s->lock);
    while ((r = runs_elsewhere_locked(s, h)) != NULL) {
        r->waiters++;
        while (!stint__list_empty(&r->link)) /* unlinked, it points to itself */
            pthread_cond_wait(&r->finished, &s->lock);
        if (--r->waiters == 0)
            pthread_cond_signal(&r->left);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- running ---- */

/* The next hook of the list that nobody is stopping, as `r` and a copy; false when there is none.
 */
static bool start_next(stint_ctx *ctx, struct stint__list *pending, struct running *r,
                       struct hook *copy)
{
    bool started = false;
    struct stint__list *link;
    pthread_mutex_lock(&ctx->tree->lock);
    while (!started && (link = stint__list_pop_front(pending)) != NULL) {
        struct hook *h = STINT__CONTAINER_OF(link, struct hook, link);
        started = start(h, r);
        if (started) {
            copy->fn = h->fn;
            copy->arg = h->arg;
            copy->ctx = h->ctx;
        }
    }
    pthread_mutex_unlock(&ctx->tree->lock);
    return started;
}

void stint__hooks_run(stint_ctx *ctx, struct stint__list *pending)
{
    struct running r;
    struct hook h;
    while (start_next(ctx, pending, &r, &h)) {
        h.fn(h.arg);
        finish(&r);
        stint_ctx_unref(h.ctx);
    }
}

/* ---- arming and stopping ---- */

enum arming {
    ARMED,
    DONE,
    NO_MEMORY,
};

static enum arming arm_locked(stint_ctx *ctx, struct hook *h, bool at_deadline)
{
    if (ctx->ended || stint_ctx_err(ctx) != STINT_OK)
        return DONE;
    if (at_deadline && !stint__ctx_set_alarm_locked(ctx))
        return NO_MEMORY;
    h->ctx = stint__ctx_mutable(stint_ctx_ref(ctx));
    atomic_store(&h->state, HOOK_ARMED);
    stint__list_push_back(&ctx->hooks, &h->link);
    return ARMED;
}

static bool arm(stint_ctx *ctx, stint_hook *hook, void (*fn)(void *arg), void *arg,
                bool at_deadline)
{
    struct hook *h = hook_of(hook);
    h->fn = fn;
    h->arg = arg;
    stint__list_init(&h->link);
    atomic_init(&h->state, HOOK_IDLE);
    if (stint__ctx_is_static(ctx))
        return !ctx->ended;
    pthread_mutex_lock(&ctx->tree->lock);
    enum arming result = arm_locked(ctx, h, at_deadline);
    pthread_mutex_unlock(&ctx->tree->lock);
    if (result == NO_MEMORY) /* a deadline that nobody would be told of: better now than never */
        stint__ctx_end_without_alarm(ctx);
    return result == ARMED;
}

bool stint_ctx_after(const stint_ctx *ctx, stint_hook *hook, void (*fn)(void *arg), void *arg)
{
    return arm(stint__ctx_mutable(ctx), hook, fn, arg, true);
}

bool stint__ctx_after_cancel(const stint_ctx *ctx, stint_hook *hook, void (*fn)(void *arg),
                             void *arg)
{
    return arm(stint__ctx_mutable(ctx), hook, fn, arg, false);
}

bool stint_hook_stop(stint_hook *hook)
{
    struct hook *h = hook_of(hook);
    int state = HOOK_ARMED;
    if (!atomic_compare_exchange_strong(&h->state, &state, HOOK_STOPPING)) {
        if (state == HOOK_STARTED)
            wait_finished(h);
        return state != HOOK_STARTED;
    }
    stint_ctx *ctx = h->ctx;
    pthread_mutex_lock(&ctx->tree->lock);
    stint__list_unlink(&h->link);
    atomic_store(&h->state, HOOK_IDLE);
    pthread_mutex_unlock(&ctx->tree->lock);
    stint_ctx_unref(ctx);
    return true;
}
