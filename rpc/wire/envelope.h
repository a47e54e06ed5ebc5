/* envelope.h - the envelope (proto/stint/rpc/v1/envelope.proto) as a struct, to bytes and back.
 *
 * Pure functions: no I/O, no clock, no allocation. A decoded envelope points into the bytes it came
 * from; an envelope to encode points to what its maker keeps alive. */
#ifndef STINT_WIRE_ENVELOPE_H
#define STINT_WIRE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>
#include <stint/metadata.h>
#include <stint/status.h>

#include "buf.h"
#include "reader.h"

enum stint__kind {
    STINT__KIND_REQUEST = 1,
    STINT__KIND_REPLY = 2,
    STINT__KIND_CANCEL = 3,
    STINT__KIND_PING = 4,
    STINT__KIND_PONG = 5,
    STINT__KIND_HELLO = 6,
    STINT__KIND_GOAWAY = 7,
};

enum stint__feature {
    STINT__FEATURE_CANCEL = 1 << 0,
    STINT__FEATURE_PING = 1 << 1,
    STINT__FEATURE_HELLO = 1 << 2,
    STINT__FEATURE_GOAWAY = 1 << 3,
    STINT__FEATURES_ALL = 15,
};

/* Limits on what is read; what exceeds them is malformed. Whoever makes an envelope keeps to them:
 * encoding does not check. */
#define STINT__PAYLOAD_MAX   ((size_t)INT32_MAX) /* what protobuf itself can measure */
#define STINT__METHOD_MAX    255
#define STINT__MESSAGE_MAX   1024 /* status text */
#define STINT__DETAILS_MAX   ((size_t)64 * 1024)
#define STINT__HEADER_MAX    ((size_t)96 * 1024) /* everything before the payload */
#define STINT__BUDGET_US_MAX ((uint64_t)INT64_MAX / 1000)

/* A request that has come through so many services goes in circles: neither sent nor served. */
#define STINT__HOP_MAX 64

struct stint__envelope {
    uint32_t kind; /* enum stint__kind; a number that is none of them is kept, for the caller */
    uint32_t features;
    uint64_t call_id; /* 0: absent */
    struct stint__slice method;
    bool has_budget, probe, want_ledger;
    uint64_t budget_us;      /* decode: at most STINT__BUDGET_US_MAX */
    const uint8_t *trace_id; /* 16 bytes, or NULL */
    const uint8_t *span_id;  /* 8 bytes, or NULL */
    struct stint__slice request_id;
    uint32_t hop, attempt, criticality;
    uint64_t sent_boottime_ns, boot_domain; /* 0: absent */
    uint64_t max_message;                   /* 0: absent */

    /* Metadata: to encode, a list; decoded, a count and the bytes to walk. */
    const stint_metadata *metadata;
    uint32_t n_metadata;
    struct stint__slice header; /* decoded: everything before the payload */

    uint32_t code; /* stint_code; a number that is none becomes UNKNOWN on decode */
    uint32_t reason;
    struct stint__slice message, details;
    bool not_executed, has_payload;
    uint64_t pushback_us, needed_us, asked_us;
    struct stint__slice ledger; /* see ledger.h; decoding an envelope does not look inside */

    struct stint__slice payload;      /* if has_payload */
    struct stint__buf *payload_owner; /* may be NULL: who keeps the payload alive without a copy */
};

/* The size of the header's encoding, with the payload's tag and length but not its bytes. */
size_t stint__envelope_header_size(const struct stint__envelope *e);

/* Writes exactly that many bytes to out; the payload's bytes are to follow. Returns the end. */
uint8_t *stint__envelope_encode_header(const struct stint__envelope *e, uint8_t *out);

/* Decodes `bytes`. *e points into it. On failure returns INVALID_ARGUMENT with a text (and reason
 * MALFORMED) that says which field is wrong, and *e is undefined. Unknown fields are skipped; a
 * payload that is not the last field, a field given twice (but metadata), a wrong wire type or
 * length, invalid UTF-8 and everything over the limits is refused. */
STINT_NODISCARD stint_code stint__envelope_decode(struct stint__envelope *e,
                                                  struct stint__slice bytes, stint_error *err);

/* Copies the metadata of a decoded envelope into an empty list. Errors: as stint_metadata_add. */
STINT_NODISCARD stint_code stint__envelope_metadata(const struct stint__envelope *e,
                                                    stint_metadata *md, stint_error *err);

#endif
