/* field.c - the fields of a protobuf message, one at a time.
 *
 * Stricter than the format where parsers differ: a field number of 0 or over 2^29-1 is refused, and
 * so is a varint that does not fit in 64 bits. Two parsers that accept a message here see the same
 * fields. Source: protobuf.dev, "Encoding". */
#include "field.h"

const char *stint__field_read(struct stint__reader *r, struct stint__field *ret)
{
    *ret = (struct stint__field){0};
    uint64_t key = stint__read_varint(r);
    uint64_t number = key >> 3;
    if (r->bad || number == 0 || number > STINT__FIELD_NUMBER_MAX)
        return "has no valid field number";
    ret->number = (uint32_t)number;
    ret->wire_type = (enum stint__wire_type)(key & 7);
    switch (ret->wire_type) {
    case STINT__WIRE_VARINT:
        ret->value = stint__read_varint(r);
        break;
    case STINT__WIRE_I64:
        ret->value = stint__read_le64(r);
        break;
    case STINT__WIRE_LEN:
        ret->bytes = stint__read_bytes(r, stint__read_varint(r));
        break;
    case STINT__WIRE_I32:
        ret->value = stint__read_le32(r);
        break;
    default:
        return "is a group or of an unknown wire type";
    }
    return r->bad ? "is cut short" : NULL;
}
