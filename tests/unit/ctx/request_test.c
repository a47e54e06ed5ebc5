/* request_test.c - trace, span and request IDs. */
#include "ctx_unit.h"

#include <ctype.h>
#include <string.h>

static void fresh_ids_are_fresh_and_well_formed(void **state)
{
    (void)state;
    stint_request_info a = stint_request_info_new();
    stint_request_info b = stint_request_info_new();
    assert_memory_not_equal(a.trace_id, b.trace_id, sizeof a.trace_id);
    assert_memory_not_equal(a.span_id, b.span_id, sizeof a.span_id);
    assert_string_not_equal(a.request_id, b.request_id);
    assert_int_equal(strlen(a.request_id), 16);
    for (size_t i = 0; i < 16; i++)
        assert_true(isdigit((unsigned char)a.request_id[i]) ||
                    (a.request_id[i] >= 'a' && a.request_id[i] <= 'f'));
    assert_int_equal(a.hop, 0);
}

static void info_is_copied_inherited_and_replaced(void **state)
{
    (void)state;
    stint_request_info info = stint_request_info_new();
    info.hop = 3;
    stint_ctx *a = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_request_info copy = info;
    memset(&info, 0, sizeof info);
    stint_ctx *b = stint_ctx_with_cancel(a);
    stint_ctx *detached = stint_ctx_without_cancel(b);
    stint_request_info other = stint_request_info_new();
    stint_ctx *c = stint_ctx_with_request_info(b, &other);
    assert_memory_equal(stint_ctx_request_info(b)->trace_id, copy.trace_id, 16);
    assert_memory_equal(stint_ctx_request_info(b)->span_id, copy.span_id, 8);
    assert_string_equal(stint_ctx_request_info(b)->request_id, copy.request_id);
    assert_int_equal(stint_ctx_request_info(b)->hop, 3);
    assert_string_equal(stint_ctx_request_info(c)->request_id, other.request_id);
    stint_ctx_drop(a);
    stint_ctx_drop(b);
    stint_ctx_drop(c);
    assert_string_equal(stint_ctx_request_info(detached)->request_id, copy.request_id);
    stint_ctx_drop(detached);
}

static void check_request_id(const char *bytes, size_t n, bool valid)
{
    stint_request_info info = {.trace_id = {1}};
    memcpy(info.request_id, bytes, n);
    stint_ctx *ctx = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_ctx *call = stint__ctx_new_call((stint_time){START + 1}, &info, 0, false);
    assert_string_equal(stint_ctx_request_info(ctx)->request_id, valid ? bytes : "");
    assert_string_equal(stint_ctx_request_info(call)->request_id, valid ? bytes : "");
    assert_int_equal(stint_ctx_request_info(ctx)->trace_id[0], 1); /* the rest is kept */
    stint_ctx_drop(ctx);
    stint_ctx_drop(call);
}

static void an_invalid_request_id_is_replaced(void **state)
{
    (void)state;
    char longest[STINT_REQUEST_ID_MAX + 1];
    memset(longest, 'x', sizeof longest);
    check_request_id(longest, sizeof longest, false); /* not terminated */
    longest[STINT_REQUEST_ID_MAX] = '\0';
    check_request_id(longest, sizeof longest, true);
    check_request_id("", 1, true);
    check_request_id("!~order-17", 11, true);
    check_request_id("a b", 4, false);
    check_request_id("line\nforged", 12, false);
    check_request_id("\x7F", 2, false);
    check_request_id("caf\xC3\xA9", 6, false);
}

static void a_trace_id_is_text(void **state)
{
    (void)state;
    char text[STINT_TRACE_ID_TEXT];
    stint_request_info info = {.trace_id = {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE,
                                            0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}};
    assert_ptr_equal(stint_trace_id_format(&info, text), text);
    assert_string_equal(text, "0123456789abcdeffedcba9876543210");
    memset(info.trace_id, 0, sizeof info.trace_id);
    assert_string_equal(stint_trace_id_format(&info, text), "");
    assert_string_equal(stint_trace_id_format(NULL, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(fresh_ids_are_fresh_and_well_formed),
        VIRTUAL_TEST(info_is_copied_inherited_and_replaced),
        VIRTUAL_TEST(an_invalid_request_id_is_replaced),
        VIRTUAL_TEST(a_trace_id_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
