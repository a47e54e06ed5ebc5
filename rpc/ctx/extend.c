/* extend.c - a context that outlives its parent's deadline, but not its parent's cancellation; and
 * how what is outside a tree follows the cancellations in it.
 *
 * An extension is the top of a tree of its own, since what is in a tree ends with a deadline above
 * it. It stands in the list of followers of its parent's tree, guarded by that tree's lock, where
 * every cancellation looks for those of what it ends. That a node has expired before does not
 * matter there: a cancellation after the deadline changes nothing for the node, but ends those that
 * follow what is below it, and leaves a mark for those that come later. */
#include "ctx_internal.h"
#include "ctx_tree.h"

struct extended {
    stint_ctx ctx;
    struct stint__follower follower;
};

/* ---- followers ---- */

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

void stint__follower_init(struct stint__follower *f, stint_ctx *ctx, const stint_ctx *parent)
{
    f->ctx = ctx;
    f->parent = parent;
    stint__list_init(&f->link);
}

void stint__follow(struct stint__follower *f)
{
    struct stint__tree *tree = f->parent->tree;
    pthread_mutex_lock(&tree->lock);
    const stint_ctx *cancelled = cancelled_locked(f->parent);
    if (cancelled == NULL)
        stint__list_push_back(&tree->followers, &f->link);
    pthread_mutex_unlock(&tree->lock);
    if (cancelled == NULL)
        return;
    int state = state_of(cancelled);
    if (state > STINT__LIVE)
        stint__ctx_end(f->ctx, (stint_code)state, cancelled->cause);
    else
        stint__ctx_end(f->ctx, STINT_CANCELLED, &late);
}

void stint__unfollow(struct stint__follower *f)
{
    if (stint__ctx_is_static(f->parent))
        return;
    pthread_mutex_lock(&f->parent->tree->lock);
    stint__list_unlink(&f->link);
    pthread_mutex_unlock(&f->parent->tree->lock);
}

static bool is_at_or_below(const stint_ctx *ctx, const stint_ctx *root)
{
    while (ctx != root && ctx->tree == root->tree)
        ctx = ctx->parent;
    return ctx == root;
}

void stint__followers_take_locked(const stint_ctx *ctx, struct stint__list *taken)
{
    STINT_LIST_FOREACH (it, &ctx->tree->followers) {
        struct stint__follower *f = STINT__CONTAINER_OF(it, struct stint__follower, link);
        if (is_at_or_below(f->parent, ctx) && stint__ctx_try_ref(f->ctx)) {
            stint__list_unlink(&f->link);
            stint__list_push_back(taken, &f->link);
        }
    }
}

void stint__followers_end(struct stint__list *taken, stint_code code, struct stint__cause *cause)
{
    struct stint__list *link;
    while ((link = stint__list_pop_front(taken)) != NULL) {
        stint_ctx *ctx = STINT__CONTAINER_OF(link, struct stint__follower, link)->ctx;
        stint__ctx_end(ctx, code, cause);
        stint_ctx_unref(ctx);
    }
}

/* ---- extensions ---- */

stint_ctx *stint__ctx_extended(const stint_ctx *parent, stint_time deadline)
{
    struct extended *e =
        (struct extended *)stint__ctx_derive_top(parent, deadline, STINT__CTX_EXTENDED, sizeof *e);
    if (e == NULL)
        return stint__ctx_exhausted();
    stint__follower_init(&e->follower, &e->ctx, e->ctx.parent);
    if (!stint__ctx_is_static(parent))
        stint__follow(&e->follower);
    else if (parent->ended)
        stint__ctx_born_ended(&e->ctx, parent);
    return &e->ctx;
}

void stint__extended_fini(stint_ctx *ctx)
{
    stint__unfollow(&((struct extended *)ctx)->follower);
}
