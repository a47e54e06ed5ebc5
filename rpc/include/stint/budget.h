/* stint/budget.h - dividing the time that is left among what has to be done in it.
 *
 * A context says until when; what is here says who gets how much of that. docs/budget.md shows when
 * to choose what. Rules:
 *
 *  - What is made here is a context like any other: a child of its parent that never has more time
 *    than it, with its cancellation, its values and its request info. Only stint_ctx_extend gives
 *    more time, and says so.
 *  - Where no time is left for what was asked, the context is done at once with DEADLINE_EXCEEDED
 *    and the reason INSUFFICIENT_BUDGET, and a text that says how much there was. A call under it
 * is not sent: it fails with that code, reason and text, origin local, not_executed. A parent that
 *    is done already passes on its own cause instead.
 *  - A parent without a deadline has nothing to divide: reserves and legs have no effect there,
 *    caps do.
 *  - Durations are in nanoseconds. Reserves below zero count as zero. Nothing overflows.
 *  - Constructors never return NULL: see ctx.h on memory. */
#ifndef STINT_BUDGET_H
#define STINT_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#include <stint/ctx.h>
#include <stint/log.h>

STINT_BEGIN_DECLS

/* ---- one context: how long at most, how long at least ---- */

/* A child whose deadline is the parent's less `reserve`. For calls that are made at once: all of
 * them may use it, and share what it has. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_reserve(const stint_ctx *parent,
                                                            stint_duration reserve);

/* A child that has `cap`, or what the parent has left less `overhead` if that is less. A cap of
 * zero or less leaves nothing. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_cap(const stint_ctx *parent, stint_duration cap,
                                                        stint_duration overhead);

/* A child with the parent's deadline, if at least `least` is left now: for work that is of no use
 * when it cannot be finished. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_minimum(const stint_ctx *parent,
                                                            stint_duration least);

/* ---- legs: one thing after the other ---- */

/* Divides what a context has left, less a reserve, among legs that follow each other. A leg gets
 * its share, by weight, of what is left when it begins: what earlier legs did not use is divided
 * among those to come, and so is what they, or the code between them, used too much. So all of them
 * together end before the parent's deadline less the reserve, and a leg gets at least the share it
 * was promised as long as those before it keep to theirs.
 *
 * For one thread at a time. The members are the library's; do not copy it. */
typedef struct stint_budget {
    const stint_ctx *parent;
    stint_ctx *leg;          /* the one that runs */
    const uint32_t *weights; /* NULL: all alike */
    uint64_t weight_left;    /* of the legs to come */
    size_t legs;
    size_t begun;
    stint_duration reserve;
} stint_budget;

/* A budget of `legs` equal legs, to be ended by stint_budget_end. Holds a reference to ctx. Reads
 * no clock: time counts from the first leg on. */
STINT_API STINT_NODISCARD stint_budget stint_budget_start(const stint_ctx *ctx, size_t legs,
                                                          stint_duration reserve);

/* The same with a weight for each leg; only their proportions matter. `weights` must live until the
 * end. A leg of weight 0 has no time. */
STINT_API STINT_NODISCARD stint_budget stint_budget_start_weighted(const stint_ctx *ctx,
                                                                   const uint32_t *weights,
                                                                   size_t legs,
                                                                   stint_duration reserve);

/* Ends the leg that runs (its context is cancelled and released) and begins the next one, whose
 * context belongs to the budget until the leg's end. The last leg gets all that is left. To leave a
 * leg out, call this and ignore the result. Asking for more legs than were declared is a mistake of
 * the program: that context is done with FAILED_PRECONDITION. */
STINT_API const stint_ctx *stint_budget_next(stint_budget *b);

/* Ends the leg that runs and releases everything. Calling it again is harmless; stint_budget_next
 * finds no more legs. NULL is accepted. */
STINT_API void stint_budget_end(stint_budget *b);

#if STINT_HAVE_CLEANUP
/* NOLINTBEGIN(bugprone-macro-parentheses): the names are declared here. */
/* STINT_BUDGET(b, ctx, 2, STINT_MS(5)); declares b, two equal legs and 5 ms kept back; ended with
 * its scope. */
#define STINT_BUDGET(b, ctx, legs, reserve)                                                        \
    STINT_CLEANUP(stint_budget_end) stint_budget b = stint_budget_start((ctx), (legs), (reserve))

/* STINT_BUDGET_WEIGHTED(b, ctx, STINT_MS(5), 10, 70, 20); the same with three legs by weight. */
#define STINT_BUDGET_WEIGHTED(b, ctx, reserve, ...)                                                \
    const uint32_t b##_weights[] = {__VA_ARGS__};                                                  \
    STINT_CLEANUP(stint_budget_end)                                                                \
    stint_budget b = stint_budget_start_weighted(                                                  \
        (ctx), b##_weights, sizeof b##_weights / sizeof b##_weights[0], (reserve))
/* NOLINTEND(bugprone-macro-parentheses) */
#endif

/* ---- past the deadline ---- */

#define STINT_EXTEND_MAX STINT_SECONDS(3600)

/* A context with `timeout` from now, cut to STINT_EXTEND_MAX, even where the parent's deadline is
 * earlier or has passed: for what is worth finishing although the answer comes too late, such as
 * filling a cache. It is done when the parent, or anything above it, is cancelled, be it before the
 * parent's deadline or after. The context of a call is cancelled once the call has been answered:
 * when its handler returns or, if that was deferred, at the caller's deadline at the latest. (What
 * must be done in any case needs stint_ctx_without_cancel and a timeout.) A timeout of zero or less
 * is done at once.
 *
 * If it outlives the parent's deadline it is counted (stint_budget_stats) and logged, at
 * STINT_LOG_INFO, with `why`, a few words for people (NULL: none); at most 10 lines a second in the
 * process. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_extend(const stint_ctx *parent,
                                                      stint_duration timeout, const char *why,
                                                      stint_log log);

/* ---- counted in this process ---- */

typedef struct stint_budget_stats {
    size_t size;            /* set by the caller to sizeof(stint_budget_stats) */
    uint64_t insufficient;  /* contexts that were done at once: INSUFFICIENT_BUDGET */
    uint64_t extended;      /* contexts that outlive their parent's deadline */
    uint64_t extended_time; /* by how much in all, in nanoseconds */
} stint_budget_stats;

/* A snapshot of the counters. Thread-safe. */
STINT_API void stint_budget_stats_get(stint_budget_stats *stats);

STINT_END_DECLS

#endif
