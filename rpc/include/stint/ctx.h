/* stint/ctx.h - contexts: how long work may take, and whether it is still wanted.
 *
 * Go's context package (pkg.go.dev/context) for C. A context carries a deadline,
 * a cancellation and values down a tree of calls. Rules:
 *
 *  - A context is immutable but for one transition, from live to done, and the
 *    first cause wins. A child is done no later than its parent; cancelling a
 *    parent has ended everything below it before stint_ctx_cancel returns (until
 *    then other threads may see the parent done and a child not yet). A child
 *    never affects its parent or its siblings.
 *  - `const stint_ctx *` may look and derive. `stint_ctx *` owns: its holder may
 *    cancel, and must release it exactly once (stint_ctx_drop or stint_ctx_unref).
 *  - Constructors never return NULL. Out of memory they return a shared context
 *    that is already done with RESOURCE_EXHAUSTED, so the next call that looks
 *    reports it; releasing that one is allowed and does nothing.
 *  - Everything here is thread-safe unless it says otherwise. */
#ifndef STINT_CTX_H
#define STINT_CTX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <stint/macros.h>
#include <stint/status.h>
#include <stint/time.h>

STINT_BEGIN_DECLS

typedef struct stint_ctx stint_ctx;

/* The root of every tree: never done, no deadline, no values. Static; releasing it does nothing. */
STINT_API const stint_ctx *stint_ctx_background(void);

/* The same, for code that does not know its context yet: easy to search for. */
STINT_API const stint_ctx *stint_ctx_todo(void);

/* A child that the caller may cancel. The child keeps its parent alive. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_cancel(const stint_ctx *parent);

/* A child that is done with DEADLINE_EXCEEDED at `when`, or at the parent's deadline if that is
 * earlier. Arms no timer until somebody waits. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_deadline(const stint_ctx *parent,
                                                             stint_time when);

/* stint_ctx_with_deadline(parent, now + timeout). A timeout of zero or less is done at once. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_timeout(const stint_ctx *parent,
                                                            stint_duration timeout);

/* A child that keeps the parent's values and request info but not its deadline nor its
 * cancellation: for work that must outlive a call (Go: WithoutCancel). Give it a budget of its own,
 * or it has none. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_without_cancel(const stint_ctx *parent);

/* A context that is done as soon as either is, with that one's cause; the earlier deadline; values
 * are looked up in `a`, then in `b`; request info is `a`'s if it has any. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_merge(const stint_ctx *a, const stint_ctx *b);

/* Ends ctx and everything below it. `code` should be STINT_CANCELLED unless there is a better one
 * (STINT_OK counts as STINT_CANCELLED); `cause` (copied, may be NULL) tells why. Later calls do
 * nothing. Hooks run in this thread before it returns. NULL is accepted. */
STINT_API void stint_ctx_cancel(stint_ctx *ctx, stint_code code, const char *cause);

/* Cancels (STINT_CANCELLED, "context dropped") and releases: what a function does with the contexts
 * it made. NULL is accepted. */
STINT_API void stint_ctx_drop(stint_ctx *ctx);

/* Another reference to look and derive through; and its release, which does not cancel. NULL is
 * accepted by unref. */
STINT_API const stint_ctx *stint_ctx_ref(const stint_ctx *ctx);
STINT_API void stint_ctx_unref(const stint_ctx *ctx);

/* True and *ret_deadline if there is a deadline; else false, *ret_deadline untouched. */
STINT_API bool stint_ctx_deadline(const stint_ctx *ctx, stint_time *ret_deadline);

/* What is left: never negative; 0 if done; STINT_DURATION_FOREVER without a deadline. */
STINT_API stint_duration stint_ctx_remaining(const stint_ctx *ctx);

/* STINT_OK while live; then STINT_DEADLINE_EXCEEDED, STINT_CANCELLED, or the code given to cancel.
 * Cheap enough for a loop. */
STINT_API stint_code stint_ctx_err(const stint_ctx *ctx);

/* Fills *ret with why ctx is done (code, reason, message); with "no error" while it is live. */
STINT_API void stint_ctx_cause(const stint_ctx *ctx, stint_error *ret);

/* A file descriptor that becomes readable when ctx is done, for poll, select and epoll. It belongs
 * to the context: do not read or close it, and do not use it after releasing the context. For a
 * context that can never be done it is -1, which poll ignores. Errors: RESOURCE_EXHAUSTED (no file
 * descriptors or memory left). */
STINT_API STINT_NODISCARD stint_code stint_ctx_fd(const stint_ctx *ctx, int *ret_fd,
                                                  stint_error *err);

/* Sleeps for d. Returns STINT_OK after it, or earlier with stint_ctx_err's code, or at once with
 * RESOURCE_EXHAUSTED (memory for a timer). */
STINT_API STINT_NODISCARD stint_code stint_ctx_sleep(const stint_ctx *ctx, stint_duration d);

/* pthread_cond_wait that also ends when ctx is done. The mutex is held on entry and on return.
 * Wakes spuriously, as its model does: call it in a loop around your predicate. Returns STINT_OK,
 * stint_ctx_err's code, or RESOURCE_EXHAUSTED (memory for a timer). The condition variable may use
 * any clock. A thread that cancels ctx may hold the mutex. */
STINT_API STINT_NODISCARD stint_code stint_ctx_cond_wait(const stint_ctx *ctx, pthread_cond_t *cond,
                                                         pthread_mutex_t *mutex);

/* A function to run when a context is done (Go: AfterFunc). The caller provides the memory, which
 * must live until fn has been called or stint_hook_stop has returned. */
typedef struct stint_hook {
    void *priv[8]; /* the library's; no need to clear it first */
} stint_hook;

/* Arranges for fn(arg) to run exactly once when ctx is done, in the thread that ends it or in the
 * timer thread; fn must not block. Returns true if armed; false if ctx is done already, in which
 * case fn is not and will not be called: act at once. fn may free the hook. */
STINT_API STINT_NODISCARD bool stint_ctx_after(const stint_ctx *ctx, stint_hook *hook,
                                               void (*fn)(void *arg), void *arg);

/* Disarms. Returns true if fn will never run. Otherwise fn has run: if it is running in another
 * thread, waits for it; called from fn itself, returns at once. Calling it again is harmless. */
STINT_API bool stint_hook_stop(stint_hook *hook);

/* The number of contexts that exist in this process, for tests that look for leaks. */
STINT_API size_t stint_ctx_live_count(void);

#if STINT_HAVE_CLEANUP
static inline void stint_ctx_dropp(stint_ctx **ctx)
{
    stint_ctx_drop(*ctx);
}
/* STINT_AUTO_CTX ctx = stint_ctx_with_timeout(parent, STINT_MS(50)); is dropped with its scope. */
#define STINT_AUTO_CTX STINT_CLEANUP(stint_ctx_dropp) stint_ctx *
#endif

STINT_END_DECLS

#endif
