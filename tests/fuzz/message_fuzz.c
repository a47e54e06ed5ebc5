/* message_fuzz.c - decoding a message stays within its memory, and what was decoded is the same
 * after packing and decoding it again.
 *
 * The first byte of the input chooses the message's type and the memory; the rest is the message.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "alloc.h"
#include "bounded.h"
#include "message.h"
#include "tree.pb-c.h"
#include "tree3.pb-c.h"

static bool count(void *arg, size_t n)
{
    *(size_t *)arg += n + STINT__BOUNDED_OVERHEAD;
    return true;
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *desc, struct stint__slice bytes,
                                size_t max_memory)
{
    size_t used = 0;
    stint__alloc_set_gate(count, &used);
    stint_error err = STINT_ERROR_INIT;
    ProtobufCMessage *m = stint__message_unpack(desc, bytes, max_memory, &err);
    stint__alloc_set_gate(NULL, NULL);
    CHECK(used <= max_memory);
    CHECK((m == NULL) == (err.code != STINT_OK));
    CHECK(m != NULL || err.code == STINT_RESOURCE_EXHAUSTED ||
          err.reason == STINT_REASON_MALFORMED);
    return m;
}

static uint8_t *pack(const ProtobufCMessage *m, size_t *ret_len)
{
    *ret_len = protobuf_c_message_get_packed_size(m);
    uint8_t *out = malloc(*ret_len + 1);
    CHECK(out != NULL);
    CHECK(protobuf_c_message_pack(m, out) == *ret_len);
    return out;
}

static void check_packs_again(const ProtobufCMessage *m)
{
    size_t len;
    uint8_t *first = pack(m, &len);
    ProtobufCMessage *again =
        unpack(m->descriptor, (struct stint__slice){first, len}, (size_t)1 << 30);
    CHECK(again != NULL);
    size_t len_again;
    uint8_t *second = pack(again, &len_again);
    CHECK(len_again == len && memcmp(first, second, len) == 0);
    protobuf_c_message_free_unpacked(again, NULL);
    free(second);
    free(first);
}

/* The arena has no overhead for each block, but aligns them. */
static void check_arena(const ProtobufCMessageDescriptor *desc, struct stint__slice bytes)
{
    struct stint__arena arena;
    stint__arena_init(&arena, NULL, 0, (size_t)1 << 30);
    CHECK(stint__message_unpack_arena(desc, bytes, &arena, NULL) != NULL);
    stint__arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *desc = (data[0] & 1) == 0
                                                 ? &stint__test__v1__tree__descriptor
                                                 : &stint__test__v1__tree3__descriptor;
    struct stint__slice bytes = {data + 1, size - 1};
    ProtobufCMessage *m = unpack(desc, bytes, (size_t)256 << (data[0] >> 1) % 16);
    if (m == NULL)
        return 0;
    check_packs_again(m);
    check_arena(desc, bytes);
    protobuf_c_message_free_unpacked(m, NULL);
    return 0;
}
