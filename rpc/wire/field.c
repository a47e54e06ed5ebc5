/* field.c - the fields of a protobuf message, one at a time.
 *
 * Stricter than the format where parsers differ: refused are a field number of 0 or over 2^29-1, a
 * key or length of more than five bytes, and a varint that does not fit in 64 bits. Two parsers
 * that accept what is accepted here see the same fields. Source: protobuf.dev, "Encoding". */
#include "field.h"

#define SHORT_VARINT 5 /* bytes that 32 bits take */

/* The varint of a key or a length; false if it is cut short or too long. */
static bool read_short(struct stint__reader *r, uint64_t *ret)
{
    const uint8_t *start = r->p;
    *ret = stint__read_varint(r);
    return !r->bad && r->p - start <= SHORT_VARINT;
}

static const char *read_content(struct stint__reader *r, struct stint__field *ret)
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
        if (!read_short(r, &len))
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

const char *stint__field_read(struct stint__reader *r, struct stint__field *ret)
{
    *ret = (struct stint__field){0};
    uint64_t key;
    if (!read_short(r, &key) || key >> 3 == 0 || key >> 3 > STINT__FIELD_NUMBER_MAX)
        return "has no valid field number";
    ret->number = (uint32_t)(key >> 3);
    ret->wire_type = (enum stint__wire_type)(key & 7);
    return read_content(r, ret);
}
