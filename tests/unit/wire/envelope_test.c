/* envelope_test.c - the envelope's known bytes, and what is made of values and metadata. */
#include "unit.h"

#include <string.h>

#include "bytes.h"
#include "envelope.h"
#include "envelope_check.h"

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

static void a_reply_has_known_bytes(void **state)
{
    (void)state;
    stint_metadata *md = stint_metadata_new();
    assert_non_null(md);
    assert_int_equal(stint_metadata_add(md, "k", "v", 1, NULL), STINT_OK);
    assert_int_equal(stint_metadata_add(md, "e", NULL, 0, NULL), STINT_OK);
    const struct stint__envelope e = {
        .kind = STINT__KIND_REPLY,
        .call_id = 1,
        .metadata = md,
        .code = STINT_DEADLINE_EXCEEDED,
        .message = BYTES("late"),
        .details = BYTES("\xff"),
        .not_executed = true,
        .pushback_us = 1,
        .needed_us = 128,
        .reason = STINT_REASON_EXPIRED_IN_QUEUE,
        .asked_us = 3,
        .has_payload = true,
    };
    struct stint__slice golden = BYTES("\x08\x02"
                                       "\x10\x01"
                                       "\x82\x01\x06\x0a\x01k\x12\x01v"
                                       "\x82\x01\x03\x0a\x01"
                                       "e"
                                       "\xa0\x01\x04"
                                       "\xaa\x01\x04late"
                                       "\xb2\x01\x01\xff"
                                       "\xb8\x01\x01"
                                       "\xc0\x01\x01"
                                       "\xc8\x01\x80\x01"
                                       "\xd0\x01\x02"
                                       "\xe0\x01\x03"
                                       "\xa2\x06\0");
    uint8_t out[256];
    assert_int_equal(stint__envelope_header_size(&e), golden.len);
    assert_ptr_equal(stint__envelope_encode_header(&e, out), out + golden.len);
    assert_memory_equal(out, golden.data, golden.len);
    stint_metadata_free(md);
}

/* ---- what is made of values ---- */

static void a_budget_over_the_maximum_is_clamped(void **state)
{
    (void)state;
    static const uint64_t sent[] = {0, 1, STINT__BUDGET_US_MAX, STINT__BUDGET_US_MAX + 1,
                                    UINT64_MAX};
    static const uint64_t read[] = {0, 1, STINT__BUDGET_US_MAX, STINT__BUDGET_US_MAX,
                                    STINT__BUDGET_US_MAX};
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        struct bytes b = {0};
        bytes_put_uint(&b, 5, sent[i]);
        struct stint__envelope e = assert_decodes(&b);
        assert_true(e.has_budget);
        assert_int_equal(e.budget_us, read[i]);
        bytes_free(&b);
    }
}

static void a_spent_budget_is_not_an_absent_one(void **state)
{
    (void)state;
    struct stint__envelope e = {.has_budget = true, .budget_us = 0};
    uint8_t out[8];
    assert_int_equal(stint__envelope_encode_header(&e, out) - out, 2);
    assert_memory_equal(out, "\x28\0", 2);
}

static void unknown_kinds_are_kept_and_unknown_codes_are_not(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 40; v++) {
        struct bytes b = {0};
        bytes_put_uint(&b, 1, v);
        bytes_put_uint(&b, 20, v);
        struct stint__envelope e = assert_decodes(&b);
        assert_int_equal(e.kind, v);
        assert_int_equal(e.code, v <= 16 ? v : STINT_UNKNOWN);
        bytes_free(&b);
    }
}

/* ---- metadata ---- */

static void metadata_is_copied_out(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_put_uint(&b, 1, 1);
    put_entry(&b, 1, 3);
    bytes_put_text(&b, 16, "\x0a\x01y");
    bytes_put_uint(&b, 99, 1);
    put_entry(&b, 64, 0);
    bytes_put_text(&b, 100, "payload");
    struct stint__envelope e = assert_decodes(&b);
    assert_int_equal(e.n_metadata, 3);
    stint_metadata *md = stint_metadata_new();
    assert_non_null(md);
    assert_int_equal(stint__envelope_metadata(&e, md, NULL), STINT_OK);
    assert_int_equal(stint_metadata_count(md), 3);
    assert_string_equal(stint_metadata_at(md, 0)->key, "x");
    assert_int_equal(stint_metadata_at(md, 0)->value_len, 3);
    assert_string_equal(stint_metadata_at(md, 1)->key, "y");
    assert_int_equal(stint_metadata_at(md, 1)->value_len, 0);
    assert_int_equal(strlen(stint_metadata_at(md, 2)->key), 64);
    stint_metadata_free(md);
    bytes_free(&b);
}

/* The list has the last word about keys; the envelope itself is sound. */
static void a_key_that_the_list_refuses_is_an_error_of_copying(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_put_text(&b, 16, "\x0a\x03KEY");
    struct stint__envelope e = assert_decodes(&b);
    stint_metadata *md = stint_metadata_new();
    assert_non_null(md);
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__envelope_metadata(&e, md, &err), STINT_INVALID_ARGUMENT);
    assert_int_equal(err.code, STINT_INVALID_ARGUMENT);
    stint_metadata_free(md);
    bytes_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typical_request_has_known_bytes),
        cmocka_unit_test(a_typical_request_decodes_without_a_copy),
        cmocka_unit_test(nothing_is_an_envelope_without_kind),
        cmocka_unit_test(a_reply_has_known_bytes),
        cmocka_unit_test(a_budget_over_the_maximum_is_clamped),
        cmocka_unit_test(a_spent_budget_is_not_an_absent_one),
        cmocka_unit_test(unknown_kinds_are_kept_and_unknown_codes_are_not),
        cmocka_unit_test(metadata_is_copied_out),
        cmocka_unit_test(a_key_that_the_list_refuses_is_an_error_of_copying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
