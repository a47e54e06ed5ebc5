/* ctx.c - the nodes of the trees: construction, references, destruction. See ctx_tree.h. */
#include "ctx_tree.h"

#include <unistd.h>

#include "alloc.h"
#include "ctx_internal.h"

/* Statistics for tests; they belong to no object. */
static atomic_size_t live_count;

/* The static contexts. Written to by nobody: they are in no list, and references to them are not
 * counted. They are not const because what is derived from them is handled alike. */
static const struct stint__carried nothing;
static stint_ctx background = {.deadline = {INT64_MAX}, .fd = -1, .carried = &nothing};
static stint_ctx todo = {.deadline = {INT64_MAX}, .fd = -1, .carried = &nothing};

static struct stint__cause out_of_memory = {.text = "out of memory for a context"};
static stint_ctx exhausted = {
    .state = STINT_RESOURCE_EXHAUSTED,
    .fd = -1,
    .ended = true,
    .deadline = {INT64_MAX},
    .cause = &out_of_memory,
    .carried = &nothing,
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
    return stint__ctx_is_static(ctx) && !ctx->ended;
}

size_t stint_ctx_live_count(void)
{
    return atomic_load(&live_count);
}

/* ---- references ---- */

const stint_ctx *stint_ctx_ref(const stint_ctx *ctx)
{
    if (!stint__ctx_is_static(ctx))
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
        pthread_mutex_lock(&ctx->tree->lock);
        stint__list_unlink(&ctx->siblings);
        pthread_mutex_unlock(&ctx->tree->lock);
    }
    if (ctx->has_own_alarm && ctx->alarm->armed)
        stint__timer_disarm_wait(&ctx->alarm->timer);
}

static bool is_top(const stint_ctx *ctx)
{
    return !ctx->linked && ctx->tree != ctx->parent->tree;
}

static void fini_kind(stint_ctx *ctx)
{
    switch ((enum stint__ctx_kind)ctx->kind) {
    case STINT__CTX_VALUE:
        stint__value_fini(ctx);
        break;
    case STINT__CTX_REQUEST:
        stint__request_fini(ctx);
        break;
    case STINT__CTX_METADATA:
        stint__metadata_fini(ctx);
        break;
    case STINT__CTX_MERGED:
        stint__merged_fini(ctx);
        break;
    case STINT__CTX_EXTENDED:
        stint__extended_fini(ctx);
        break;
    case STINT__CTX_STATIC:
    case STINT__CTX_PLAIN:
    case STINT__CTX_CRITICALITY:
        break;
    }
}

static void free_node(stint_ctx *ctx)
{
    fini_kind(ctx);
    if (ctx->fd >= 0)
        close(ctx->fd);
    stint__cause_unref(ctx->cause);
    if (is_top(ctx))
        pthread_mutex_destroy(&ctx->tree->lock);
    stint__free(ctx);
    atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
}

/* A loop and not a recursion, because a chain of contexts may be long. */
void stint_ctx_unref(const stint_ctx *released)
{
    stint_ctx *ctx = stint__ctx_mutable(released);
    while (ctx != NULL && !stint__ctx_is_static(ctx) &&
           atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) == 1) {
        stint_ctx *parent = ctx->parent;
        retire(ctx);
        free_node(ctx);
        ctx = parent;
    }
}

/* ---- construction ---- */

/* How a node is made: what stands behind its struct, and what it takes over from its parent. */
struct plan {
    enum stint__ctx_kind kind;
    size_t size; /* of the struct, a multiple of every alignment below */
    stint_time deadline;
    bool own_deadline, top;
};

static void *place(void **behind, size_t size)
{
    void *here = *behind;
    *behind = (char *)here + size;
    return here;
}

static stint_ctx *node_new(const stint_ctx *parent, const struct plan *plan)
{
    size_t size = plan->size + (plan->top ? sizeof(struct stint__tree) : 0) +
                  (plan->own_deadline ? sizeof(struct stint__alarm) : 0);
    stint_ctx *ctx = stint__alloc(size);
    if (ctx == NULL)
        return NULL;
    void *behind = (char *)ctx + plan->size;
    *ctx = (stint_ctx){
        .refs = 1,
        .state = STINT__LIVE,
        .fd = -1,
        .kind = (uint8_t)plan->kind,
        .has_own_alarm = plan->own_deadline,
        .deadline = plan->deadline,
        .tree = plan->top ? place(&behind, sizeof(struct stint__tree)) : parent->tree,
        .alarm = plan->own_deadline ? behind
                 : plan->top        ? NULL
                                    : parent->alarm,
        .parent = stint__ctx_mutable(stint_ctx_ref(parent)),
        .carried = parent->carried,
    };
    stint__list_init(&ctx->siblings);
    stint__list_init(&ctx->children);
    stint__list_init(&ctx->hooks);
    if (plan->top) {
        pthread_mutex_init(&ctx->tree->lock, NULL);
        stint__list_init(&ctx->tree->followers);
    }
    if (plan->own_deadline)
        stint__alarm_init(ctx->alarm, ctx);
    atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
    return ctx;
}

/* Puts a new node below its parent, or ends it if that has ended. */
static void attach(stint_ctx *ctx, stint_ctx *parent)
{
    pthread_mutex_lock(&ctx->tree->lock);
    if (parent->ended) {
        stint__ctx_born_ended(ctx, parent);
    } else {
        ctx->linked = true;
        stint__list_push_back(&parent->children, &ctx->siblings);
    }
    pthread_mutex_unlock(&ctx->tree->lock);
}

stint_ctx *stint__ctx_derive(const stint_ctx *parent, stint_time deadline,
                             enum stint__ctx_kind kind, size_t size)
{
    struct plan plan = {
        .kind = kind,
        .size = size,
        .deadline = stint_time_min(deadline, parent->deadline),
        .own_deadline = stint_time_before(deadline, parent->deadline),
        .top = stint__ctx_is_static(parent),
    };
    stint_ctx *ctx = node_new(parent, &plan);
    if (ctx == NULL)
        return NULL;
    if (!plan.top)
        attach(ctx, ctx->parent);
    else if (parent->ended)
        stint__ctx_born_ended(ctx, parent);
    return ctx;
}

stint_ctx *stint__ctx_derive_top(const stint_ctx *parent, stint_time deadline,
                                 enum stint__ctx_kind kind, size_t size)
{
    struct plan plan = {
        .kind = kind,
        .size = size,
        .deadline = deadline,
        .own_deadline = deadline.ns != STINT__NEVER.ns,
        .top = true,
    };
    return node_new(parent, &plan);
}

stint_ctx *stint_ctx_with_cancel(const stint_ctx *parent)
{
    return stint_ctx_with_deadline(parent, STINT__NEVER);
}

stint_ctx *stint_ctx_with_deadline(const stint_ctx *parent, stint_time when)
{
    return stint__ctx_or_exhausted(
        stint__ctx_derive(parent, when, STINT__CTX_PLAIN, sizeof(stint_ctx)));
}

stint_ctx *stint_ctx_with_timeout(const stint_ctx *parent, stint_duration timeout)
{
    return stint_ctx_with_deadline(parent, stint_time_add(stint_now(), timeout));
}

stint_ctx *stint_ctx_without_cancel(const stint_ctx *parent)
{
    return stint__ctx_or_exhausted(
        stint__ctx_derive_top(parent, STINT__NEVER, STINT__CTX_PLAIN, sizeof(stint_ctx)));
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
