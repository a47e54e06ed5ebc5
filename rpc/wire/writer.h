/* writer.h - protobuf fields, written or only counted. For the .c files of rpc/wire.
 *
 * One function says what is encoded, and is run twice: with an empty writer it counts the bytes
 * that it then writes. */
#ifndef STINT_WIRE_WRITER_H
#define STINT_WIRE_WRITER_H

#include <stdbool.h>
#include <string.h>

#include "field.h"

/* Inlined into its callers, and they into theirs: what counts and what writes differ in each step.
 */
#define WRITER static inline __attribute__((always_inline))

/* Where to write; passed by value, so that it stays in registers. */
struct writer {
    uint8_t *out; /* NULL: only count */
    size_t n;
};

WRITER size_t varint_size(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    return (bits + 6) / 7;
}

WRITER struct writer put_varint(struct writer w, uint64_t v)
{
    if (w.out == NULL) {
        w.n += varint_size(v);
        return w;
    }
    for (; v >= 0x80; v >>= 7)
        w.out[w.n++] = (uint8_t)(v | 0x80);
    w.out[w.n++] = (uint8_t)v;
    return w;
}

WRITER struct writer put_tag(struct writer w, uint32_t number, enum stint__wire_type type)
{
    return put_varint(w, (uint64_t)number << 3 | type);
}

WRITER struct writer put_raw(struct writer w, const void *p, size_t len)
{
    if (w.out != NULL)
        memcpy(w.out + w.n, p, len);
    w.n += len;
    return w;
}

WRITER struct writer put_uint(struct writer w, uint32_t number, bool present, uint64_t v)
{
    return present ? put_varint(put_tag(w, number, STINT__WIRE_VARINT), v) : w;
}

WRITER struct writer put_fixed64(struct writer w, uint32_t number, uint64_t v)
{
    if (v == 0)
        return w;
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    return put_raw(put_tag(w, number, STINT__WIRE_I64), bytes, sizeof bytes);
}

WRITER struct writer put_bytes(struct writer w, uint32_t number, const void *p, size_t len)
{
    if (p == NULL || len == 0)
        return w;
    return put_raw(put_varint(put_tag(w, number, STINT__WIRE_LEN), len), p, len);
}

WRITER struct writer put_slice(struct writer w, uint32_t number, struct stint__slice s)
{
    return put_bytes(w, number, s.data, s.len);
}

#endif
