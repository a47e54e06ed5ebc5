/* bytes.h - protobuf bytes, made by hand: what no encoder would write. */
#ifndef STINT_TESTS_WIRE_BYTES_H
#define STINT_TESTS_WIRE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "field.h"
#include "reader.h"

/* Grows at its end; ends the program when out of memory. Begin with {0}. */
struct bytes {
    uint8_t *data;
    size_t len, size;
};

void bytes_free(struct bytes *b);
struct stint__slice bytes_slice(const struct bytes *b);

void bytes_put(struct bytes *b, const void *data, size_t len);
void bytes_put_varint(struct bytes *b, uint64_t v);
void bytes_put_key(struct bytes *b, uint32_t number, enum stint__wire_type type);
void bytes_put_uint(struct bytes *b, uint32_t number, uint64_t v);
void bytes_put_field(struct bytes *b, uint32_t number, const void *data, size_t len);
void bytes_put_text(struct bytes *b, uint32_t number, const char *text);

/* A message that holds one in field `number`, that holds one, ...: `depth` of them. */
struct bytes bytes_nested(uint32_t number, size_t depth);

#endif
