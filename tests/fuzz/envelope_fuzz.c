/* envelope_fuzz.c - what decodes as an envelope, protobuf-c decodes alike; encoded again, it is the
 * same envelope. */
#include "fuzz.h"

#include <string.h>

#include "envelope.h"
#include "envelope_pb.h"

static void check_same(const struct stint__envelope *e, const uint8_t *data, size_t size)
{
    Stint__Rpc__V1__Envelope *pb = stint__rpc__v1__envelope__unpack(NULL, size, data);
    if (pb == NULL && e->ledger.data != NULL && !ledger_is_sound(e->ledger))
        return;
    CHECK(pb != NULL);
    const char *difference = envelope_difference(e, pb);
    if (difference != NULL)
        fprintf(stderr, "%s differs\n", difference);
    CHECK(difference == NULL);
    stint__rpc__v1__envelope__free_unpacked(pb, NULL);
}

static void check_encodes_again(struct stint__envelope *e)
{
    stint_metadata *md = stint_metadata_new();
    CHECK(md != NULL);
    if (stint__envelope_metadata(e, md, NULL) == STINT_OK) {
        e->metadata = md;
        size_t head = stint__envelope_header_size(e);
        uint8_t *out = malloc(head + e->payload.len + 1);
        CHECK(out != NULL);
        CHECK(stint__envelope_encode_header(e, out) == out + head);
        if (e->payload.len > 0)
            memcpy(out + head, e->payload.data, e->payload.len);
        check_same(e, out, head + e->payload.len);
        free(out);
    }
    stint_metadata_free(md);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stint__envelope e;
    stint_error err = STINT_ERROR_INIT;
    stint_code code = stint__envelope_decode(&e, (struct stint__slice){data, size}, &err);
    CHECK(err.code == code);
    if (code != STINT_OK) {
        CHECK(err.reason == STINT_REASON_MALFORMED);
        return 0;
    }
    check_same(&e, data, size);
    check_encodes_again(&e);
    return 0;
}
