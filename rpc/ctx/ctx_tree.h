/* ctx_tree.h - what the files of rpc/ctx share: a context as a node of a tree.
 *
 * Trees. A context derived from a static one (background, todo), from nothing (an incoming call) or
 * past a cut (without_cancel, merge) is the top of a tree; every other context belongs to its
 * parent's tree. One mutex per tree, in its top, guards what is marked [tree] in all its nodes. The
 * rest is fixed before the constructor returns, or atomic.
 *
 * References. A node holds one on its parent, an armed hook one on its context. The lists of
 * children are weak: a node leaves its parent's list as it is freed. So a context whose count has
 * come to zero can still be seen, under the lock, by whoever walks the tree; it has no hooks then.
 *
 * Lock order: a tree's lock, then a hook shard's (hook.c) or the timers' (rpc/clock). Nobody holds
 * two trees' locks, and no function of the user's runs under any. */
#ifndef STINT_CTX_CTX_TREE_H
#define STINT_CTX_CTX_TREE_H

#include <pthread.h>
#include <stdatomic.h>

#include <stint/criticality.h>
#include <stint/ctx.h>
#include <stint/key.h>
#include <stint/metadata.h>
#include <stint/request.h>

#include "clock.h"
#include "list.h"

/* A context's state: live, past its deadline, or the stint_code (all greater than zero) that it was
 * ended with. It changes once, by compare-and-swap: the first cause wins. */
enum {
    STINT__LIVE = 0,
    STINT__EXPIRED = -1,
};

#define STINT__NEVER ((stint_time){INT64_MAX})

/* Why a context was ended, shared by everything that ended with it. The text stands behind it,
 * unless it is static. */
struct stint__cause {
    atomic_uint refs; /* 0: static */
    stint_reason reason;
    const char *text;
};

struct stint__value {
    const stint_key *key; /* NULL: a branch, see merge.c */
    void *value;
    const struct stint__value *next;  /* further up */
    const struct stint__value *other; /* in a branch: to search when `next` has nothing */
};

/* What is looked up through a context. One that adds nothing points to its parent's, so that
 * looking up does not walk the tree. */
struct stint__carried {
    const struct stint__value *values;
    const stint_request_info *info;
    const stint_metadata *metadata;
    struct stint__slot *slot; /* of the served call that this is part of, or NULL */
    stint_criticality criticality;
    bool probe;
};

/* What is shared by a whole tree; stands behind its top. */
struct stint__tree {
    pthread_mutex_t lock;
    struct stint__list followers; /* [tree] of stint__follower */
};

/* A context outside a tree that ends when its parent in there, or what is above that, is cancelled,
 * be it after a deadline: see extend.c. */
struct stint__follower {
    stint_ctx *ctx;          /* which this is part of */
    const stint_ctx *parent; /* which ctx holds a reference to */
    struct stint__list link; /* by the lock of the parent's tree; while taken, by who took it */
};

/* Ends a context at its deadline, once somebody waits for that; stands behind the context whose own
 * deadline it is, and serves those below that have no earlier one. */
struct stint__alarm {
    struct stint__timer timer;
    stint_ctx *owner;
    bool armed; /* [tree] may be in the heap or running */
};

/* What a context adds behind its stint_ctx. */
enum stint__ctx_kind {
    STINT__CTX_STATIC,
    STINT__CTX_PLAIN,
    STINT__CTX_VALUE,
    STINT__CTX_REQUEST,
    STINT__CTX_METADATA,
    STINT__CTX_CRITICALITY,
    STINT__CTX_MERGED,
    STINT__CTX_EXTENDED,
};

/* 120 bytes on 64-bit systems: just small enough for malloc's fast lists (120 bytes in glibc),
 * which is worth half of the time that making and cancelling many takes. */
struct stint_ctx {
    atomic_uint refs;
    atomic_int state;
    int fd;       /* [tree] -1: none yet */
    uint8_t kind; /* enum stint__ctx_kind */
    bool linked;  /* is in parent's list of children */
    bool ended;   /* [tree] its hooks have been taken; so it is with everything below */
    bool has_own_alarm;
    bool cancelled;      /* [tree] somebody has cancelled this one, even if after its deadline */
    stint_time deadline; /* the earliest from here up; STINT__NEVER: none */
    struct stint__tree *tree;
    struct stint__alarm *alarm;           /* for the deadline; NULL: there is none */
    stint_ctx *parent;                    /* NULL: a static one */
    struct stint__list siblings;          /* [tree] */
    struct stint__list children;          /* [tree] */
    struct stint__list hooks;             /* [tree] */
    struct stint__cause *cause;           /* set before state becomes a code; valid only then */
    const struct stint__carried *carried; /* never NULL */
};

/* `const stint_ctx *` is a promise to callers; inside, counts, lists and state change. */
static inline stint_ctx *stint__ctx_mutable(const stint_ctx *ctx)
{
    union {
        const stint_ctx *from;
        stint_ctx *to;
    } u = {.from = ctx};
    return u.to;
}

static inline bool stint__ctx_is_static(const stint_ctx *ctx)
{
    return ctx->kind == STINT__CTX_STATIC;
}

/* ---- ctx.c ---- */

/* A child of parent in a struct of `size` bytes that begins with a stint_ctx; what is behind it is
 * not initialised. NULL: out of memory. */
STINT_NODISCARD stint_ctx *stint__ctx_derive(const stint_ctx *parent, stint_time deadline,
                                             enum stint__ctx_kind kind, size_t size);

/* The same as the top of a tree of its own: inherits what is carried, but does not end with
 * parent. */
STINT_NODISCARD stint_ctx *stint__ctx_derive_top(const stint_ctx *parent, stint_time deadline,
                                                 enum stint__ctx_kind kind, size_t size);

/* A reference, unless the last one has gone: for those who were told of ctx without holding one. */
bool stint__ctx_try_ref(stint_ctx *ctx);

/* ctx, or the shared context that stands for "out of memory". */
stint_ctx *stint__ctx_or_exhausted(stint_ctx *ctx);

/* ---- cancel.c ---- */

/* Ends ctx and everything below it, followers too, and runs their hooks in this thread. `cause`
 * may be NULL. */
void stint__ctx_end(stint_ctx *ctx, stint_code code, struct stint__cause *cause);

/* The same because its deadline has come, which followers outlive. */
void stint__ctx_expire(stint_ctx *ctx);

/* Ends `ctx` as `other`, which is done, has ended. */
void stint__ctx_end_like(stint_ctx *ctx, const stint_ctx *other);

/* Makes ctx, which nobody else knows yet, done as `other`, which is. */
void stint__ctx_born_ended(stint_ctx *ctx, const stint_ctx *other);

struct stint__cause *stint__cause_ref(struct stint__cause *cause); /* NULL is accepted */
void stint__cause_unref(struct stint__cause *cause);

/* ---- alarm.c ---- */

void stint__alarm_init(struct stint__alarm *alarm, stint_ctx *owner);

/* Sees to it that ctx ends at its deadline even if nobody looks. False: out of memory. */
STINT_NODISCARD bool stint__ctx_set_alarm_locked(stint_ctx *ctx);

/* Ends ctx because that has failed. */
void stint__ctx_end_without_alarm(stint_ctx *ctx);

/* ---- hook.c ---- */

/* Runs the hooks in `pending`, which were taken from contexts of ctx's tree. */
void stint__hooks_run(stint_ctx *ctx, struct stint__list *pending);

/* ---- extend.c ---- */

void stint__follower_init(struct stint__follower *f, stint_ctx *ctx, const stint_ctx *parent);

/* From now on; or ends f->ctx at once, if there has been a cancellation. Not for static parents. */
void stint__follow(struct stint__follower *f);

/* To be called as f->ctx is freed, whether it follows or not. */
void stint__unfollow(struct stint__follower *f);

/* Takes the followers of what is at or below ctx out of the tree's list into `taken`, each with a
 * reference; to be ended once the lock is released. */
void stint__followers_take_locked(const stint_ctx *ctx, struct stint__list *taken);
void stint__followers_end(struct stint__list *taken, stint_code code, struct stint__cause *cause);

/* ---- what the kinds add, released as the context is freed ---- */

void stint__value_fini(stint_ctx *ctx);
void stint__request_fini(stint_ctx *ctx);
void stint__metadata_fini(stint_ctx *ctx);
void stint__merged_fini(stint_ctx *ctx);
void stint__extended_fini(stint_ctx *ctx);

/* ---- fd.c ---- */

/* Makes an eventfd readable. */
void stint__fd_signal(int fd);

#endif
