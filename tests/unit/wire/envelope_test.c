/* envelope_test.c - the envelope's bytes, known ones and broken ones. */
#include "unit.h"

#include <stdint.h>
#include <string.h>

#include "envelope.h"

#define BYTES(literal)                                                                             \
    (struct stint__slice)                                                                          \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const uint8_t trace_id[] = "0123456789abcdef";
static const uint8_t span_id[] = "01234567";

/* A request as most of them are. */
static struct stint__envelope typical_request(void)
{
    return (struct stint__envelope){
        .kind = STINT__KIND_REQUEST,
        .features = STINT__FEATURES_ALL,
        .call_id = 300,
        .method = BYTES("a.B/C"),
        .has_budget = true,
        .budget_us = 250000,
        .trace_id = trace_id,
        .span_id = span_id,
        .request_id = BYTES("r1"),
        .hop = 2,
        .sent_boottime_ns = UINT64_C(0x0102030405060708),
        .boot_domain = 9,
        .has_payload = true,
        .payload = BYTES("pay"),
    };
}

#define TYPICAL_HEADER                                                                             \
    "\x08\x01"                                                                                     \
    "\x10\xac\x02"                                                                                 \
    "\x18\x0f"                                                                                     \
    "\x22\x05"                                                                                     \
    "a.B/C"                                                                                        \
    "\x28\x90\xa1\x0f"                                                                             \
    "\x32\x10"                                                                                     \
    "0123456789abcdef"                                                                             \
    "\x3a\x08"                                                                                     \
    "01234567"                                                                                     \
    "\x42\x02"                                                                                     \
    "r1"                                                                                           \
    "\x48\x02"                                                                                     \
    "\x61\x08\x07\x06\x05\x04\x03\x02\x01"                                                         \
    "\x69\x09\0\0\0\0\0\0\0"
#define TYPICAL_REQUEST TYPICAL_HEADER "\xa2\x06\x03pay"

static void a_typical_request_has_known_bytes(void **state)
{
    (void)state;
    struct stint__envelope e = typical_request();
    struct stint__slice golden = BYTES(TYPICAL_REQUEST);
    uint8_t out[256];
    assert_int_equal(stint__envelope_header_size(&e), golden.len - 3);
    assert_ptr_equal(stint__envelope_encode_header(&e, out), out + golden.len - 3);
    assert_memory_equal(out, golden.data, golden.len - 3);
}

static void a_typical_request_decodes_without_a_copy(void **state)
{
    (void)state;
    struct stint__slice in = BYTES(TYPICAL_REQUEST);
    struct stint__envelope e;
    assert_int_equal(stint__envelope_decode(&e, in, NULL), STINT_OK);
    assert_int_equal(e.kind, STINT__KIND_REQUEST);
    assert_int_equal(e.features, STINT__FEATURES_ALL);
    assert_int_equal(e.call_id, 300);
    assert_int_equal(e.method.len, 5);
    assert_memory_equal(e.method.data, "a.B/C", 5);
    assert_true(e.has_budget);
    assert_int_equal(e.budget_us, 250000);
    assert_memory_equal(e.trace_id, trace_id, 16);
    assert_memory_equal(e.span_id, span_id, 8);
    assert_memory_equal(e.request_id.data, "r1", 2);
    assert_int_equal(e.hop, 2);
    assert_int_equal(e.attempt, 0);
    assert_int_equal(e.sent_boottime_ns, UINT64_C(0x0102030405060708));
    assert_int_equal(e.boot_domain, 9);
    assert_int_equal(e.n_metadata, 0);
    assert_true(e.has_payload);
    assert_int_equal(e.payload.len, 3);
    assert_ptr_equal(e.payload.data, in.data + in.len - 3);
    assert_ptr_equal(e.header.data, in.data);
    assert_int_equal(e.header.len, sizeof TYPICAL_HEADER - 1);
}

static void nothing_is_an_envelope_without_kind(void **state)
{
    (void)state;
    struct stint__envelope e = {.kind = 1};
    assert_int_equal(stint__envelope_decode(&e, (struct stint__slice){0}, NULL), STINT_OK);
    assert_int_equal(e.kind, 0);
    assert_false(e.has_budget);
    assert_false(e.has_payload);
    assert_int_equal(stint__envelope_header_size(&e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typical_request_has_known_bytes),
        cmocka_unit_test(a_typical_request_decodes_without_a_copy),
        cmocka_unit_test(nothing_is_an_envelope_without_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
