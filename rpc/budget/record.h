/* record.h - what is gathered while a call is served: the calls that it makes in turn.
 *
 * A served call's context has a slot (ctx_internal.h); the record in it is made by the first call
 * that the handler makes under that context, so a handler that calls nobody pays nothing. The
 * client reports to it when a call begins and when it ends; the server reads it when the answer is
 * made. Two things come of it:
 *
 *  - the time that the handler spent waiting for others longer than they needed, which is not its
 *    own: needed time is learned without it, or a full queue below would look like slow work here;
 *  - the ledger (stint/ledger.h): where below the time went.
 *
 * Thread-safe: children end in any thread, and may end after the answer (then they count no more).
 */
#ifndef STINT_BUDGET_RECORD_H
#define STINT_BUDGET_RECORD_H

#include <stdbool.h>

#include <stint/ctx.h>
#include <stint/ledger.h>
#include <stint/time.h>

#include "list.h"

struct stint__record;

/* The record of the served call that ctx is part of, made if there is none yet; NULL if it is part
 * of none, or out of memory. Lives as long as ctx. */
struct stint__record *stint__record_of(const stint_ctx *ctx);

/* The same, but NULL if there is none yet. */
struct stint__record *stint__record_find(const stint_ctx *ctx);

/* A call under way, as its maker lends it to the record. */
struct stint__record_call {
    struct stint__list link;
    const char *method; /* static storage */
    const char *target; /* lives as long as the call is under way */
    stint_time began;
};

/* A call begins, at c->began. */
void stint__record_begin(struct stint__record *r, struct stint__record_call *c);

/* It has ended at `ended`. `needed`: what its server said the method needs, without queues;
 * negative: it did not say, and the whole time counts as needed. */
void stint__record_end(struct stint__record *r, struct stint__record_call *c, stint_time ended,
                       stint_duration needed);

/* How long calls were under way beyond what they needed. Time in which several were under way
 * counts once: such a period needed as much as the one of its calls that would have ended last. One
 * that has not ended yet counts as needed. */
stint_duration stint__record_waited(struct stint__record *r);

/* The method of the call that was under way at `at`, for longest if there were several, and since
 * when; NULL: none was. Of those that have ended only the last is remembered. */
const char *stint__record_under_way(struct stint__record *r, stint_time at, stint_time *ret_since);

/* ---- the ledger, where the caller of the served call asked for it ---- */

/* What is gathered under ctx, which nobody else knows yet, is to have a ledger, its times counted
 * from `since`. */
void stint__record_want_ledger(const stint_ctx *ctx, stint_time since);
bool stint__record_wants_ledger(const stint_ctx *ctx);

/* The ledger of a call that began at `began`; copied. Without effect once it has been taken. */
void stint__record_add(struct stint__record *r, const stint_ledger *child, stint_time began);

/* Everything added, and what is still under way at `now`: entries from depth 1 on, without their
 * caller's own. The caller frees it. NULL: nothing was, or out of memory. Once only. */
STINT_NODISCARD stint_ledger *stint__record_take(struct stint__record *r, stint_time now);

#endif
