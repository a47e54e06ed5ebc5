/* message_test.c - decoding messages stays within its bounds and lets no bad string through. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "bounded.h"
#include "bytes.h"
#include "message.h"
#include "samples.h"
#include "tree.pb-c.h"
#include "tree3.pb-c.h"

#define TREE   (&stint__test__v1__tree__descriptor)
#define TREE3  (&stint__test__v1__tree3__descriptor)
#define MEMORY ((size_t)1 << 20)

/* ---- what is allocated ---- */

/* Counts what the library allocates, and lets allocation number `fail_at` (from 0) fail. */
struct meter {
    size_t count, bytes, fail_at;
};

static bool meter_gate(void *arg, size_t n)
{
    struct meter *m = arg;
    if (m->count == m->fail_at)
        return false;
    m->count++;
    m->bytes += n;
    return true;
}

static ProtobufCMessage *unpack_metered(struct meter *m, struct stint__slice bytes,
                                        size_t max_memory, stint_error *err)
{
    m->count = m->bytes = 0;
    stint__alloc_set_gate(meter_gate, m);
    ProtobufCMessage *message = stint__message_unpack(TREE, bytes, max_memory, err);
    stint__alloc_set_gate(NULL, NULL);
    return message;
}

/* ---- messages ---- */

static void assert_refused(const ProtobufCMessageDescriptor *desc, struct stint__slice bytes,
                           stint_code code, const char *message)
{
    stint_error err = STINT_ERROR_INIT;
    assert_null(stint__message_unpack(desc, bytes, MEMORY, &err));
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
    bool malformed = code == STINT_INVALID_ARGUMENT;
    assert_int_equal(err.reason, malformed ? STINT_REASON_MALFORMED : STINT_REASON_NONE);
}

static void assert_accepted(const ProtobufCMessageDescriptor *desc, struct stint__slice bytes)
{
    stint_error err = STINT_ERROR_INIT;
    ProtobufCMessage *m = stint__message_unpack(desc, bytes, MEMORY, &err);
    assert_string_equal(err.message, "");
    assert_non_null(m);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void a_message_comes_out_as_protobuf_c_has_it(void **state)
{
    (void)state;
    struct bytes b = sample_tree();
    Stint__Test__V1__Tree *ours =
        (Stint__Test__V1__Tree *)stint__message_unpack(TREE, bytes_slice(&b), MEMORY, NULL);
    Stint__Test__V1__Tree *theirs = stint__test__v1__tree__unpack(NULL, b.len, b.data);
    assert_non_null(ours);
    assert_non_null(theirs);
    assert_string_equal(ours->text, "root");
    assert_int_equal(ours->n_children, 20);
    assert_int_equal(ours->either_case, STINT__TEST__V1__TREE__EITHER_LEFT);
    size_t len = stint__test__v1__tree__get_packed_size(theirs);
    assert_int_equal(stint__test__v1__tree__get_packed_size(ours), len);
    uint8_t *packed = malloc(2 * len);
    assert_non_null(packed);
    stint__test__v1__tree__pack(ours, packed);
    stint__test__v1__tree__pack(theirs, packed + len);
    assert_memory_equal(packed, packed + len, len);
    free(packed);
    stint__test__v1__tree__free_unpacked(ours, NULL);
    stint__test__v1__tree__free_unpacked(theirs, NULL);
    bytes_free(&b);
}

static void no_bytes_are_an_empty_message(void **state)
{
    (void)state;
    assert_accepted(TREE, (struct stint__slice){0});
    assert_accepted(TREE3, (struct stint__slice){0});
}

/* ---- depth ---- */

static const uint32_t nesting_fields[] = {CHILD, CHILDREN, LEFT};

static void a_hundred_levels_are_accepted_and_one_more_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nesting_fields / sizeof *nesting_fields; i++) {
        struct bytes at = bytes_nested(nesting_fields[i], STINT__MESSAGE_DEPTH_MAX);
        assert_accepted(TREE, bytes_slice(&at));
        bytes_free(&at);
        struct bytes over = bytes_nested(nesting_fields[i], STINT__MESSAGE_DEPTH_MAX + 1);
        assert_refused(TREE, bytes_slice(&over), STINT_RESOURCE_EXHAUSTED,
                       "stint.test.v1.Tree: messages nested too deeply; at most 100 levels are "
                       "accepted");
        bytes_free(&over);
    }
}

/* 29 KB that take protobuf-c alone past the end of an 8 MiB stack. */
static void the_nesting_bomb_is_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    struct bytes bomb = bytes_nested(CHILD, 8730);
    assert_in_range(bomb.len, 29000, 30000);
    struct meter m = {.fail_at = SIZE_MAX};
    stint_error err = STINT_ERROR_INIT;
    assert_null(unpack_metered(&m, bytes_slice(&bomb), SIZE_MAX, &err));
    assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(m.count, 0);
    bytes_free(&bomb);
}

static void the_allocator_alone_stops_the_nesting_bomb(void **state)
{
    (void)state;
    struct bytes bomb = bytes_nested(CHILDREN, 8730);
    struct stint__bounded b;
    stint__bounded_init(&b, NULL, SIZE_MAX, STINT__MESSAGE_STACK_MAX);
    assert_null(protobuf_c_message_unpack(TREE, &b.allocator, bomb.len, bomb.data));
    assert_int_equal(b.hit, STINT__BOUND_STACK);
    bytes_free(&bomb);
}

/* ---- memory ---- */

static void assert_bomb_is_bounded(const struct bytes *bomb, size_t max_memory)
{
    struct meter m = {.fail_at = SIZE_MAX};
    stint_error err = STINT_ERROR_INIT;
    assert_null(unpack_metered(&m, bytes_slice(bomb), max_memory, &err));
    assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
    assert_true(m.count > 0);
    assert_true(m.bytes + m.count * STINT__BOUNDED_OVERHEAD <= max_memory);
}

/* 64 KiB that would take 7 MiB. */
static void the_amplification_bomb_is_refused(void **state)
{
    (void)state;
    struct bytes bomb = {0};
    for (size_t i = 0; i < 32768; i++)
        bytes_put_field(&bomb, CHILDREN, NULL, 0);
    assert_bomb_is_bounded(&bomb, MEMORY);
    /* It is the memory that is refused, not the message. */
    struct meter m = {.fail_at = SIZE_MAX};
    ProtobufCMessage *tree = unpack_metered(&m, bytes_slice(&bomb), SIZE_MAX, NULL);
    assert_non_null(tree);
    assert_true(m.bytes > 100 * bomb.len);
    protobuf_c_message_free_unpacked(tree, NULL);
    bytes_free(&bomb);
}

static void a_bomb_of_unknown_fields_is_refused(void **state)
{
    (void)state;
    struct bytes bomb = {0};
    for (size_t i = 0; i < 32768; i++)
        bytes_put_uint(&bomb, 15, 0);
    assert_bomb_is_bounded(&bomb, MEMORY);
    bytes_free(&bomb);
}

/* A field given again is merged, and merging copies all that was there: quadratic time, though
 * little memory is in use at any moment. */
static void a_bomb_of_merges_is_refused(void **state)
{
    (void)state;
    struct bytes values = {0};
    struct bytes first = {0};
    for (size_t i = 0; i < 4096; i++)
        bytes_put_varint(&values, 1);
    bytes_put_field(&first, 1, values.data, values.len);
    struct bytes bomb = {0};
    bytes_put_field(&bomb, MERGED, first.data, first.len);
    for (size_t i = 0; i < 4096; i++)
        bytes_put_field(&bomb, MERGED, "\x0a\x01\x01", 3);
    assert_bomb_is_bounded(&bomb, 16 * MEMORY);
    bytes_free(&values);
    bytes_free(&first);
    bytes_free(&bomb);
}

static void the_budget_is_exact(void **state)
{
    (void)state;
    struct bytes b = sample_tree();
    struct meter m = {.fail_at = SIZE_MAX};
    ProtobufCMessage *tree = unpack_metered(&m, bytes_slice(&b), SIZE_MAX, NULL);
    assert_non_null(tree);
    protobuf_c_message_free_unpacked(tree, NULL);
    size_t takes = m.bytes + m.count * STINT__BOUNDED_OVERHEAD;
    tree = stint__message_unpack(TREE, bytes_slice(&b), takes, NULL);
    assert_non_null(tree);
    protobuf_c_message_free_unpacked(tree, NULL);
    /* Refused at every smaller one, wherever that is on the way; a sanitizer sees leaks. */
    for (size_t max = 0; max < takes; max++) {
        stint_error err = STINT_ERROR_INIT;
        assert_null(stint__message_unpack(TREE, bytes_slice(&b), max, &err));
        assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
    }
    bytes_free(&b);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct bytes b = sample_tree();
    struct meter m = {0};
    ProtobufCMessage *tree = NULL;
    for (; tree == NULL; m.fail_at++) {
        stint_error err = STINT_ERROR_INIT;
        tree = unpack_metered(&m, bytes_slice(&b), MEMORY, &err);
        assert_int_equal(m.count, m.fail_at);
        if (tree == NULL && err.code == STINT_RESOURCE_EXHAUSTED)
            assert_string_equal(err.message, "stint.test.v1.Tree: out of memory");
        else
            assert_non_null(tree);
    }
    protobuf_c_message_free_unpacked(tree, NULL);
    bytes_free(&b);
}

static void an_arena_bounds_by_its_own_limit(void **state)
{
    (void)state;
    struct bytes b = sample_tree();
    struct stint__arena arena;
    stint__arena_init(&arena, NULL, 0, MEMORY);
    assert_non_null(stint__message_unpack_arena(TREE, bytes_slice(&b), &arena, NULL));
    size_t takes = arena.used;
    stint__arena_fini(&arena);

    stint__arena_init(&arena, NULL, 0, takes - 1);
    stint_error err = STINT_ERROR_INIT;
    assert_null(stint__message_unpack_arena(TREE, bytes_slice(&b), &arena, &err));
    assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
    stint__arena_fini(&arena);
    bytes_free(&b);
}

/* ---- strings ---- */

struct text {
    const char *bytes;
    size_t len;
};

#define TEXT_OF(literal)                                                                           \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct text bad_texts[] = {
    TEXT_OF("\xc0\xaf"),         /* overlong, of 2, 3 and 4 bytes */
    TEXT_OF("\xe0\x9f\xbf"),     /**/
    TEXT_OF("\xf0\x8f\xbf\xbf"), /**/
    TEXT_OF("\xc0\x80"),         /* an overlong NUL */
    TEXT_OF("\xed\xa0\x80"),     /* surrogates */
    TEXT_OF("\xed\xbf\xbf"),     /**/
    TEXT_OF("\xf4\x90\x80\x80"), /* past U+10FFFF */
    TEXT_OF("\xff"),             /**/
    TEXT_OF("\x80"),             /* a continuation of nothing */
    TEXT_OF("ab\xe2\x82"),       /* cut */
    TEXT_OF("a\0b"),             /**/
    TEXT_OF("\0"),               /**/
    TEXT_OF("eight by\0te"),     /**/
};

static const struct text good_texts[] = {
    TEXT_OF(""),
    TEXT_OF("\x01\x7f"),
    TEXT_OF("\xc2\x80\xdf\xbf"),
    TEXT_OF("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
    TEXT_OF("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
};

/* A message with the text where each kind of string field is. */
static struct bytes message_with_text(const struct text *text, unsigned place)
{
    static const uint32_t numbers[] = {TEXT, TEXTS, RIGHT, PRESET};
    struct bytes inner = {0};
    struct bytes b = {0};
    if (place < 4) {
        bytes_put_field(&b, numbers[place], text->bytes, text->len);
    } else if (place < 7) {
        bytes_put_field(&inner, TEXT, text->bytes, text->len);
        bytes_put_field(&b, nesting_fields[place - 4], inner.data, inner.len);
    } else {
        bytes_put_field(&inner, 1, text->bytes, text->len);
        bytes_put_field(&b, NAME, inner.data, inner.len);
    }
    bytes_free(&inner);
    return b;
}

static void bad_strings_are_refused_wherever_they_are(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "stint.test.v1.Tree: text is not UTF-8 or holds a NUL",
        "stint.test.v1.Tree: texts is not UTF-8 or holds a NUL",
        "stint.test.v1.Tree: right is not UTF-8 or holds a NUL",
        "stint.test.v1.Tree: preset is not UTF-8 or holds a NUL",
        "stint.test.v1.Tree: text is not UTF-8 or holds a NUL",
        "stint.test.v1.Tree: text is not UTF-8 or holds a NUL",
        "stint.test.v1.Tree: text is not UTF-8 or holds a NUL",
        "stint.test.v1.Name: text is not UTF-8 or holds a NUL",
    };
    for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
        for (unsigned place = 0; place < 8; place++) {
            struct bytes b = message_with_text(&bad_texts[i], place);
            assert_refused(TREE, bytes_slice(&b), STINT_INVALID_ARGUMENT, messages[place]);
            bytes_free(&b);
        }
    }
}

static void good_strings_are_accepted_wherever_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_texts / sizeof *good_texts; i++) {
        for (unsigned place = 0; place < 8; place++) {
            struct bytes b = message_with_text(&good_texts[i], place);
            assert_accepted(TREE, bytes_slice(&b));
            bytes_free(&b);
        }
    }
}

static void strings_of_proto3_and_in_maps_are_checked(void **state)
{
    (void)state;
    for (uint32_t number = 1; number <= 6; number++) {
        if (number == 5) /* no string */
            continue;
        struct bytes b = {0};
        if (number == 3 || number == 6) /* a message whose field 1 is a string */
            bytes_put_field(&b, number, "\x0a\x01\xff", 3);
        else
            bytes_put_field(&b, number, "\xff", 1);
        stint_error err = STINT_ERROR_INIT;
        assert_null(stint__message_unpack(TREE3, bytes_slice(&b), MEMORY, &err));
        assert_int_equal(err.reason, STINT_REASON_MALFORMED);
        assert_non_null(strstr(err.message, "is not UTF-8 or holds a NUL"));
        bytes_free(&b);
    }
}

static void bytes_and_unknown_fields_may_hold_anything(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {DATA, BLOBS, RAW, UNKNOWN};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct bytes b = {0};
        bytes_put_field(&b, numbers[i], "\0\xff\xc0", 3);
        assert_accepted(TREE, bytes_slice(&b));
        bytes_free(&b);
    }
}

/* ---- bytes that are no message ---- */

static void wrong_types_and_missing_fields_are_refused(void **state)
{
    (void)state;
    const char *text = "stint.test.v1.Tree: a field has the wrong type, or a required one is "
                       "missing";
    struct bytes b = {0};
    bytes_put_uint(&b, TEXT, 1);
    assert_refused(TREE, bytes_slice(&b), STINT_INVALID_ARGUMENT, text);
    b.len = 0;
    bytes_put_field(&b, NAME, NULL, 0);
    assert_refused(TREE, bytes_slice(&b), STINT_INVALID_ARGUMENT, text);
    b.len = 0;
    bytes_put_key(&b, UNKNOWN, (enum stint__wire_type)3);
    bytes_put_key(&b, UNKNOWN, (enum stint__wire_type)4);
    assert_refused(TREE, bytes_slice(&b), STINT_INVALID_ARGUMENT,
                   "stint.test.v1.Tree: field 99 is a group or of an unknown wire type");
    bytes_free(&b);
}

/* protobuf-c takes the low 32 bits of a field number: to it this would be field 3, text. */
static void a_field_number_that_wraps_around_is_refused(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_put_varint(&b, ((UINT64_C(1) << 32 | TEXT) << 3) | STINT__WIRE_LEN);
    bytes_put(&b, "\1\xff", 2);
    stint_error err = STINT_ERROR_INIT;
    assert_null(stint__message_unpack(TREE, bytes_slice(&b), MEMORY, &err));
    assert_int_equal(err.reason, STINT_REASON_MALFORMED);
    bytes_free(&b);
}

static void more_than_protobuf_allows_is_refused_unread(void **state)
{
    (void)state;
    const uint8_t byte = 0;
    assert_refused(TREE, (struct stint__slice){&byte, (size_t)INT32_MAX + 1},
                   STINT_INVALID_ARGUMENT,
                   "stint.test.v1.Tree: 2147483648 bytes; protobuf allows 2147483647");
}

/* In a block of its own size, so that a sanitizer sees a read past it. */
static bool unpacks_exactly(const uint8_t *data, size_t len)
{
    uint8_t *block = malloc(len > 0 ? len : 1);
    assert_non_null(block);
    memcpy(block, data, len);
    stint_error err = STINT_ERROR_INIT;
    ProtobufCMessage *m =
        stint__message_unpack(TREE, (struct stint__slice){block, len}, MEMORY, &err);
    free(block);
    assert_int_equal(m == NULL, err.code != STINT_OK);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return m != NULL;
}

static void every_truncation_ends_in_a_message_or_an_error(void **state)
{
    (void)state;
    struct bytes b = sample_tree();
    size_t whole = 0;
    for (size_t len = 0; len < b.len; len++)
        whole += unpacks_exactly(b.data, len);
    /* Whole only before each of its 91 fields. */
    assert_int_equal(whole, 91);
    bytes_free(&b);
}

static void every_changed_byte_ends_in_a_message_or_an_error(void **state)
{
    (void)state;
    static const uint8_t flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    struct bytes b = sample_tree();
    size_t refused = 0;
    for (size_t i = 0; i < b.len; i++) {
        for (size_t j = 0; j < sizeof flips; j++) {
            b.data[i] ^= flips[j];
            refused += !unpacks_exactly(b.data, b.len);
            b.data[i] ^= flips[j];
        }
    }
    assert_true(refused > b.len);
    bytes_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_out_as_protobuf_c_has_it),
        cmocka_unit_test(no_bytes_are_an_empty_message),
        cmocka_unit_test(a_hundred_levels_are_accepted_and_one_more_is_not),
        cmocka_unit_test(the_nesting_bomb_is_refused_before_anything_is_allocated),
        cmocka_unit_test(the_allocator_alone_stops_the_nesting_bomb),
        cmocka_unit_test(the_amplification_bomb_is_refused),
        cmocka_unit_test(a_bomb_of_unknown_fields_is_refused),
        cmocka_unit_test(a_bomb_of_merges_is_refused),
        cmocka_unit_test(the_budget_is_exact),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(an_arena_bounds_by_its_own_limit),
        cmocka_unit_test(bad_strings_are_refused_wherever_they_are),
        cmocka_unit_test(good_strings_are_accepted_wherever_they_are),
        cmocka_unit_test(strings_of_proto3_and_in_maps_are_checked),
        cmocka_unit_test(bytes_and_unknown_fields_may_hold_anything),
        cmocka_unit_test(wrong_types_and_missing_fields_are_refused),
        cmocka_unit_test(a_field_number_that_wraps_around_is_refused),
        cmocka_unit_test(more_than_protobuf_allows_is_refused_unread),
        cmocka_unit_test(every_truncation_ends_in_a_message_or_an_error),
        cmocka_unit_test(every_changed_byte_ends_in_a_message_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
