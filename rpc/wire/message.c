/* message.c - protobuf-c messages from a peer's bytes, within bounds.
 *
 * Two steps. First a walk over the bytes along the message's descriptor: structure, depth and
 * strings. It comes first, and looks at the bytes rather than at the result, because protobuf-c's
 * strings have lost their length, and with it any embedded NUL. Then protobuf-c unpacks with a
 * bounded allocator; it takes memory for temporary tables too, so that cannot be told beforehand.
 *
 * Invariant: protobuf-c sees no bytes whose fields it could take for others than the walk did:
 * stint__field_read accepts only keys and lengths on which all parsers agree. There is no state
 * here. */
#include "message.h"

#include <stdbool.h>
#include <stdint.h>

#include "bounded.h"
#include "field.h"
#include "malformed.h"

/* Where to descend. */
struct level {
    const ProtobufCMessageDescriptor *desc;
    struct stint__slice bytes;
    unsigned depth; /* 0: the message itself */
};

static stint_code too_deep(const ProtobufCMessageDescriptor *desc, stint_error *err)
{
    return stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                           "%s: messages nested too deeply; at most %d levels are accepted",
                           desc->name, STINT__MESSAGE_DEPTH_MAX);
}

static stint_code walk(const struct level *l, stint_error *err);

static stint_code walk_field(const struct level *l, const struct stint__field *in, stint_error *err)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(l->desc, in->number);
    if (f == NULL || in->wire_type != STINT__WIRE_LEN)
        return STINT_OK;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return walk(&(struct level){f->descriptor, in->bytes, l->depth + 1}, err);
    if (f->type == PROTOBUF_C_TYPE_STRING && !stint__utf8_valid(in->bytes))
        return stint__malformed(err, "%s: %s is not UTF-8 or holds a NUL", l->desc->name, f->name);
    return STINT_OK;
}

static stint_code walk(const struct level *l, stint_error *err)
{
    if (l->depth > STINT__MESSAGE_DEPTH_MAX)
        return too_deep(l->desc, err);
    struct stint__reader r;
    stint__reader_init(&r, l->bytes.data, l->bytes.len);
    while (stint__reader_left(&r) > 0) {
        struct stint__field in;
        const char *problem = stint__field_read(&r, &in);
        if (problem != NULL)
            return stint__malformed(err, "%s: field %u %s", l->desc->name, in.number, problem);
        stint_code code = walk_field(l, &in, err);
        if (code != STINT_OK)
            return code;
    }
    return STINT_OK;
}

/* Why protobuf-c gave no message, as far as it can be told. */
static void explain(const ProtobufCMessageDescriptor *desc, enum stint__bound hit,
                    size_t max_memory, stint_error *err)
{
    switch (hit) {
    case STINT__BOUND_NONE:
        stint__malformed(err, "%s: a field has the wrong type, or a required one is missing",
                         desc->name);
        break;
    case STINT__BOUND_MEMORY:
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                        "%s: decoding it takes more than %zu bytes of memory", desc->name,
                        max_memory);
        break;
    case STINT__BOUND_STACK:
        too_deep(desc, err);
        break;
    case STINT__BOUND_SYSTEM:
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", desc->name);
        break;
    }
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *desc, struct stint__slice bytes,
                                struct stint__arena *arena, size_t max_memory, stint_error *err)
{
    /* protobuf's own limit, and the one up to which protobuf-c's 32-bit lengths are right. */
    if (bytes.len > INT32_MAX) {
        stint__malformed(err, "%s: %zu bytes; protobuf allows %d", desc->name, bytes.len,
                         INT32_MAX);
        return NULL;
    }
    if (walk(&(struct level){desc, bytes, 0}, err) != STINT_OK)
        return NULL;
    struct stint__bounded b;
    stint__bounded_init(&b, arena, max_memory, STINT__MESSAGE_STACK_MAX);
    ProtobufCMessage *m = protobuf_c_message_unpack(desc, &b.allocator, bytes.len, bytes.data);
    if (m == NULL)
        explain(desc, b.hit, max_memory, err);
    return m;
}

ProtobufCMessage *stint__message_unpack(const ProtobufCMessageDescriptor *desc,
                                        struct stint__slice bytes, size_t max_memory,
                                        stint_error *err)
{
    return unpack(desc, bytes, NULL, max_memory, err);
}

ProtobufCMessage *stint__message_unpack_arena(const ProtobufCMessageDescriptor *desc,
                                              struct stint__slice bytes, struct stint__arena *arena,
                                              stint_error *err)
{
    return unpack(desc, bytes, arena, arena->limit, err);
}
