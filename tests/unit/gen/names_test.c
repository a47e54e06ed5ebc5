/* names_test.c - names in C: the table is what protoc-c 1.4.1 does. */
#include "unit.h"

#include "names.h"

struct fixture {
    struct stint__arena arena;
};

static int set_up(void **state)
{
    static struct fixture f;
    stint__arena_init(&f.arena, NULL, 0, (size_t)1024 * 1024);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    stint__arena_fini(&f->arena);
    return 0;
}

static void types_are_camel_case(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"shop.v1.Quote", "Shop__V1__Quote"},
        {"quote_request", "QuoteRequest"},
        {"a_b.c_d.E_f", "AB__CD__EF"},
        {"Trailing_", "Trailing"},
        {"_Leading", "Leading"},
        {"two__lines", "TwoLines"},
        {"HTTPRequest", "HTTPRequest"},
        {"x2y_3z", "X2y3z"},
        {".p.M", "P__M"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(gen_name_type(&f->arena, cases[i][0]), cases[i][1]);
}

static void functions_are_snake_case(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"shop.v1.Quote", "shop__v1__quote"},
        {"QuoteRequest", "quote_request"},
        {"HTTPRequest", "httprequest"},
        {"getURL", "get_url"},
        {"getURLNow", "get_urlnow"},
        {"Already_snake", "already_snake"},
        {"With_Upper", "with__upper"},
        {"A.B.C", "a__b__c"},
        {"v2Beta3", "v2_beta3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(gen_name_lower(&f->arena, cases[i][0], "__"), cases[i][1]);
    assert_string_equal(gen_name_lower(&f->arena, "shop.v1.PlaceOrder", "_"),
                        "shop_v1_place_order");
}

static void keywords_get_an_underscore(void **state)
{
    struct fixture *f = *state;
    static const char *const words[] = {"alignas", "while",  "switch", "delete",
                                        "and",     "xor_eq", "main"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_string_equal(gen_name_safe(&f->arena, words[i]),
                            gen_format(&f->arena, "%s_", words[i]));
    static const char *const others[] = {"quote", "whil", "hile", "and_", "do_it", "a"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_ptr_equal(gen_name_safe(&f->arena, others[i]), others[i]);
    assert_true(gen_name_is_keyword(&f->arena, "bool"));
    assert_false(gen_name_is_keyword(&f->arena, "delete")); /* of C++ alone */
}

static void files_lose_their_ending(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"a/b.proto", "a/b"},
        {"a.proto.proto", "a.proto"},
        {"a.protodevel", "a"},
        {"no_ending", "no_ending"},
        {".proto", ""},
        {"proto", "proto"},
        {"a.proto/b.txt", "a.proto/b.txt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(gen_name_without_proto(&f->arena, cases[i][0]), cases[i][1]);
}

static void guards_are_identifiers(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(gen_name_guard(&f->arena, "shop/v1/shop"), "SHOP_V1_SHOP_STINT_H");
    assert_string_equal(gen_name_guard(&f->arena, "3d-point"), "P3D_POINT_STINT_H");
    assert_string_equal(gen_name_guard(&f->arena, "\xc3\xbc"), "___STINT_H");
}

static void identifiers_are_told_from_other_text(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "_", "A1", "snake_case"};
    static const char *const qualified[] = {"a.b", "A.b1._c"};
    static const char *const bad[] = {"",    ".",   "1a",  "a.",  ".a",   "a..b",
                                      "a.1", "a-b", "a b", "a\n", "a\"b", "\xc3\xbc"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(gen_name_is_identifier(good[i]));
        assert_true(gen_name_is_qualified(good[i]));
    }
    for (size_t i = 0; i < sizeof qualified / sizeof qualified[0]; i++) {
        assert_false(gen_name_is_identifier(qualified[i]));
        assert_true(gen_name_is_qualified(qualified[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(gen_name_is_identifier(bad[i]));
        assert_false(gen_name_is_qualified(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(types_are_camel_case, set_up, tear_down),
        cmocka_unit_test_setup_teardown(functions_are_snake_case, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keywords_get_an_underscore, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_lose_their_ending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(guards_are_identifiers, set_up, tear_down),
        cmocka_unit_test(identifiers_are_told_from_other_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
