/* ledger.h - the ledger of a reply (message Ledger in envelope.proto), to bytes and back.
 *
 * Pure functions, like envelope.h. The reply that a ledger belongs to does not depend on it: the
 * envelope's decoding only bounds its size, and whoever wants to read it finds out here whether it
 * is sound. */
#ifndef STINT_WIRE_LEDGER_H
#define STINT_WIRE_LEDGER_H

#include <stint/ledger.h>

#include "reader.h"

/* Limits on what is read; who makes a ledger keeps to them. */
#define STINT__LEDGER_BYTES_MAX   16384
#define STINT__LEDGER_SERVICE_MAX 63 /* bytes */
#define STINT__LEDGER_METHOD_MAX  255
#define STINT__LEDGER_TARGET_MAX  127

/* The size of the encoding of one entry with its tag, and of the number of dropped ones. */
size_t stint__ledger_entry_size(const stint_ledger_entry *e);
size_t stint__ledger_dropped_size(uint32_t dropped);

/* No entry without method and target is larger: service, numbers, tags, the length. */
#define STINT__LEDGER_OWN_ENTRY_MAX 256

/* Write exactly that many bytes to out, and return the end. `used` is not encoded: it is queue and
 * handler. */
uint8_t *stint__ledger_encode_entry(const stint_ledger_entry *e, uint8_t *out);
uint8_t *stint__ledger_encode_dropped(uint32_t dropped, uint8_t *out);

/* An entry as it was read: its texts are not terminated, and point into the bytes. */
struct stint__ledger_raw {
    stint_ledger_entry entry; /* but for service, method and target, which are NULL */
    struct stint__slice service, method, target;
};

struct stint__ledger_reader {
    struct stint__reader bytes;
    uint32_t entries; /* read so far */
    uint32_t depth;   /* of the last one */
    uint32_t dropped; /* known at the end */
    bool seen_dropped;
};

void stint__ledger_reader_init(struct stint__ledger_reader *r, struct stint__slice bytes);

/* Reads the next entry. 1: there is one; 0: there are no more; -1: the bytes are unsound, *problem
 * says how (static text), and nothing that was read before counts. Unknown fields are skipped. */
int stint__ledger_next(struct stint__ledger_reader *r, struct stint__ledger_raw *ret,
                       const char **problem);

#endif
