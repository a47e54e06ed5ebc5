/* bytes.c - protobuf bytes, made by hand. */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

struct stint__slice bytes_slice(const struct bytes *b)
{
    return (struct stint__slice){b->data, b->len};
}

void bytes_put(struct bytes *b, const void *data, size_t len)
{
    if (b->size - b->len < len) {
        b->size = 2 * (b->len + len);
        b->data = realloc(b->data, b->size);
        if (b->data == NULL)
            abort();
    }
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

void bytes_put_varint(struct bytes *b, uint64_t v)
{
    do {
        uint8_t byte = (uint8_t)(v & 0x7F) | (v > 0x7F ? 0x80 : 0);
        bytes_put(b, &byte, 1);
        v >>= 7;
    } while (v != 0);
}

void bytes_put_key(struct bytes *b, uint32_t number, enum stint__wire_type type)
{
    bytes_put_varint(b, (uint64_t)number << 3 | type);
}

void bytes_put_uint(struct bytes *b, uint32_t number, uint64_t v)
{
    bytes_put_key(b, number, STINT__WIRE_VARINT);
    bytes_put_varint(b, v);
}

void bytes_put_field(struct bytes *b, uint32_t number, const void *data, size_t len)
{
    bytes_put_key(b, number, STINT__WIRE_LEN);
    bytes_put_varint(b, len);
    bytes_put(b, data, len);
}

void bytes_put_text(struct bytes *b, uint32_t number, const char *text)
{
    bytes_put_field(b, number, text, strlen(text));
}

struct bytes bytes_nested(uint32_t number, size_t depth)
{
    /* Outermost first: the sizes of what is inside must be known. */
    size_t *sizes = calloc(depth + 1, sizeof *sizes);
    if (sizes == NULL)
        abort();
    struct bytes head = {0};
    for (size_t i = 1; i <= depth; i++) {
        head.len = 0;
        bytes_put_key(&head, number, STINT__WIRE_LEN);
        bytes_put_varint(&head, sizes[i - 1]);
        sizes[i] = sizes[i - 1] + head.len;
    }
    bytes_free(&head);
    struct bytes b = {0};
    for (size_t i = depth; i > 0; i--) {
        bytes_put_key(&b, number, STINT__WIRE_LEN);
        bytes_put_varint(&b, sizes[i - 1]);
    }
    free(sizes);
    return b;
}
