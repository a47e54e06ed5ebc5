/* criticality_test.c - the level that a context carries, and the slot of a served call. */
#include <stint/criticality.h>

#include "ctx_internal.h"
#include "ctx_unit.h"

static void a_level_is_inherited_and_may_only_fall(void **state)
{
    (void)state;
    const stint_ctx *edge = stint_ctx_background();
    assert_int_equal(stint_ctx_criticality(edge), STINT_CRITICALITY_UNSET);
    stint_ctx *a = stint_ctx_with_criticality(edge, STINT_CRITICALITY_SHEDDABLE_PLUS);
    stint_ctx *below = stint_ctx_with_cancel(a);
    stint_ctx *higher = stint_ctx_with_criticality(below, STINT_CRITICALITY_CRITICAL_PLUS);
    stint_ctx *lower = stint_ctx_with_criticality(below, STINT_CRITICALITY_SHEDDABLE);
    assert_int_equal(stint_ctx_criticality(below), STINT_CRITICALITY_SHEDDABLE_PLUS);
    assert_int_equal(stint_ctx_criticality(higher), STINT_CRITICALITY_SHEDDABLE_PLUS);
    assert_int_equal(stint_ctx_criticality(lower), STINT_CRITICALITY_SHEDDABLE);
    stint_ctx *detached = stint_ctx_without_cancel(lower);
    assert_int_equal(stint_ctx_criticality(detached), STINT_CRITICALITY_SHEDDABLE);
    stint_ctx_drop(detached);
    stint_ctx_drop(lower);
    stint_ctx_drop(higher);
    stint_ctx_drop(below);
    stint_ctx_drop(a);
}

static void what_is_no_level_changes_nothing(void **state)
{
    (void)state;
    stint_ctx *a = stint_ctx_with_criticality(stint_ctx_background(), (stint_criticality)5);
    assert_int_equal(stint_ctx_criticality(a), STINT_CRITICALITY_UNSET);
    stint_ctx *b = stint_ctx_with_criticality(a, STINT_CRITICALITY_CRITICAL_PLUS);
    stint_ctx *c = stint_ctx_with_criticality(b, STINT_CRITICALITY_UNSET);
    assert_int_equal(stint_ctx_criticality(c), STINT_CRITICALITY_CRITICAL_PLUS);
    stint_ctx_drop(c);
    stint_ctx_drop(b);
    stint_ctx_drop(a);
}

static stint_criticality level_of_call(uint32_t number)
{
    stint_request_info info = {.hop = 1};
    stint_ctx *call = stint__ctx_new_call((stint_time){START + 100}, &info, number, false);
    stint_criticality level = stint_ctx_criticality(call);
    stint_ctx *raised = stint_ctx_with_criticality(call, STINT_CRITICALITY_CRITICAL_PLUS);
    assert_int_equal(stint_ctx_criticality(raised), level); /* no hop raises it */
    stint_ctx_drop(raised);
    stint_ctx_drop(call);
    return level;
}

static void a_served_call_has_the_level_of_its_request(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(level_of_call(i), i);
    assert_int_equal(level_of_call(0), STINT_CRITICALITY_CRITICAL);
    assert_int_equal(level_of_call(5), STINT_CRITICALITY_CRITICAL);
    assert_int_equal(level_of_call(UINT32_MAX), STINT_CRITICALITY_CRITICAL);
}

static int destroyed;

static void count(void *content)
{
    destroyed += *(const int *)content;
}

static void a_slot_is_emptied_with_the_context_of_its_call(void **state)
{
    (void)state;
    int one = 1;
    stint_request_info info = {.hop = 1};
    assert_null(stint__ctx_slot(stint_ctx_background()));
    stint_ctx *empty = stint__ctx_new_call((stint_time){START + 100}, &info, 0, false);
    stint_ctx *call = stint__ctx_new_call((stint_time){START + 100}, &info, 0, false);
    stint_ctx *below = stint_ctx_with_request_info(call, &info);
    struct stint__slot *slot = stint__ctx_slot(below);
    assert_ptr_equal(slot, stint__ctx_slot(call));
    assert_ptr_not_equal(slot, stint__ctx_slot(empty));
    atomic_store(&slot->destroy, count);
    atomic_store(&slot->content, &one);
    destroyed = 0;
    stint_ctx_drop(empty);
    stint_ctx_drop(call);
    assert_int_equal(destroyed, 0);
    stint_ctx_drop(below);
    assert_int_equal(destroyed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_level_is_inherited_and_may_only_fall),
        VIRTUAL_TEST(what_is_no_level_changes_nothing),
        VIRTUAL_TEST(a_served_call_has_the_level_of_its_request),
        VIRTUAL_TEST(a_slot_is_emptied_with_the_context_of_its_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
