/* ctx.c - the nodes of the trees: construction, references, destruction. See ctx_tree.h. */
#include "ctx_tree.h"

#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "ctx_internal.h"

/* Statistics for tests; they belong to no object. */
static atomic_size_t live_count;

/* The static contexts. Written to by nobody: they are not in any list, and references to them are
 * not counted. They are not const because what is derived from them is handled alike. */
static stint_ctx background = {.is_static = true, .deadline = {INT64_MAX}, .fd = -1};
static stint_ctx todo = {.is_static = true, .deadline = {INT64_MAX}, .fd = -1};

static struct stint__cause out_of_memory = {.text = "out of memory for a context"};
static stint_ctx exhausted = {
    .is_static = true,
    .ended = true,
    .state = STINT_RESOURCE_EXHAUSTED,
    .cause = &out_of_memory,
    .deadline = {INT64_MAX},
    .fd = -1,
};

const stint_ctx *stint_ctx_background(void)
{
    return &background;
}

const stint_ctx *stint_ctx_todo(void)
{
    return &todo;
}

stint_ctx *stint__ctx_exhausted(void)
{
    return &exhausted;
}

stint_ctx *stint__ctx_or_exhausted(stint_ctx *ctx)
{
    return ctx != NULL ? ctx : &exhausted;
}

bool stint__ctx_is_eternal(const stint_ctx *ctx)
{
    return ctx->is_static && !ctx->ended;
}

size_t stint_ctx_live_count(void)
{
    return atomic_load(&live_count);
}

/* ---- references ---- */

const stint_ctx *stint_ctx_ref(const stint_ctx *ctx)
{
    if (!ctx->is_static)
        atomic_fetch_add_explicit(&stint__ctx_mutable(ctx)->refs, 1, memory_order_relaxed);
    return ctx;
}

bool stint__ctx_try_ref(stint_ctx *ctx)
{
    unsigned refs = atomic_load_explicit(&ctx->refs, memory_order_relaxed);
    while (refs > 0) {
        if (atomic_compare_exchange_weak_explicit(&ctx->refs, &refs, refs + 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

/* Takes a node that is about to be freed out of everybody's sight. */
static void retire(stint_ctx *ctx)
{
    if (ctx->linked) {
        pthread_mutex_lock(&ctx->top->lock);
        stint__list_unlink(&ctx->siblings);
        pthread_mutex_unlock(&ctx->top->lock);
    }
    if (ctx->timer_armed)
        stint__timer_disarm_wait(&ctx->timer);
}

static void free_node(stint_ctx *ctx)
{
    if (ctx->fini != NULL)
        ctx->fini(ctx);
    if (ctx->fd >= 0)
        close(ctx->fd);
    stint__cause_unref(ctx->cause);
    if (ctx->top == ctx)
        pthread_mutex_destroy(&ctx->lock);
    stint__free(ctx);
    atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
}

/* A loop and not a recursion, because a chain of contexts may be long. */
void stint_ctx_unref(const stint_ctx *released)
{
    stint_ctx *ctx = stint__ctx_mutable(released);
    while (ctx != NULL && !ctx->is_static &&
           atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) == 1) {
        stint_ctx *parent = ctx->parent;
        retire(ctx);
        free_node(ctx);
        ctx = parent;
    }
}

/* ---- construction ---- */

static stint_ctx *node_new(const stint_ctx *parent, stint_time deadline, size_t size)
{
    stint_ctx *ctx = stint__alloc(size);
    if (ctx == NULL)
        return NULL;
    memset(ctx, 0, size);
    atomic_init(&ctx->refs, 1);
    atomic_init(&ctx->state, STINT__LIVE);
    ctx->fd = -1;
    ctx->deadline = deadline;
    ctx->top = ctx;
    ctx->parent = stint__ctx_mutable(stint_ctx_ref(parent));
    stint__list_init(&ctx->siblings);
    stint__list_init(&ctx->children);
    stint__list_init(&ctx->hooks);
    ctx->values = parent->values;
    ctx->info = parent->info;
    ctx->metadata = parent->metadata;
    atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
    return ctx;
}

/* Puts a new node below its parent, or ends it if that has ended. */
static void attach(stint_ctx *ctx, stint_ctx *parent)
{
    pthread_mutex_lock(&parent->top->lock);
    if (parent->ended) {
        stint__ctx_born_ended(ctx, parent);
    } else {
        ctx->top = parent->top;
        ctx->linked = true;
        stint__list_push_back(&parent->children, &ctx->siblings);
    }
    pthread_mutex_unlock(&parent->top->lock);
}

stint_ctx *stint__ctx_derive(const stint_ctx *parent, stint_time deadline, size_t size)
{
    stint_ctx *ctx = node_new(parent, stint_time_min(deadline, parent->deadline), size);
    if (ctx == NULL)
        return NULL;
    if (!parent->is_static)
        attach(ctx, ctx->parent);
    else if (parent->ended)
        stint__ctx_born_ended(ctx, parent);
    if (ctx->top == ctx)
        pthread_mutex_init(&ctx->lock, NULL);
    return ctx;
}

stint_ctx *stint__ctx_derive_top(const stint_ctx *parent, stint_time deadline, size_t size)
{
    stint_ctx *ctx = node_new(parent, deadline, size);
    if (ctx != NULL)
        pthread_mutex_init(&ctx->lock, NULL);
    return ctx;
}

stint_ctx *stint_ctx_with_cancel(const stint_ctx *parent)
{
    return stint_ctx_with_deadline(parent, STINT__NEVER);
}

stint_ctx *stint_ctx_with_deadline(const stint_ctx *parent, stint_time when)
{
    return stint__ctx_or_exhausted(stint__ctx_derive(parent, when, sizeof(stint_ctx)));
}

stint_ctx *stint_ctx_with_timeout(const stint_ctx *parent, stint_duration timeout)
{
    return stint_ctx_with_deadline(parent, stint_time_add(stint_now(), timeout));
}

stint_ctx *stint_ctx_without_cancel(const stint_ctx *parent)
{
    return stint__ctx_or_exhausted(stint__ctx_derive_top(parent, STINT__NEVER, sizeof(stint_ctx)));
}

/* ---- time ---- */

bool stint_ctx_deadline(const stint_ctx *ctx, stint_time *ret_deadline)
{
    if (ctx->deadline.ns == STINT__NEVER.ns)
        return false;
    *ret_deadline = ctx->deadline;
    return true;
}

stint_duration stint_ctx_remaining(const stint_ctx *ctx)
{
    if (atomic_load_explicit(&ctx->state, memory_order_relaxed) != STINT__LIVE)
        return 0;
    if (ctx->deadline.ns == STINT__NEVER.ns)
        return STINT_DURATION_FOREVER;
    stint_duration left = stint_time_sub(ctx->deadline, stint_now());
    return left > 0 ? left : 0;
}
