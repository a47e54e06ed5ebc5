/* inbox.h - the bytes read from a stream, cut into frames. Not thread-safe.
 *
 * Frames that fit into the buffer are read many at a time. A larger one gets memory of its own,
 * which grows as its bytes really arrive and which its receiver can keep without a copy. */
#ifndef STINT_TRANSPORT_INBOX_H
#define STINT_TRANSPORT_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "reader.h"
#include "sp.h"

struct stint__inbox {
    uint8_t *data;     /* the buffer */
    size_t start, end; /* what has been read and not yet used */
    /* The frame that did not fit, or NULL; then the buffer is empty. */
    struct stint__buf *large;
    size_t large_filled, large_need;
    bool large_done; /* it has been handed out */
};

/* False: out of memory. */
STINT_NODISCARD bool stint__inbox_init(struct stint__inbox *in);
void stint__inbox_fini(struct stint__inbox *in);

/* Where the next bytes are to be read to: at least one. */
uint8_t *stint__inbox_space(const struct stint__inbox *in, size_t *ret_len);

/* `len` bytes have been read there. */
void stint__inbox_filled(struct stint__inbox *in, size_t len);

/* The bytes read so far that are in no frame yet, and using some of them. */
struct stint__slice stint__inbox_bytes(const struct stint__inbox *in);
void stint__inbox_use(struct stint__inbox *in, size_t len);

/* The next whole frame (stack and body), valid until the next call of any function here. *ret_owner
 * is who keeps it alive, or NULL if it is in the buffer. STINT__SP_BAD: as stint__sp_frame_next, or
 * out of memory (RESOURCE_EXHAUSTED without a reason). */
enum stint__sp_next stint__inbox_next(struct stint__inbox *in, bool ipc, size_t max_frame,
                                      struct stint__slice *ret_frame, struct stint__buf **ret_owner,
                                      stint_error *err);

#endif
