/* budget_internal.h - what the files of rpc/budget share. */
#ifndef STINT_BUDGET_BUDGET_INTERNAL_H
#define STINT_BUDGET_BUDGET_INTERNAL_H

#include <stdatomic.h>

#include <stint/budget.h>

#include "millis.h"

/* Statistics of the process, each counted on its own; they belong to no object. */
struct stint__budget_counters {
    atomic_uint_least64_t insufficient;
    atomic_uint_least64_t extended;
    atomic_uint_least64_t extended_time;
};
extern struct stint__budget_counters stint__budget_counters;

/* A child that is done: for INSUFFICIENT_BUDGET with this text, or as the parent if that is. */
STINT_NODISCARD stint_ctx *stint__budget_refuse(const stint_ctx *parent, const char *fmt, ...)
    STINT_PRINTF(2, 3);

/* What ctx has left now, less a reserve. */
struct stint__slack {
    stint_time now;
    stint_time end;      /* when it is over; INT64_MAX ns: never */
    stint_duration left; /* until then; zero or less: nothing. FOREVER: no deadline */
};
struct stint__slack stint__budget_slack(const stint_ctx *ctx, stint_duration reserve);

/* A child that is done because nothing is left beside the reserve; `who` is what it was for. */
STINT_NODISCARD stint_ctx *stint__budget_none_left(const stint_ctx *parent, const char *who,
                                                   stint_duration reserve);

#endif
