/* outbox.h - the frames that wait to be written to a stream, in order. Not thread-safe.
 *
 * Small frames are encoded one behind the other into chunks, so that what is waiting goes out in
 * one write; a large payload that somebody keeps alive is referred to instead of copied. */
#ifndef STINT_TRANSPORT_OUTBOX_H
#define STINT_TRANSPORT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.h"
#include "list.h"
#include "net.h"
#include "sp.h"

struct stint__outbox {
    struct stint__list segments; /* oldest first */
    struct segment *spare;       /* a chunk to be used next, or NULL */
    /* Bytes since the beginning: put in, offered for writing, and written. */
    uint64_t put, given, taken;
};

void stint__outbox_init(struct stint__outbox *o);
void stint__outbox_fini(struct stint__outbox *o);

/* Adds bytes that are no frame (the handshake). False: out of memory. */
STINT_NODISCARD bool stint__outbox_put_bytes(struct stint__outbox *o, const void *data, size_t len);

/* Adds a frame. `header_size` is stint__envelope_header_size(e). False: out of memory, and nothing
 * was added. */
STINT_NODISCARD bool stint__outbox_put_frame(struct stint__outbox *o, bool ipc,
                                             const struct stint__sp_stack *stack,
                                             const struct stint__envelope *e, size_t header_size);

static inline size_t stint__outbox_size(const struct stint__outbox *o)
{
    return (size_t)(o->put - o->taken);
}

/* Offers the oldest bytes for writing; they stay where they are until taken. Returns how many of
 * `iov` are used: 0 when there is nothing. */
unsigned stint__outbox_give(struct stint__outbox *o, struct stint__iov iov[STINT__NET_IOV_MAX]);

/* `count` of the bytes offered last have been written. Nothing is on offer any more. */
void stint__outbox_take(struct stint__outbox *o, size_t count);

#endif
