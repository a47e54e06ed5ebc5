/* fields.c - reads fields one by one. Single-threaded. */
#include "fields.h"

bool gen_fields_next(struct stint__reader *r, struct gen_field *f)
{
    if (stint__reader_left(r) == 0)
        return false;
    uint64_t key = stint__read_varint(r);
    *f = (struct gen_field){.number = key >> 3, .wire = (unsigned)(key & 7)};
    switch (f->wire) {
    case GEN_WIRE_VARINT:
        f->value = stint__read_varint(r);
        break;
    case GEN_WIRE_FIXED64:
        f->value = stint__read_le64(r);
        break;
    case GEN_WIRE_BYTES:
        f->bytes = stint__read_bytes(r, stint__read_varint(r));
        break;
    case GEN_WIRE_FIXED32:
        f->value = stint__read_le32(r);
        break;
    default:
        r->bad = true;
    }
    return !r->bad;
}

bool gen_fields_open(struct stint__reader *r, const ProtobufCMessageUnknownField *unknown,
                     uint32_t number)
{
    if (unknown->tag != number || unknown->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return false;
    stint__reader_init(r, unknown->data, unknown->len);
    struct stint__slice body = stint__read_bytes(r, stint__read_varint(r));
    if (r->bad)
        return false;
    stint__reader_init(r, body.data, body.len);
    return true;
}
