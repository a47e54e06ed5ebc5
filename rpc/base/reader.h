/* reader.h - the one way bytes from a peer are read: bounded, never past the end, never twice.
 *
 * A failed read sets `bad` and every later read fails too, so that a sequence of reads needs one
 * check at its end. */
#ifndef STINT_BASE_READER_H
#define STINT_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stint__slice {
    const uint8_t *data;
    size_t len;
};

struct stint__reader {
    const uint8_t *p, *end;
    bool bad;
};

void stint__reader_init(struct stint__reader *r, const void *data, size_t len);

static inline size_t stint__reader_left(const struct stint__reader *r)
{
    return (size_t)(r->end - r->p);
}

/* Each returns 0 (an empty slice) and sets bad when there is not enough. */
uint8_t stint__read_u8(struct stint__reader *r);
uint32_t stint__read_be32(struct stint__reader *r);
uint64_t stint__read_be64(struct stint__reader *r);
uint32_t stint__read_le32(struct stint__reader *r);
uint64_t stint__read_le64(struct stint__reader *r);
struct stint__slice stint__read_bytes(struct stint__reader *r, uint64_t len);

uint64_t stint__read_long_varint(struct stint__reader *r);

/* protobuf's: at most 10 bytes. Inline for those of one byte: most are, and every field of every
 * envelope begins with one. */
static inline uint64_t stint__read_varint(struct stint__reader *r)
{
    if (r->p < r->end && *r->p < 0x80u)
        return *r->p++;
    return stint__read_long_varint(r);
}

/* True if s is valid UTF-8 without an embedded NUL. */
bool stint__utf8_valid(struct stint__slice s);

#endif
