/* reader_test.c - reading never passes the end, and what failed stays failed. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "reader.h"

/* The bytes in a block of exactly their size, so that a sanitizer sees a read past them. */
static struct stint__reader reader_of(uint8_t **ret_block, const void *bytes, size_t n)
{
    uint8_t *block = malloc(n > 0 ? n : 1);
    assert_non_null(block);
    if (n > 0)
        memcpy(block, bytes, n);
    struct stint__reader r;
    stint__reader_init(&r, block, n);
    *ret_block = block;
    return r;
}

static void integers_come_in_their_byte_order(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0xAB, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8,
                             4,    3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};
    uint8_t *block;
    struct stint__reader r = reader_of(&block, bytes, sizeof bytes);
    assert_int_equal(stint__read_u8(&r), 0xAB);
    assert_int_equal(stint__read_be32(&r), 0x01020304);
    assert_int_equal(stint__read_be64(&r), UINT64_C(0x0102030405060708));
    assert_int_equal(stint__read_le32(&r), 0x01020304);
    assert_int_equal(stint__read_le64(&r), UINT64_C(0x0102030405060708));
    assert_int_equal(stint__reader_left(&r), 0);
    assert_false(r.bad);
    free(block);
}

static uint64_t read_kind(struct stint__reader *r, size_t kind)
{
    switch (kind) {
    case 0:
        return stint__read_u8(r);
    case 1:
        return stint__read_be32(r);
    case 2:
        return stint__read_be64(r);
    case 3:
        return stint__read_le32(r);
    case 4:
        return stint__read_le64(r);
    default:
        return stint__read_varint(r);
    }
}

static void a_short_read_is_bad_and_stays_bad(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4, 8, 4, 8, 3};
    const uint8_t bytes[8] = {0x81, 0x82, 0x03, 4, 5, 6, 7, 8};
    for (size_t kind = 0; kind < 6; kind++) {
        for (size_t n = 0; n <= sizes[kind]; n++) {
            uint8_t *block;
            struct stint__reader r = reader_of(&block, bytes, n);
            uint64_t got = read_kind(&r, kind);
            assert_int_equal(r.bad, n < sizes[kind]);
            assert_int_equal(got == 0, n < sizes[kind]);
            if (r.bad) {
                assert_int_equal(stint__reader_left(&r), 0);
                assert_int_equal(stint__read_u8(&r), 0);
                assert_int_equal(stint__read_bytes(&r, 0).len, 0);
                assert_true(r.bad);
            }
            free(block);
        }
    }
}

static void no_data_is_an_empty_reader(void **state)
{
    (void)state;
    struct stint__reader r;
    stint__reader_init(&r, NULL, 0);
    assert_int_equal(stint__reader_left(&r), 0);
    assert_non_null(stint__read_bytes(&r, 0).data);
    assert_false(r.bad);
    assert_int_equal(stint__read_u8(&r), 0);
    assert_true(r.bad);
}

static void bytes_are_not_copied_and_stay_inside(void **state)
{
    (void)state;
    uint8_t *block;
    struct stint__reader r = reader_of(&block, "abcdef", 6);
    struct stint__slice s = stint__read_bytes(&r, 4);
    assert_ptr_equal(s.data, block);
    assert_int_equal(s.len, 4);
    assert_int_equal(stint__read_bytes(&r, UINT64_MAX).len, 0); /* would wrap a naive p + len */
    assert_true(r.bad);
    free(block);
}

static void varints_have_one_meaning(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[11];
        uint8_t n;
        bool bad;
        uint64_t value;
    } cases[] = {
        {{0x00}, 1, false, 0},
        {{0x7F}, 1, false, 127},
        {{0x80, 0x01}, 2, false, 128},
        {{0xAC, 0x02}, 2, false, 300},
        {{0x80, 0x00}, 2, false, 0}, /* overlong, as protobuf allows */
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}, 10, false, UINT64_MAX},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 10, false, 1ull << 63},
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02}, 10, true, 0},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 11, true, 0},
        {{0x80}, 1, true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *block;
        struct stint__reader r = reader_of(&block, cases[i].bytes, cases[i].n);
        assert_int_equal(stint__read_varint(&r), cases[i].value);
        assert_int_equal(r.bad, cases[i].bad);
        assert_int_equal(stint__reader_left(&r), 0);
        free(block);
    }
}

static bool utf8(const char *text, size_t n)
{
    uint8_t *block;
    struct stint__reader r = reader_of(&block, text, n);
    bool valid = stint__utf8_valid(stint__read_bytes(&r, n));
    free(block);
    return valid;
}
#define UTF8(literal) utf8(literal, sizeof(literal) - 1)

static void utf8_is_what_unicode_says(void **state)
{
    (void)state;
    assert_true(UTF8(""));
    assert_true(UTF8("plain text that is longer than a word"));
    assert_true(UTF8("\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF"));
    assert_true(UTF8("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF"));
    assert_false(UTF8("\x80"));
    assert_false(UTF8("\xC1\xBF"));         /* overlong */
    assert_false(UTF8("\xE0\x9F\xBF"));     /* overlong */
    assert_false(UTF8("\xF0\x8F\xBF\xBF")); /* overlong */
    assert_false(UTF8("\xED\xA0\x80"));     /* surrogate */
    assert_false(UTF8("\xF4\x90\x80\x80")); /* past U+10FFFF */
    assert_false(UTF8("\xF5\x80\x80\x80"));
    assert_false(UTF8("\xE2\x82"));
    assert_false(UTF8("\xE2\x82\x41"));
    assert_false(UTF8("\xE2\x41\x82"));
    assert_false(UTF8("\xFF"));
}

/* A bad byte at each place around the eight bytes that are looked at together. */
static void utf8_finds_a_bad_byte_anywhere(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 24; n++) {
        for (size_t at = 0; at < n; at++) {
            char text[24];
            memset(text, 'a', sizeof text);
            text[at] = 1; /* a borrow must not carry into its neighbours */
            assert_true(utf8(text, n));
            text[at] = '\0';
            assert_false(utf8(text, n));
            text[at] = '\x80';
            assert_false(utf8(text, n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_come_in_their_byte_order),
        cmocka_unit_test(a_short_read_is_bad_and_stays_bad),
        cmocka_unit_test(no_data_is_an_empty_reader),
        cmocka_unit_test(bytes_are_not_copied_and_stay_inside),
        cmocka_unit_test(varints_have_one_meaning),
        cmocka_unit_test(utf8_is_what_unicode_says),
        cmocka_unit_test(utf8_finds_a_bad_byte_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
