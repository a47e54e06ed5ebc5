/* transport_impl.h - what the two kinds of transport share. */
#ifndef STINT_TRANSPORT_TRANSPORT_IMPL_H
#define STINT_TRANSPORT_TRANSPORT_IMPL_H

#include <stdatomic.h>

#include "transport.h"

/* ---- counters ---- */

struct stint__transport_counters {
    atomic_uint_least64_t connects, disconnects, malformed, late_replies, open, stalled, refused;
};

static inline void stint__count(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void stint__transport_counters_read(const struct stint__transport_counters *c,
                                    struct stint__transport_stats *ret);

/* ---- envelopes ---- */

/* Decodes `body` into *ret, which then points into it. Errors: as stint__envelope_decode. */
STINT_NODISCARD stint_code stint__incoming_decode(struct stint__incoming *ret,
                                                  struct stint__slice body,
                                                  struct stint__buf *owner, stint_time read_at,
                                                  stint_error *err);

/* Refuses an envelope that the peer would have to refuse: RESOURCE_EXHAUSTED (MESSAGE_TOO_LARGE).
 * `header_size` is stint__envelope_header_size of it. */
STINT_NODISCARD stint_code stint__outgoing_check(const struct stint__envelope *e,
                                                 size_t header_size, size_t max_message,
                                                 stint_error *err);

/* An error with a reason. */
stint_code stint__transport_error(stint_error *err, stint_code code, stint_reason reason,
                                  const char *fmt, ...) STINT_PRINTF(4, 5);

#endif
