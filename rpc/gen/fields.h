/* fields.h - the fields of messages that protobuf-c was not compiled with: options that are
 * extensions. Their bytes are read by the bounded reader. */
#ifndef STINT_GEN_FIELDS_H
#define STINT_GEN_FIELDS_H

#include <protobuf-c/protobuf-c.h>

#include "reader.h"

enum { GEN_WIRE_VARINT = 0, GEN_WIRE_FIXED64 = 1, GEN_WIRE_BYTES = 2, GEN_WIRE_FIXED32 = 5 };

struct gen_field {
    uint64_t number;
    unsigned wire;
    uint64_t value;
    struct stint__slice bytes;
};

/* The next field; false at the end and at what is no field, where r is bad. */
bool gen_fields_next(struct stint__reader *r, struct gen_field *ret_field);

/* Begins to read an unknown field as a message, if it is the extension `number`. */
bool gen_fields_open(struct stint__reader *r, const ProtobufCMessageUnknownField *unknown,
                     uint32_t number);

#endif
