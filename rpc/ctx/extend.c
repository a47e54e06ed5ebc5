/* extend.c - a context that outlives its parent's deadline, but not its parent's cancellation.
 *
 * It is the top of a tree of its own, since what is in a tree ends with a deadline above it. It
 * stands in the list of its parent's tree, guarded by that tree's lock, where every cancellation
 * looks for extensions of what it ends. That a node has expired before does not matter there: a
 * cancellation after the deadline changes nothing for the node, but ends the extensions below it,
 * and leaves a mark for those that come later.
 *
 * Through a merge cancellations come by hooks, which are gone once the parent has expired: an
 * extension of a merged context does not hear of a parent that is cancelled after its deadline. */
#include "ctx_internal.h"
#include "ctx_tree.h"

struct extended {
    stint_ctx ctx;
    struct stint__list link; /* by the lock of the parent's tree; while taken, by who took it */
};

static struct stint__cause late = {.text = "cancelled after its deadline"};

static int state_of(const stint_ctx *ctx)
{
    return atomic_load_explicit(&ctx->state, memory_order_acquire);
}

/* The nearest context from ctx up to the top of its tree that was cancelled; NULL: none. */
static const stint_ctx *cancelled_locked(const stint_ctx *ctx)
{
    for (const stint_ctx *c = ctx; c->tree == ctx->tree; c = c->parent) {
        if (c->cancelled || state_of(c) > STINT__LIVE)
            return c;
    }
    return NULL;
}

static void follow(struct extended *e, const stint_ctx *parent)
{
    pthread_mutex_lock(&parent->tree->lock);
    const stint_ctx *cancelled = cancelled_locked(parent);
    if (cancelled == NULL)
        stint__list_push_back(&parent->tree->extended, &e->link);
    pthread_mutex_unlock(&parent->tree->lock);
    if (cancelled == NULL)
        return;
    int state = state_of(cancelled);
    if (state > STINT__LIVE)
        stint__ctx_end(&e->ctx, (stint_code)state, cancelled->cause);
    else
        stint__ctx_end(&e->ctx, STINT_CANCELLED, &late);
}

stint_ctx *stint__ctx_extended(const stint_ctx *parent, stint_time deadline)
{
    struct extended *e =
        (struct extended *)stint__ctx_derive_top(parent, deadline, STINT__CTX_EXTENDED, sizeof *e);
    if (e == NULL)
        return stint__ctx_exhausted();
    stint__list_init(&e->link);
    if (!stint__ctx_is_static(parent))
        follow(e, parent);
    else if (parent->ended)
        stint__ctx_born_ended(&e->ctx, parent);
    return &e->ctx;
}

void stint__extended_fini(stint_ctx *ctx)
{
    struct extended *e = (struct extended *)ctx;
    if (stint__ctx_is_static(ctx->parent))
        return;
    pthread_mutex_lock(&ctx->parent->tree->lock);
    stint__list_unlink(&e->link);
    pthread_mutex_unlock(&ctx->parent->tree->lock);
}

static bool is_at_or_below(const stint_ctx *ctx, const stint_ctx *root)
{
    while (ctx != root && ctx->tree == root->tree)
        ctx = ctx->parent;
    return ctx == root;
}

void stint__ctx_take_extended_locked(const stint_ctx *ctx, struct stint__list *taken)
{
    STINT_LIST_FOREACH (it, &ctx->tree->extended) {
        struct extended *e = STINT__CONTAINER_OF(it, struct extended, link);
        if (is_at_or_below(e->ctx.parent, ctx) && stint__ctx_try_ref(&e->ctx)) {
            stint__list_unlink(&e->link);
            stint__list_push_back(taken, &e->link);
        }
    }
}

void stint__ctx_end_extended(struct stint__list *taken, stint_code code, struct stint__cause *cause)
{
    struct stint__list *link;
    while ((link = stint__list_pop_front(taken)) != NULL) {
        stint_ctx *ctx = &STINT__CONTAINER_OF(link, struct extended, link)->ctx;
        stint__ctx_end(ctx, code, cause);
        stint_ctx_unref(ctx);
    }
}
