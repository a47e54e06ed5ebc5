/* merge.c - a context that ends as soon as either of two does.
 *
 * It is the top of a tree of its own, with a hook on both parents. The hooks watch for cancellation
 * only: its deadline is the earlier of the two, and its own. Ending goes through the hooks and so
 * nests as deep as merges do; so does releasing the second parent. When a parent has expired its
 * hooks are gone: from then on the merged context follows its cancellations (extend.c), which
 * change nothing for itself but end its extensions.
 *
 * Values: when both parents have some, its own value entry is a branch between the two lists. */
#include "ctx_internal.h"
#include "ctx_tree.h"

struct merged {
    stint_ctx ctx;
    struct stint__carried carried;
    stint_ctx *second; /* the other parent; ctx.parent is the first */
    struct watch {
        stint_hook hook;
        struct stint__follower follower;
    } watches[2];
    struct stint__value branch;
};

/* The merged context, which is referred to, ends as its parent has. */
static void end_with_parent(struct watch *w)
{
    const stint_ctx *parent = w->follower.parent;
    if (atomic_load_explicit(&parent->state, memory_order_acquire) == STINT__EXPIRED)
        stint__follow(&w->follower);
    stint__ctx_end_like(w->follower.ctx, parent);
}

/* Whoever frees the merged context waits for this function; until then the struct is there. */
static void parent_ended(void *arg)
{
    struct watch *w = arg;
    stint_ctx *ctx = w->follower.ctx;
    if (!stint__ctx_try_ref(ctx))
        return;
    end_with_parent(w);
    stint_ctx_unref(ctx);
}

void stint__merged_fini(stint_ctx *ctx)
{
    struct merged *m = (struct merged *)ctx;
    (void)stint_hook_stop(&m->watches[0].hook);
    (void)stint_hook_stop(&m->watches[1].hook);
    stint__unfollow(&m->watches[0].follower);
    stint__unfollow(&m->watches[1].follower);
    stint_ctx_unref(m->second);
}

static void inherit(struct merged *m, const struct stint__carried *a,
                    const struct stint__carried *b)
{
    m->branch = (struct stint__value){.next = a->values, .other = b->values};
    m->carried = (struct stint__carried){
        .values = a->values == NULL   ? b->values
                  : b->values == NULL ? a->values
                                      : &m->branch,
        .info = a->info != NULL ? a->info : b->info,
        .metadata = a->metadata != NULL ? a->metadata : b->metadata,
        .slot = a->slot != NULL ? a->slot : b->slot,
        .probe = a->probe || b->probe,
        .criticality = a->criticality != STINT_CRITICALITY_UNSET ? a->criticality : b->criticality,
    };
    m->ctx.carried = &m->carried;
}

static void watch(struct merged *m, size_t i, const stint_ctx *parent)
{
    struct watch *w = &m->watches[i];
    stint__follower_init(&w->follower, &m->ctx, parent);
    if (!stint__ctx_after_cancel(parent, &w->hook, parent_ended, w))
        end_with_parent(w);
}

stint_ctx *stint_ctx_merge(const stint_ctx *a, const stint_ctx *b)
{
    stint_time deadline = stint_time_min(a->deadline, b->deadline);
    struct merged *m =
        (struct merged *)stint__ctx_derive_top(a, deadline, STINT__CTX_MERGED, sizeof *m);
    if (m == NULL)
        return stint__ctx_exhausted();
    m->second = stint__ctx_mutable(stint_ctx_ref(b));
    inherit(m, a->carried, b->carried);
    watch(m, 0, a);
    watch(m, 1, b);
    return &m->ctx;
}
