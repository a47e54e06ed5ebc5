/* envelope_property_test.c - random, cut and corrupted envelopes, against protobuf's own code. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "envelope.h"
#include "envelope_pb.h"
#include "samples.h"

#define ROUNDS 3000

/* ---- random envelopes ---- */

/* splitmix64 with a fixed seed: the same envelopes every time. */
struct random {
    uint64_t state;
};

static uint64_t next(struct random *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Often 0, else of any number of bits, so that every length of a varint occurs. */
static uint64_t any_uint(struct random *r, unsigned max_bits)
{
    uint64_t v = next(r);
    unsigned bits = (unsigned)(next(r) % (max_bits + 1));
    return bits == 0 ? 0 : v >> (64 - bits);
}

/* Often empty, often short, sometimes as long as may be. */
static size_t any_len(struct random *r, size_t max)
{
    switch (next(r) % 8) {
    case 0:
    case 1:
    case 2:
        return 0;
    case 3:
        return max;
    case 4:
        return next(r) % (max + 1);
    default:
        return next(r) % (max < 20 ? max + 1 : 20);
    }
}

static uint8_t text_bytes[STINT__DETAILS_MAX], random_bytes[STINT__DETAILS_MAX];

static void fill_source_bytes(struct random *r)
{
    for (size_t i = 0; i < STINT__DETAILS_MAX; i++) {
        text_bytes[i] = (uint8_t)('a' + i % 26);
        random_bytes[i] = (uint8_t)next(r);
    }
}

static struct stint__slice any_text(struct random *r, size_t max)
{
    return (struct stint__slice){text_bytes, any_len(r, max)};
}

static struct stint__slice any_bytes(struct random *r, size_t max)
{
    size_t len = any_len(r, max);
    return (struct stint__slice){random_bytes + next(r) % (sizeof random_bytes - len + 1), len};
}

static const uint8_t *any_id(struct random *r)
{
    return next(r) % 2 == 0 ? NULL : random_bytes + next(r) % 1000;
}

static struct bytes a_ledger;

/* None, an empty one, or a whole one. */
static struct stint__slice any_ledger(struct random *r)
{
    const struct stint__slice all[] = {
        {NULL, 0}, {a_ledger.data, 0}, {a_ledger.data, a_ledger.len}};
    return all[next(r) % 3];
}

/* Mostly none; else some, up to the limits. */
static void add_any_metadata(struct random *r, stint_metadata *md)
{
    size_t count = next(r) % 3 == 0 ? any_len(r, STINT_METADATA_MAX_ENTRIES) : 0;
    for (size_t i = 0; i < count; i++) {
        char key[STINT_METADATA_MAX_KEY + 1];
        size_t key_len = 1 + any_len(r, STINT_METADATA_MAX_KEY - 1);
        memcpy(key, text_bytes, key_len);
        key[key_len] = '\0';
        struct stint__slice value = any_bytes(r, 300);
        if (stint_metadata_add(md, key, value.data, value.len, NULL) != STINT_OK)
            return; /* full */
    }
}

static struct stint__envelope any_envelope(struct random *r, const stint_metadata *md)
{
    return (struct stint__envelope){
        .kind = (uint32_t)any_uint(r, 31),
        .features = (uint32_t)any_uint(r, 32),
        .call_id = any_uint(r, 64),
        .method = any_text(r, STINT__METHOD_MAX),
        .has_budget = next(r) % 4 != 0,
        .budget_us = any_uint(r, 53),
        .trace_id = any_id(r),
        .span_id = any_id(r),
        .request_id = any_text(r, 63),
        .hop = (uint32_t)any_uint(r, 32),
        .attempt = (uint32_t)any_uint(r, 32),
        .criticality = (uint32_t)any_uint(r, 31),
        .sent_boottime_ns = any_uint(r, 64),
        .boot_domain = any_uint(r, 64),
        .max_message = any_uint(r, 64),
        .want_ledger = next(r) % 2 == 0,
        .metadata = md,
        .code = (uint32_t)(next(r) % 17),
        .reason = (uint32_t)any_uint(r, 32),
        .message = any_text(r, STINT__MESSAGE_MAX),
        .details = any_bytes(r, next(r) % 8 == 0 ? STINT__DETAILS_MAX : 100),
        .not_executed = next(r) % 2 == 0,
        .pushback_us = any_uint(r, 64),
        .needed_us = any_uint(r, 64),
        .asked_us = any_uint(r, 64),
        .probe = next(r) % 2 == 0,
        .ledger = any_ledger(r),
        .has_payload = next(r) % 4 != 0,
        .payload = any_bytes(r, 1000),
    };
}

/* The whole frame, in a block of its own size. */
static struct bytes encode(const struct stint__envelope *e)
{
    size_t size = stint__envelope_header_size(e);
    size_t payload = e->has_payload ? e->payload.len : 0;
    uint8_t *out = malloc(size + payload + 1);
    assert_non_null(out);
    assert_ptr_equal(stint__envelope_encode_header(e, out), out + size);
    if (payload > 0)
        memcpy(out + size, e->payload.data, payload);
    return (struct bytes){.data = out, .len = size + payload, .size = size + payload + 1};
}

/* ---- comparison ---- */

static Stint__Rpc__V1__Envelope *pb_unpack(struct stint__slice bytes)
{
    return stint__rpc__v1__envelope__unpack(NULL, bytes.len, bytes.data);
}

/* What we decode is what protobuf-c decodes. False: both refused, or only we did. */
static bool assert_agrees_with_protobuf(struct stint__slice bytes)
{
    struct stint__envelope e;
    stint_error err = STINT_ERROR_INIT;
    if (stint__envelope_decode(&e, bytes, &err) != STINT_OK) {
        assert_int_equal(err.code, STINT_INVALID_ARGUMENT);
        assert_int_equal(err.reason, STINT_REASON_MALFORMED);
        assert_memory_equal(err.message, "envelope: ", 10);
        return false;
    }
    Stint__Rpc__V1__Envelope *pb = pb_unpack(bytes);
    if (pb == NULL && e.ledger.data != NULL && !ledger_is_sound(e.ledger))
        return true;
    assert_non_null(pb);
    const char *difference = envelope_difference(&e, pb);
    if (difference != NULL)
        fail_msg("%s differs", difference);
    stint__rpc__v1__envelope__free_unpacked(pb, NULL);
    return true;
}

/* protobuf-c, having unpacked them, packs the same bytes. */
static void assert_canonical(struct stint__slice bytes)
{
    Stint__Rpc__V1__Envelope *pb = pb_unpack(bytes);
    assert_non_null(pb);
    assert_int_equal(stint__rpc__v1__envelope__get_packed_size(pb), bytes.len);
    uint8_t *again = malloc(bytes.len + 1);
    assert_non_null(again);
    stint__rpc__v1__envelope__pack(pb, again);
    assert_memory_equal(again, bytes.data, bytes.len);
    free(again);
    stint__rpc__v1__envelope__free_unpacked(pb, NULL);
}

static bool same_slice(struct stint__slice a, struct stint__slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool same_id(const uint8_t *a, const uint8_t *b, size_t len)
{
    return a == NULL || b == NULL ? a == b : memcmp(a, b, len) == 0;
}

static void assert_same_scalars(const struct stint__envelope *a, const struct stint__envelope *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->features, b->features);
    assert_int_equal(a->call_id, b->call_id);
    assert_int_equal(a->has_budget, b->has_budget);
    if (a->has_budget)
        assert_int_equal(a->budget_us, b->budget_us);
    assert_int_equal(a->hop, b->hop);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->criticality, b->criticality);
    assert_int_equal(a->sent_boottime_ns, b->sent_boottime_ns);
    assert_int_equal(a->boot_domain, b->boot_domain);
    assert_int_equal(a->max_message, b->max_message);
    assert_int_equal(a->want_ledger, b->want_ledger);
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->not_executed, b->not_executed);
    assert_int_equal(a->pushback_us, b->pushback_us);
    assert_int_equal(a->needed_us, b->needed_us);
    assert_int_equal(a->asked_us, b->asked_us);
    assert_int_equal(a->probe, b->probe);
    assert_int_equal(a->has_payload, b->has_payload);
}

static void assert_same_metadata(const struct stint__envelope *decoded, const stint_metadata *sent)
{
    assert_int_equal(decoded->n_metadata, stint_metadata_count(sent));
    stint_metadata *md = stint_metadata_new();
    assert_non_null(md);
    assert_int_equal(stint__envelope_metadata(decoded, md, NULL), STINT_OK);
    assert_int_equal(stint_metadata_count(md), stint_metadata_count(sent));
    for (size_t i = 0; i < stint_metadata_count(sent); i++) {
        const stint_metadata_entry *a = stint_metadata_at(md, i);
        const stint_metadata_entry *b = stint_metadata_at(sent, i);
        assert_string_equal(a->key, b->key);
        assert_int_equal(a->value_len, b->value_len);
        if (a->value_len > 0)
            assert_memory_equal(a->value, b->value, a->value_len);
    }
    stint_metadata_free(md);
}

static void assert_decodes_to(struct stint__slice bytes, const struct stint__envelope *sent)
{
    struct stint__envelope e;
    stint_error err = STINT_ERROR_INIT;
    if (stint__envelope_decode(&e, bytes, &err) != STINT_OK)
        fail_msg("%s", err.message);
    assert_same_scalars(&e, sent);
    assert_true(same_slice(e.method, sent->method));
    assert_true(same_id(e.trace_id, sent->trace_id, 16));
    assert_true(same_id(e.span_id, sent->span_id, 8));
    assert_true(same_slice(e.request_id, sent->request_id));
    assert_true(same_slice(e.message, sent->message));
    assert_true(same_slice(e.details, sent->details));
    assert_true(same_slice(e.ledger, sent->ledger));
    if (sent->has_payload)
        assert_true(same_slice(e.payload, sent->payload));
    assert_same_metadata(&e, sent->metadata);
}

/* ---- tests ---- */

static void what_we_encode_we_and_protobuf_decode(void **state)
{
    (void)state;
    struct random r = {1};
    fill_source_bytes(&r);
    for (int i = 0; i < ROUNDS; i++) {
        stint_metadata *md = stint_metadata_new();
        assert_non_null(md);
        add_any_metadata(&r, md);
        struct stint__envelope e = any_envelope(&r, md);
        struct bytes b = encode(&e);
        assert_decodes_to(bytes_slice(&b), &e);
        assert_true(assert_agrees_with_protobuf(bytes_slice(&b)));
        assert_canonical(bytes_slice(&b));
        bytes_free(&b);
        stint_metadata_free(md);
    }
}

/* A uint64 in field `number`, of any value, 0 included: present all the same. */
static void maybe_put_uint(struct bytes *b, struct random *r, uint32_t number, unsigned bits)
{
    if (next(r) % 2 == 0)
        bytes_put_uint(b, number, any_uint(r, bits));
}

static void maybe_put_field(struct bytes *b, struct random *r, uint32_t number,
                            struct stint__slice s)
{
    if (next(r) % 2 == 0)
        bytes_put_field(b, number, s.data, s.len);
}

static void put_any_field(struct bytes *b, struct random *r, uint32_t number)
{
    static const uint8_t entry[] = "\x0a\x03key\x12\x05value";
    switch (number) {
    case 4:
    case 21:
        maybe_put_field(b, r, number, any_text(r, STINT__METHOD_MAX));
        break;
    case 6:
        maybe_put_field(b, r, number, (struct stint__slice){random_bytes, 16});
        break;
    case 7:
        maybe_put_field(b, r, number, (struct stint__slice){random_bytes, 8});
        break;
    case 8:
        maybe_put_field(b, r, number, any_text(r, 63));
        break;
    case 12:
    case 13:
        bytes_put_key(b, number, STINT__WIRE_I64);
        bytes_put(b, random_bytes + next(r) % 1000, 8);
        break;
    case 16:
        maybe_put_field(b, r, number, (struct stint__slice){entry, sizeof entry - 1});
        maybe_put_field(b, r, number, (struct stint__slice){entry, 5});
        break;
    case 27:
        maybe_put_field(b, r, number, any_ledger(r));
        break;
    case 22:
    case 30: /* not ours */
        maybe_put_field(b, r, number, any_bytes(r, 1000));
        break;
    case 2:
    case 5:
    case 24:
    case 25:
    case 31: /* not ours */
        maybe_put_uint(b, r, number, 64);
        break;
    default:
        maybe_put_uint(b, r, number, number == 1 || number == 11 ? 31 : 32);
        break;
    }
}

/* Fields in any order, empty ones and zeros written out, unknown ones among them: all of it a peer
 * in another language may send. */
static void what_protobuf_may_encode_we_decode_alike(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                       13, 16, 20, 21, 22, 23, 24, 25, 26, 30, 31};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    struct random r = {2};
    fill_source_bytes(&r);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t order[COUNT];
        memcpy(order, numbers, sizeof order);
        struct bytes b = {0};
        for (size_t left = COUNT; left > 0; left--) {
            size_t pick = next(&r) % left;
            put_any_field(&b, &r, order[pick]);
            order[pick] = order[left - 1];
        }
        maybe_put_field(&b, &r, 100, any_bytes(&r, 100));
        assert_true(assert_agrees_with_protobuf(bytes_slice(&b)));
        bytes_free(&b);
    }
}

static void every_truncation_is_refused_or_decodes_alike(void **state)
{
    (void)state;
    struct bytes frame = sample_frame();
    size_t whole = 0;
    for (size_t len = 0; len <= frame.len; len++) {
        /* A block of its own size: a sanitizer sees a read past it. */
        uint8_t *cut = malloc(len > 0 ? len : 1);
        assert_non_null(cut);
        memcpy(cut, frame.data, len);
        whole += assert_agrees_with_protobuf((struct stint__slice){cut, len});
        free(cut);
    }
    /* Before each of the 26 fields, and at the end. */
    assert_int_equal(whole, 27);
    bytes_free(&frame);
}

static void every_changed_byte_is_refused_or_decodes_alike(void **state)
{
    (void)state;
    struct bytes frame = sample_frame();
    uint8_t *changed = malloc(frame.len);
    assert_non_null(changed);
    memcpy(changed, frame.data, frame.len);
    size_t refused = 0;
    for (size_t i = 0; i < frame.len; i++) {
        for (unsigned value = 0; value < 256; value++) {
            changed[i] = (uint8_t)value;
            refused += !assert_agrees_with_protobuf((struct stint__slice){changed, frame.len});
        }
        changed[i] = frame.data[i];
    }
    assert_true(refused > frame.len);
    free(changed);
    bytes_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_encode_we_and_protobuf_decode),
        cmocka_unit_test(what_protobuf_may_encode_we_decode_alike),
        cmocka_unit_test(every_truncation_is_refused_or_decodes_alike),
        cmocka_unit_test(every_changed_byte_is_refused_or_decodes_alike),
    };
    a_ledger = sample_ledger();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bytes_free(&a_ledger);
    return failed;
}
