/* metadata_test.c - lists of keys and values, their limits, and the context that carries one. */
#include "ctx_unit.h"

#include <stdio.h>
#include <string.h>

static void entries_are_copied_and_keep_their_order(void **state)
{
    (void)state;
    stint_metadata *md = stint_metadata_new();
    assert_non_null(md);
    char key[] = "trace.level";
    char value[] = {'a', '\0', 'b'};
    assert_int_equal(stint_metadata_add(md, key, value, 3, NULL), STINT_OK);
    key[0] = value[0] = 'X';
    assert_int_equal(stint_metadata_add(md, "tag", "one", 3, NULL), STINT_OK);
    assert_int_equal(stint_metadata_add(md, "tag", NULL, 0, NULL), STINT_OK);
    assert_int_equal(stint_metadata_count(md), 3);
    const stint_metadata_entry *e = stint_metadata_at(md, 0);
    assert_string_equal(e->key, "trace.level");
    assert_int_equal(e->value_len, 3);
    assert_memory_equal(e->value, "a\0b", 3);
    assert_ptr_equal(stint_metadata_find(md, "tag"), stint_metadata_at(md, 1));
    assert_int_equal(stint_metadata_at(md, 2)->value_len, 0);
    assert_null(stint_metadata_at(md, 3));
    assert_null(stint_metadata_find(md, "ta"));
    stint_metadata_free(md);
}

static void no_list_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(stint_metadata_count(NULL), 0);
    assert_null(stint_metadata_at(NULL, 0));
    assert_null(stint_metadata_find(NULL, "x"));
    stint_metadata_free(NULL);
}

static void bad_keys_are_refused(void **state)
{
    (void)state;
    stint_metadata *md = stint_metadata_new();
    char too_long[STINT_METADATA_MAX_KEY + 2];
    memset(too_long, 'k', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    const char *bad[] = {"",       "Upper", "a b",       "a:b",    "caf\xC3\xA9",
                         "stint-", "a\nb",  "stint-hop", too_long, NULL};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stint_error e;
        assert_int_equal(stint_metadata_add(md, bad[i], "v", 1, &e), STINT_INVALID_ARGUMENT);
        assert_int_equal(e.code, STINT_INVALID_ARGUMENT);
        assert_non_null(strstr(e.message, "metadata key"));
    }
    assert_int_equal(stint_metadata_count(md), 0);
    assert_int_equal(stint_metadata_add(md, too_long + 1, "v", 1, NULL), STINT_OK);
    assert_int_equal(stint_metadata_add(md, "stint", "v", 1, NULL), STINT_OK);
    assert_int_equal(stint_metadata_add(md, "a-0._z", "v", 1, NULL), STINT_OK);
    stint_metadata_free(md);
}

static void the_number_of_entries_is_limited(void **state)
{
    (void)state;
    stint_metadata *md = stint_metadata_new();
    for (int i = 0; i < STINT_METADATA_MAX_ENTRIES; i++)
        assert_int_equal(stint_metadata_add(md, "k", &i, sizeof i, NULL), STINT_OK);
    assert_int_equal(stint_metadata_add(md, "k", "", 0, NULL), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(stint_metadata_count(md), STINT_METADATA_MAX_ENTRIES);
    int last;
    memcpy(&last, stint_metadata_at(md, STINT_METADATA_MAX_ENTRIES - 1)->value, sizeof last);
    assert_int_equal(last, STINT_METADATA_MAX_ENTRIES - 1);
    stint_metadata_free(md);
}

static void the_bytes_are_limited(void **state)
{
    (void)state;
    static const char big[STINT_METADATA_MAX_BYTES];
    stint_metadata *md = stint_metadata_new();
    assert_int_equal(stint_metadata_add(md, "k", big, SIZE_MAX, NULL), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(stint_metadata_add(md, "k", big, sizeof big, NULL), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(stint_metadata_add(md, "k", big, sizeof big - 3, NULL), STINT_OK);
    assert_int_equal(stint_metadata_add(md, "kk", big, 1, NULL), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(stint_metadata_add(md, "kk", big, 0, NULL), STINT_OK); /* just fits */
    assert_int_equal(stint_metadata_add(md, "k", big, 0, NULL), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(stint_metadata_count(md), 2);
    stint_metadata_free(md);
}

static void a_context_carries_a_copy(void **state)
{
    (void)state;
    stint_metadata *md = stint_metadata_new();
    assert_int_equal(stint_metadata_add(md, "a", "1", 1, NULL), STINT_OK);
    stint_ctx *ctx = stint_ctx_with_metadata(stint_ctx_background(), md);
    assert_int_equal(stint_metadata_add(md, "b", "2", 1, NULL), STINT_OK);
    stint_ctx *child = stint_ctx_with_cancel(ctx);
    stint_ctx *other = stint_ctx_with_metadata(child, md);
    stint_ctx *none = stint_ctx_with_metadata(child, NULL);
    stint_metadata_free(md);
    assert_int_equal(stint_metadata_count(stint_ctx_metadata(child)), 1);
    assert_string_equal(stint_metadata_at(stint_ctx_metadata(child), 0)->key, "a");
    assert_int_equal(stint_metadata_count(stint_ctx_metadata(other)), 2); /* instead */
    assert_int_equal(stint_metadata_count(stint_ctx_metadata(none)), 0);
    stint_ctx_drop(ctx);
    stint_ctx_drop(child);
    stint_ctx_drop(other);
    stint_ctx_drop(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(entries_are_copied_and_keep_their_order),
        VIRTUAL_TEST(no_list_is_an_empty_list),
        VIRTUAL_TEST(bad_keys_are_refused),
        VIRTUAL_TEST(the_number_of_entries_is_limited),
        VIRTUAL_TEST(the_bytes_are_limited),
        VIRTUAL_TEST(a_context_carries_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
