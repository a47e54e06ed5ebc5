/* buf.h - reference-counted bytes, so that a large message is not copied between layers. */
#ifndef STINT_BASE_BUF_H
#define STINT_BASE_BUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>

struct stint__buf {
    atomic_uint refs;
    size_t size;
    uint8_t data[];
};

/* `size` bytes, not cleared, one reference; NULL when out of memory. */
STINT_NODISCARD struct stint__buf *stint__buf_new(size_t size);
struct stint__buf *stint__buf_ref(struct stint__buf *b);
void stint__buf_unref(struct stint__buf *b); /* NULL is accepted */

#endif
