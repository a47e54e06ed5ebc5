/* field.h - the fields of a protobuf message, one at a time.
 *
 * Stricter than the format where parsers differ: refused are a field number of 0 or over 2^29-1, a
 * key or length of more than five bytes, a varint that does not fit in 64 bits, and groups. Two
 * parsers that accept what is accepted here see the same fields. Source: protobuf.dev, "Encoding".
 *
 * Inline, because it runs for every field of every envelope and payload. */
#ifndef STINT_WIRE_FIELD_H
#define STINT_WIRE_FIELD_H

#include <stdint.h>

#include <stint/macros.h>

#include "reader.h"

enum stint__wire_type {
    STINT__WIRE_VARINT = 0,
    STINT__WIRE_I64 = 1,
    STINT__WIRE_LEN = 2,
    STINT__WIRE_I32 = 5,
};

#define STINT__FIELD_NUMBER_MAX ((1u << 29) - 1)

struct stint__field {
    uint32_t number; /* 1 to STINT__FIELD_NUMBER_MAX */
    enum stint__wire_type wire_type;
    uint64_t value;            /* VARINT, I64, I32 */
    struct stint__slice bytes; /* LEN */
};

/* The varint of a key or a length; false if it is cut short or has more bytes than 32 bits take. */
static inline bool stint__field_short(struct stint__reader *r, uint64_t *ret)
{
    const uint8_t *start = r->p;
    *ret = stint__read_varint(r);
    return !r->bad && r->p - start <= 5;
}

/* What follows the key. */
static inline const char *stint__field_content(struct stint__reader *r, struct stint__field *ret)
{
    uint64_t len;
    switch (ret->wire_type) {
    case STINT__WIRE_VARINT:
        ret->value = stint__read_varint(r);
        break;
    case STINT__WIRE_I64:
        ret->value = stint__read_le64(r);
        break;
    case STINT__WIRE_LEN:
        if (!stint__field_short(r, &len))
            return "has no valid length";
        ret->bytes = stint__read_bytes(r, len);
        break;
    case STINT__WIRE_I32:
        ret->value = stint__read_le32(r);
        break;
    default:
        return "is a group or of an unknown wire type";
    }
    return r->bad ? "is cut short" : NULL;
}

/* Reads the next field of a message that has bytes left. NULL, or what is wrong with it (static
 * text); its number is then set if that could be read, else 0. */
STINT_NODISCARD static inline const char *stint__field_read(struct stint__reader *r,
                                                            struct stint__field *ret)
{
    *ret = (struct stint__field){0};
    uint64_t key;
    if (!stint__field_short(r, &key) || key >> 3 == 0 || key >> 3 > STINT__FIELD_NUMBER_MAX)
        return "has no valid field number";
    ret->number = (uint32_t)(key >> 3);
    ret->wire_type = (enum stint__wire_type)(key & 7);
    return stint__field_content(r, ret);
}

#endif
