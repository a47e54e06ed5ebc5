/* options_test.c - structs of options of every size. */
#include "options.h"

#include <stdint.h>
#include <string.h>

#include "unit.h"

struct today {
    size_t size;
    uint64_t a, b;
};

struct tomorrow {
    struct today known;
    uint64_t c;
};

static stint_code copy(struct today *ret, const void *given, stint_error *err)
{
    memset(ret, 0xa5, sizeof *ret);
    return stint__options_copy(ret, sizeof *ret, given, "struct today", err);
}

static void older_and_newer_versions_are_understood(void **state)
{
    (void)state;
    struct today got, given = {.size = sizeof given, .a = 1, .b = 2};
    struct tomorrow newer = {.known = {.size = sizeof newer, .a = 3, .b = 4}};
    assert_int_equal(copy(&got, NULL, NULL), STINT_OK);
    assert_int_equal(got.a + got.b, 0);
    assert_int_equal(copy(&got, &given, NULL), STINT_OK);
    assert_int_equal(got.a, 1);
    assert_int_equal(got.b, 2);
    given.size = offsetof(struct today, b);
    assert_int_equal(copy(&got, &given, NULL), STINT_OK);
    assert_int_equal(got.a, 1);
    assert_int_equal(got.b, 0);
    assert_int_equal(copy(&got, &newer, NULL), STINT_OK);
    assert_int_equal(got.b, 4);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    struct today got, given = {.a = 1};
    struct tomorrow newer = {.known = {.size = sizeof newer}, .c = 1};
    stint_error err;
    assert_int_equal(copy(&got, &given, &err), STINT_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "struct today"));
    assert_int_equal(got.a, 0);
    given.size = SIZE_MAX;
    assert_int_equal(copy(&got, &given, &err), STINT_INVALID_ARGUMENT);
    assert_int_equal(copy(&got, &newer, &err), STINT_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_and_newer_versions_are_understood),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
