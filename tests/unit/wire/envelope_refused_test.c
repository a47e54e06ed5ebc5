/* envelope_refused_test.c - which envelopes are refused, and how it is said. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "envelope.h"
#include "envelope_check.h"

/* Every field but metadata and payload: its name, number and wire type. */
static const struct {
    const char *name;
    uint32_t number;
    enum stint__wire_type type;
} singular[] = {
    {"kind", 1, STINT__WIRE_VARINT},         {"call_id", 2, STINT__WIRE_VARINT},
    {"features", 3, STINT__WIRE_VARINT},     {"method", 4, STINT__WIRE_LEN},
    {"budget_us", 5, STINT__WIRE_VARINT},    {"trace_id", 6, STINT__WIRE_LEN},
    {"span_id", 7, STINT__WIRE_LEN},         {"request_id", 8, STINT__WIRE_LEN},
    {"hop", 9, STINT__WIRE_VARINT},          {"attempt", 10, STINT__WIRE_VARINT},
    {"criticality", 11, STINT__WIRE_VARINT}, {"sent_boottime_ns", 12, STINT__WIRE_I64},
    {"boot_domain", 13, STINT__WIRE_I64},    {"max_message", 14, STINT__WIRE_VARINT},
    {"code", 20, STINT__WIRE_VARINT},        {"message", 21, STINT__WIRE_LEN},
    {"details", 22, STINT__WIRE_LEN},        {"not_executed", 23, STINT__WIRE_VARINT},
    {"pushback_us", 24, STINT__WIRE_VARINT}, {"needed_us", 25, STINT__WIRE_VARINT},
    {"reason", 26, STINT__WIRE_VARINT},      {"ledger", 27, STINT__WIRE_LEN},
    {"want_ledger", 15, STINT__WIRE_VARINT}, {"probe", 17, STINT__WIRE_VARINT},
    {"asked_us", 28, STINT__WIRE_VARINT},
};
#define N_SINGULAR (sizeof singular / sizeof *singular)

/* A field of this wire type whose content is valid wherever it is known. */
static void put_field(struct bytes *b, uint32_t number, enum stint__wire_type type)
{
    size_t len = number == 6 ? 16 : number == 7 ? 8 : 1;
    switch (type) {
    case STINT__WIRE_VARINT:
        bytes_put_uint(b, number, 1);
        break;
    case STINT__WIRE_LEN:
        bytes_put_field(b, number, "0123456789abcdef", len);
        break;
    case STINT__WIRE_I64:
    case STINT__WIRE_I32:
        bytes_put_key(b, number, type);
        bytes_put(b, "01234567", type == STINT__WIRE_I64 ? 8 : 4);
        break;
    }
}

static void a_field_given_twice_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SINGULAR; i++) {
        struct bytes b = {0};
        put_field(&b, singular[i].number, singular[i].type);
        assert_decodes(&b);
        put_field(&b, singular[(i + 1) % N_SINGULAR].number, singular[(i + 1) % N_SINGULAR].type);
        assert_decodes(&b);
        put_field(&b, singular[i].number, singular[i].type);
        char message[64];
        snprintf(message, sizeof message, "envelope: %s is there twice", singular[i].name);
        assert_refused(&b, message);
        bytes_free(&b);
    }
}

static void a_field_of_a_wrong_wire_type_is_refused_by_name(void **state)
{
    (void)state;
    static const enum stint__wire_type types[] = {STINT__WIRE_VARINT, STINT__WIRE_I64,
                                                  STINT__WIRE_LEN, STINT__WIRE_I32};
    for (size_t i = 0; i < N_SINGULAR; i++) {
        for (size_t j = 0; j < sizeof types / sizeof *types; j++) {
            if (types[j] == singular[i].type)
                continue;
            struct bytes b = {0};
            put_field(&b, singular[i].number, types[j]);
            char message[64];
            snprintf(message, sizeof message, "envelope: %s has wire type %d, not %d",
                     singular[i].name, (int)types[j], (int)singular[i].type);
            assert_refused(&b, message);
            bytes_free(&b);
        }
    }
}

static void groups_and_bad_keys_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 8; type++) {
        if (type <= 2 || type == 5)
            continue;
        struct bytes b = {0};
        bytes_put_key(&b, 50, (enum stint__wire_type)type);
        bytes_put(&b, "\0\0\0\0\0\0\0\0", 8);
        assert_refused(&b, "envelope: field 50 is a group or of an unknown wire type");
        b.len = 0;
        bytes_put_key(&b, 4, (enum stint__wire_type)type);
        assert_refused(&b, "envelope: method is a group or of an unknown wire type");
        bytes_free(&b);
    }
    static const struct {
        const char *bytes;
        size_t len;
    } keys[] = {
        {"\x02\x01x", 3},             /* field 0 */
        {"\x82\x80\x80\x80\x10x", 6}, /* field 2^29 */
        {"\x8a\x80\x80\x80\x80\x00x", 7},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 11},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fx", 11},
        {"\xff", 1},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct bytes b = {0};
        bytes_put(&b, keys[i].bytes, keys[i].len);
        assert_refused(&b, "envelope: field 0 has no valid field number");
        bytes_free(&b);
    }
}

static void a_length_past_the_end_is_refused(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {2, 128, INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bytes b = {0};
        bytes_put_key(&b, 100, STINT__WIRE_LEN);
        bytes_put_varint(&b, lengths[i]);
        bytes_put(&b, "x", 1);
        assert_refused(&b, "envelope: payload is cut short");
        bytes_free(&b);
    }
    struct bytes b = {0};
    bytes_put_key(&b, 4, STINT__WIRE_LEN);
    bytes_put_varint(&b, UINT64_C(1) << 63);
    assert_refused(&b, "envelope: method has no valid length");
    bytes_free(&b);
}

static void the_payload_is_the_last_field(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_put_text(&b, 100, "payload");
    assert_true(assert_decodes(&b).has_payload);
    size_t len = b.len;
    bytes_put_uint(&b, 1, 1);
    assert_refused(&b, "envelope: payload is not the last field");
    b.len = len;
    bytes_put_text(&b, 100, "again");
    assert_refused(&b, "envelope: payload is not the last field");
    b.len = len;
    bytes_put(&b, "", 1);
    assert_refused(&b, "envelope: payload is not the last field");
    bytes_free(&b);
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct bytes b = {0};
    static const uint32_t numbers[] = {18, 29, 99, 101, STINT__FIELD_NUMBER_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        for (int twice = 0; twice < 2; twice++) {
            put_field(&b, numbers[i], STINT__WIRE_VARINT);
            put_field(&b, numbers[i], STINT__WIRE_LEN);
            put_field(&b, numbers[i], STINT__WIRE_I64);
            put_field(&b, numbers[i], STINT__WIRE_I32);
        }
    }
    bytes_put_uint(&b, 9, 7);
    assert_int_equal(assert_decodes(&b).hop, 7);
    bytes_free(&b);
}

/* ---- limits ---- */

static void assert_limit(uint32_t number, size_t limit, const char *message)
{
    static uint8_t text[STINT__DETAILS_MAX + 1];
    memset(text, 'x', sizeof text);
    struct bytes b = {0};
    bytes_put_field(&b, number, text, limit);
    assert_decodes(&b);
    b.len = 0;
    bytes_put_field(&b, number, text, limit + 1);
    assert_refused(&b, message);
    bytes_free(&b);
}

static void fields_are_accepted_up_to_their_limits(void **state)
{
    (void)state;
    assert_limit(4, 255, "envelope: method has 256 bytes; at most 255 are accepted");
    assert_limit(8, 63, "envelope: request_id has 64 bytes; at most 63 are accepted");
    assert_limit(21, 1024, "envelope: message has 1025 bytes; at most 1024 are accepted");
    assert_limit(22, 65536, "envelope: details has 65537 bytes; at most 65536 are accepted");
}

static void identifiers_have_one_length(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        struct bytes b = {0};
        char message[64];
        bytes_put_field(&b, 6, "0123456789abcdef0123456789abcdef01234567", len);
        snprintf(message, sizeof message, "envelope: trace_id has %zu bytes, not 16", len);
        if (len == 16)
            assert_non_null(assert_decodes(&b).trace_id);
        else
            assert_refused(&b, message);
        b.len = 0;
        bytes_put_field(&b, 7, "0123456789abcdef0123456789abcdef01234567", len);
        snprintf(message, sizeof message, "envelope: span_id has %zu bytes, not 8", len);
        if (len == 8)
            assert_non_null(assert_decodes(&b).span_id);
        else
            assert_refused(&b, message);
        bytes_free(&b);
    }
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1, 3, 9, 10, 11, 20, 26};
    static const char *const names[] = {"kind",        "features", "hop",   "attempt",
                                        "criticality", "code",     "reason"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct bytes b = {0};
        bytes_put_uint(&b, numbers[i], UINT32_MAX);
        assert_decodes(&b);
        b.len = 0;
        bytes_put_uint(&b, numbers[i], (uint64_t)UINT32_MAX + 1);
        char message[64];
        snprintf(message, sizeof message, "envelope: %s is out of range", names[i]);
        assert_refused(&b, message);
        bytes_free(&b);
    }
}

/* A frame whose payload begins after exactly `len` bytes of unknown fields. */
static struct bytes frame_with_header_of(size_t len)
{
    static const uint8_t zeros[STINT__HEADER_MAX];
    enum { KEY_AND_LENGTH = 2 + 3 };
    struct bytes b = {0};
    bytes_put_field(&b, 99, zeros, len - KEY_AND_LENGTH);
    assert_int_equal(b.len, len);
    bytes_put_text(&b, 100, "payload");
    return b;
}

static void the_header_is_bounded(void **state)
{
    (void)state;
    struct bytes b = frame_with_header_of(STINT__HEADER_MAX);
    struct stint__envelope e = assert_decodes(&b);
    assert_int_equal(e.header.len, STINT__HEADER_MAX);
    assert_int_equal(e.payload.len, 7);
    bytes_free(&b);
    b = frame_with_header_of(STINT__HEADER_MAX + 1);
    assert_refused(&b, "envelope: more than 98304 bytes before the payload");
    bytes_free(&b);
}

static void strings_must_be_text(void **state)
{
    (void)state;
    static const struct stint__slice bad[] = {
        {(const uint8_t *)"\xc0\xaf", 2},
        {(const uint8_t *)"\xed\xa0\x80", 3},
        {(const uint8_t *)"a\0b", 3},
        {(const uint8_t *)"\xf4\x90\x80\x80", 4},
        {(const uint8_t *)"\xe2\x82", 2},
        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xf0\x8f\xbf\xbf", 4},
    };
    static const uint32_t numbers[] = {4, 8, 21};
    static const char *const names[] = {"method", "request_id", "message"};
    for (size_t i = 0; i < 3 * sizeof bad / sizeof *bad; i++) {
        struct bytes b = {0};
        bytes_put_field(&b, numbers[i % 3], bad[i / 3].data, bad[i / 3].len);
        char message[64];
        snprintf(message, sizeof message, "envelope: %s is not UTF-8 or holds a NUL", names[i % 3]);
        assert_refused(&b, message);
        b.len = 0;
        bytes_put_field(&b, 22, bad[i / 3].data, bad[i / 3].len); /* details: bytes */
        assert_decodes(&b);
        bytes_free(&b);
    }
}

/* ---- metadata ---- */

static void metadata_is_bounded(void **state)
{
    (void)state;
    const char *over = "envelope: more than 64 entries or 8192 bytes of metadata";
    struct bytes b = {0};
    for (int i = 0; i < STINT_METADATA_MAX_ENTRIES; i++)
        put_entry(&b, 1, 1);
    assert_int_equal(assert_decodes(&b).n_metadata, 64);
    put_entry(&b, 1, 0);
    assert_refused(&b, over);
    b.len = 0;
    put_entry(&b, 64, STINT_METADATA_MAX_BYTES - 65);
    put_entry(&b, 1, 0);
    assert_decodes(&b);
    put_entry(&b, 1, 0);
    assert_refused(&b, over);
    bytes_free(&b);
}

static void bad_metadata_entries_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct stint__slice entry;
        const char *message;
    } bad[] = {
        {{(const uint8_t *)"", 0}, "has no key or one that is too long"},
        {{(const uint8_t *)"\x12\x01v", 3}, "has no key or one that is too long"},
        {{(const uint8_t *)"\x0a\0", 2}, "has no key or one that is too long"},
        {{(const uint8_t *)"\x0a\x01k\x0a\x01k", 6},
         "has a key or value of a wrong wire type, or two of them"},
        {{(const uint8_t *)"\x0a\x01k\x12\0\x12\0", 7},
         "has a key or value of a wrong wire type, or two of them"},
        {{(const uint8_t *)"\x08\x01", 2},
         "has a key or value of a wrong wire type, or two of them"},
        {{(const uint8_t *)"\x0a\x02k", 3}, "is cut short"},
        {{(const uint8_t *)"\x0b", 1}, "is a group or of an unknown wire type"},
        {{(const uint8_t *)"\x0a\x01\xff", 3}, "has a key that is not UTF-8 or holds a NUL"},
        {{(const uint8_t *)"\x0a\x01\0", 3}, "has a key that is not UTF-8 or holds a NUL"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes b = {0};
        bytes_put_field(&b, 16, bad[i].entry.data, bad[i].entry.len);
        char message[128];
        snprintf(message, sizeof message, "envelope: a metadata entry %s", bad[i].message);
        assert_refused(&b, message);
        bytes_free(&b);
    }
    struct bytes b = {0};
    put_entry(&b, 65, 0);
    assert_refused(&b, "envelope: a metadata entry has no key or one that is too long");
    bytes_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_given_twice_is_refused_by_name),
        cmocka_unit_test(a_field_of_a_wrong_wire_type_is_refused_by_name),
        cmocka_unit_test(groups_and_bad_keys_are_refused),
        cmocka_unit_test(a_length_past_the_end_is_refused),
        cmocka_unit_test(the_payload_is_the_last_field),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(fields_are_accepted_up_to_their_limits),
        cmocka_unit_test(identifiers_have_one_length),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(the_header_is_bounded),
        cmocka_unit_test(strings_must_be_text),
        cmocka_unit_test(metadata_is_bounded),
        cmocka_unit_test(bad_metadata_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
