/* value_test.c - typed values. */
#include "ctx_unit.h"

struct session {
    int number;
};

STINT_KEY_DECLARE(session, struct session)
STINT_KEY_DEFINE(session);
STINT_KEY_DECLARE(user, char)
STINT_KEY_DEFINE(user);

static char ann[] = "ann", bob[] = "bob";

static void values_are_seen_below_and_nowhere_else(void **state)
{
    (void)state;
    struct session s = {42};
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *ctx = session_with(parent, &s);
    stint_ctx *below = stint_ctx_with_timeout(ctx, STINT_SECONDS(1));
    assert_ptr_equal(session_of(ctx), &s);
    assert_int_equal(session_of(below)->number, 42);
    assert_null(session_of(parent));
    assert_null(session_of(stint_ctx_background()));
    assert_null(user_of(below));
    stint_ctx_drop(ctx);
    assert_ptr_equal(session_of(below), &s); /* also of what is done */
    stint_ctx_drop(below);
    stint_ctx_drop(parent);
}

static void the_nearest_value_wins(void **state)
{
    (void)state;
    stint_ctx *a = user_with(stint_ctx_background(), ann);
    stint_ctx *b = user_with(a, bob);
    stint_ctx *c = user_with(b, NULL); /* hides what is above */
    assert_string_equal(user_of(a), "ann");
    assert_string_equal(user_of(b), "bob");
    assert_null(user_of(c));
    stint_ctx_drop(c);
    stint_ctx_drop(b);
    stint_ctx_drop(a);
}

static void keys_of_one_name_are_different(void **state)
{
    (void)state;
    static const stint_key one = {"name"};
    static const stint_key two = {"name"};
    int v1;
    int v2;
    stint_ctx *a = stint_ctx_with_value(stint_ctx_background(), &one, &v1, NULL);
    stint_ctx *b = stint_ctx_with_value(a, &two, &v2, NULL);
    assert_ptr_equal(stint_ctx_value(b, &one), &v1);
    assert_ptr_equal(stint_ctx_value(b, &two), &v2);
    stint_ctx_drop(b);
    stint_ctx_drop(a);
}

static int destroyed;

static void destroy(void *value)
{
    assert_int_equal(((struct session *)value)->number, 7);
    destroyed++;
}

static void an_owned_value_goes_with_the_last_who_sees_it(void **state)
{
    (void)state;
    destroyed = 0;
    struct session s = {7};
    stint_ctx *ctx = session_with_owned(stint_ctx_background(), &s, destroy);
    stint_ctx *child = stint_ctx_with_cancel(ctx);
    stint_ctx *detached = stint_ctx_without_cancel(child);
    stint_ctx_drop(ctx);
    stint_ctx_drop(child);
    assert_int_equal(destroyed, 0);
    assert_ptr_equal(session_of(detached), &s); /* without_cancel keeps values */
    stint_ctx_drop(detached);
    assert_int_equal(destroyed, 1);
}

static bool never(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return false;
}

static void an_owned_value_goes_when_its_context_cannot_be_made(void **state)
{
    (void)state;
    destroyed = 0;
    struct session s = {7};
    stint__alloc_set_gate(never, NULL);
    stint_ctx *ctx = session_with_owned(stint_ctx_background(), &s, destroy);
    assert_int_equal(destroyed, 1);
    assert_int_equal(stint_ctx_err(ctx), STINT_RESOURCE_EXHAUSTED);
    assert_null(session_of(ctx));
    stint_ctx_drop(ctx);
    assert_int_equal(destroyed, 1);
}

static void a_context_with_a_value_can_be_cancelled(void **state)
{
    (void)state;
    stint_ctx *parent = stint_ctx_with_cancel(stint_ctx_background());
    stint_ctx *ctx = user_with(parent, ann);
    stint_ctx_cancel(ctx, STINT_CANCELLED, "only this");
    assert_ended(ctx, STINT_CANCELLED, "only this");
    assert_int_equal(stint_ctx_err(parent), STINT_OK);
    stint_ctx_drop(ctx);
    stint_ctx_drop(parent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(values_are_seen_below_and_nowhere_else),
        VIRTUAL_TEST(the_nearest_value_wins),
        VIRTUAL_TEST(keys_of_one_name_are_different),
        VIRTUAL_TEST(an_owned_value_goes_with_the_last_who_sees_it),
        VIRTUAL_TEST(an_owned_value_goes_when_its_context_cannot_be_made),
        VIRTUAL_TEST(a_context_with_a_value_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
