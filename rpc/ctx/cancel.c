/* cancel.c - the one transition of a context, from live to done, and looking at it.
 *
 * Who may make it: whoever ends a context, under the tree's lock, for the whole subtree; or whoever
 * looks at a context and finds that its deadline has passed, for that node alone and without the
 * lock. Both compare-and-swap `state`, so that two looks never disagree. A context's deadline is no
 * later than its parent's, so a walk that ends a node with its deadline ends all below it likewise.
 *
 * Invariant [tree]: below a node that is `ended` all are, and it and they have no hooks. */
#include "ctx_tree.h"

#include <string.h>

#include "alloc.h"
#include "ctx_internal.h"

static struct stint__cause dropped = {.text = "context dropped"};

/* ---- causes ---- */

/* What is left of a cause when there is no memory for its text: callers act on the reason. */
static struct stint__cause bare[] = {
#define BARE(name, number)                                                                         \
    [number] = {.reason = STINT_REASON_##name, .text = "context ended: " #name},
    STINT_REASONS(BARE)
#undef BARE
};

/* NULL when out of memory for one without a reason: the code alone must do. */
static struct stint__cause *cause_new(stint_reason reason, const char *text)
{
    size_t size = strlen(text) + 1;
    struct stint__cause *cause = stint__alloc(sizeof *cause + size);
    if (cause == NULL)
        return reason != STINT_REASON_NONE ? &bare[reason] : NULL;
    atomic_init(&cause->refs, 1);
    cause->reason = reason;
    cause->text = memcpy(cause + 1, text, size);
    return cause;
}

static bool is_static(const struct stint__cause *cause)
{
    return cause->text != (const char *)(cause + 1);
}

struct stint__cause *stint__cause_ref(struct stint__cause *cause)
{
    if (cause != NULL && !is_static(cause))
        atomic_fetch_add_explicit(&cause->refs, 1, memory_order_relaxed);
    return cause;
}

void stint__cause_unref(struct stint__cause *cause)
{
    if (cause != NULL && !is_static(cause) &&
        atomic_fetch_sub_explicit(&cause->refs, 1, memory_order_acq_rel) == 1)
        stint__free(cause);
}

/* ---- ending ---- */

struct ending {
    stint_code code;
    struct stint__cause *cause;
    struct stint__list *pending;
    /* The clock is read once, when first needed; INT64_MIN: not yet. */
    stint_time ceiling, now;
};

static bool past_deadline(const stint_ctx *ctx, struct ending *e)
{
    if (ctx->deadline.ns == STINT__NEVER.ns)
        return false;
    if (e->ceiling.ns == INT64_MIN)
        e->ceiling = stint__clock_ceiling();
    if (stint_time_before(e->ceiling, ctx->deadline))
        return false;
    if (e->now.ns == INT64_MIN)
        e->now = stint_now();
    return !stint_time_before(e->now, ctx->deadline);
}

/* From live to `state`, unless somebody was first. */
static bool set_state(stint_ctx *ctx, int state)
{
    int live = STINT__LIVE;
    return atomic_compare_exchange_strong_explicit(&ctx->state, &live, state, memory_order_acq_rel,
                                                   memory_order_acquire);
}

static void set_code(stint_ctx *ctx, stint_code code, struct stint__cause *cause)
{
    ctx->cause = stint__cause_ref(cause);
    if (!set_state(ctx, (int)code)) {
        ctx->cause = NULL;
        stint__cause_unref(cause);
    }
}

static void end_node_locked(stint_ctx *ctx, struct ending *e)
{
    ctx->ended = true;
    if (atomic_load_explicit(&ctx->state, memory_order_acquire) == STINT__LIVE) {
        if (past_deadline(ctx, e))
            (void)set_state(ctx, STINT__EXPIRED);
        else
            set_code(ctx, e->code, e->cause);
    }
    if (ctx->fd >= 0)
        stint__fd_signal(ctx->fd);
    if (ctx->has_own_alarm && ctx->alarm->armed && stint__timer_disarm(&ctx->alarm->timer))
        ctx->alarm->armed = false;
    stint__list_splice(e->pending, &ctx->hooks);
}

static stint_ctx *node_of(struct stint__list *siblings)
{
    return STINT__CONTAINER_OF(siblings, stint_ctx, siblings);
}

/* The node after ctx in a walk, parents first, of what is below root; NULL at the end. Does not go
 * below nodes that were ended before: `descend` is false there. */
static stint_ctx *next_locked(stint_ctx *ctx, const stint_ctx *root, bool descend)
{
    if (descend && !stint__list_empty(&ctx->children))
        return node_of(ctx->children.next);
    while (ctx != root) {
        if (ctx->siblings.next != &ctx->parent->children)
            return node_of(ctx->siblings.next);
        ctx = ctx->parent;
    }
    return NULL;
}

static void end_subtree_locked(stint_ctx *root, struct ending *e)
{
    for (stint_ctx *ctx = root; ctx != NULL;) {
        bool fresh = !ctx->ended;
        if (fresh)
            end_node_locked(ctx, e);
        ctx = next_locked(ctx, root, fresh);
    }
}

/* Ends the subtree; then, with no lock held, runs its hooks and ends the followers that were taken
 * from it. */
static void end(stint_ctx *ctx, stint_code code, struct stint__cause *cause, bool expiry)
{
    struct stint__list pending, followers;
    stint__list_init(&pending);
    stint__list_init(&followers);
    struct ending e = {.code = code,
                       .cause = cause,
                       .pending = &pending,
                       .ceiling = {INT64_MIN},
                       .now = {INT64_MIN}};
    pthread_mutex_lock(&ctx->tree->lock);
    end_subtree_locked(ctx, &e);
    if (!expiry) {
        ctx->cancelled = true;
        stint__followers_take_locked(ctx, &followers);
    }
    bool have_hooks = !stint__list_empty(&pending);
    if (have_hooks) /* one of them may release ctx */
        (void)stint_ctx_ref(ctx);
    pthread_mutex_unlock(&ctx->tree->lock);
    stint__followers_end(&followers, code, cause);
    if (have_hooks) {
        stint__hooks_run(ctx, &pending);
        stint_ctx_unref(ctx);
    }
}

void stint__ctx_end(stint_ctx *ctx, stint_code code, struct stint__cause *cause)
{
    end(ctx, code, cause, false);
}

void stint__ctx_expire(stint_ctx *ctx)
{
    end(ctx, STINT_DEADLINE_EXCEEDED, NULL, true);
}

void stint__ctx_end_like(stint_ctx *ctx, const stint_ctx *other)
{
    int state = atomic_load_explicit(&other->state, memory_order_acquire);
    if (state > STINT__LIVE)
        stint__ctx_end(ctx, (stint_code)state, other->cause);
    else
        stint__ctx_expire(ctx);
}

void stint__ctx_born_ended(stint_ctx *ctx, const stint_ctx *other)
{
    int state = atomic_load_explicit(&other->state, memory_order_acquire);
    ctx->cause = state > STINT__LIVE ? stint__cause_ref(other->cause) : NULL;
    ctx->ended = true;
    atomic_store_explicit(&ctx->state, state, memory_order_release);
}

void stint_ctx_cancel(stint_ctx *ctx, stint_code code, const char *text)
{
    if (ctx == NULL || stint__ctx_is_static(ctx))
        return;
    struct stint__cause *cause = text != NULL ? cause_new(STINT_REASON_NONE, text) : NULL;
    stint__ctx_end(ctx, code > STINT_OK ? code : STINT_CANCELLED, cause);
    stint__cause_unref(cause);
}

void stint__ctx_cancel_with(stint_ctx *ctx, const stint_error *why)
{
    if (stint__ctx_is_static(ctx))
        return;
    struct stint__cause *cause = cause_new(why->reason, why->message);
    stint__ctx_end(ctx, why->code, cause);
    stint__cause_unref(cause);
}

void stint_ctx_drop(stint_ctx *ctx)
{
    if (ctx == NULL || stint__ctx_is_static(ctx))
        return;
    /* The holder of the only reference is the only one who could notice a cancellation: there are
     * neither children nor hooks, which hold references too. */
    if (atomic_load_explicit(&ctx->refs, memory_order_acquire) > 1)
        stint__ctx_end(ctx, STINT_CANCELLED, &dropped);
    stint_ctx_unref(ctx);
}

/* ---- looking ---- */

stint_code stint_ctx_err(const stint_ctx *ctx)
{
    int state = atomic_load_explicit(&ctx->state, memory_order_acquire);
    if (state == STINT__LIVE) {
        if (ctx->deadline.ns == STINT__NEVER.ns || !stint__clock_has_come(ctx->deadline))
            return STINT_OK;
        if (set_state(stint__ctx_mutable(ctx), STINT__EXPIRED))
            return STINT_DEADLINE_EXCEEDED;
        state = atomic_load_explicit(&ctx->state, memory_order_acquire);
    }
    return state == STINT__EXPIRED ? STINT_DEADLINE_EXCEEDED : (stint_code)state;
}

void stint_ctx_cause(const stint_ctx *ctx, stint_error *ret)
{
    stint_code code = stint_ctx_err(ctx);
    int state = atomic_load_explicit(&ctx->state, memory_order_acquire);
    if (code == STINT_OK) {
        stint_error_clear(ret);
    } else if (state == STINT__EXPIRED) {
        (void)stint_error_set(ret, code, "context deadline exceeded");
    } else if (ctx->cause != NULL) {
        (void)stint_error_set(ret, code, "%s", ctx->cause->text);
        ret->reason = ctx->cause->reason;
    } else {
        (void)stint_error_set(ret, code, "context ended: %s", stint_code_name(code));
    }
}
