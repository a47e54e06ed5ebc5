/* envelope_pb.h - envelopes beside what protobuf's own generated code makes of them. */
#ifndef STINT_TESTS_WIRE_ENVELOPE_PB_H
#define STINT_TESTS_WIRE_ENVELOPE_PB_H

#include <stdbool.h>

#include "envelope.h"
#include "envelope.pb-c.h"

/* The name of the first field in which a decoded envelope differs from what protobuf-c made of the
 * same bytes; NULL if none does. */
const char *envelope_difference(const struct stint__envelope *e,
                                const Stint__Rpc__V1__Envelope *pb);

/* Whether a ledger can be read. An envelope does not depend on it; protobuf-c refuses the whole
 * where it cannot read a part. */
bool ledger_is_sound(struct stint__slice bytes);

/* Whether what we read is what protobuf-c made of the same bytes. */
bool ledger_is_same(struct stint__slice bytes, const Stint__Rpc__V1__Ledger *pb);

#endif
