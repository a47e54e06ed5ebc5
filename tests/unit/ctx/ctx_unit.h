/* ctx_unit.h - what the tests of contexts share: every test ends with no context left. */
#ifndef STINT_TESTS_CTX_UNIT_H
#define STINT_TESTS_CTX_UNIT_H

#include "unit.h"

#include <stint/stint.h>

#include "alloc.h"
#include "clock.h"
#include "ctx_internal.h"

#define START 1000000000

/* For tests under the virtual clock. */
static inline int virtual_setup(void **state)
{
    (void)state;
    stint__vclock_install((stint_time){START});
    return stint_ctx_live_count() == 0 ? 0 : -1;
}

static inline int nothing_left(void **state)
{
    (void)state;
    stint__alloc_set_gate(NULL, NULL);
    return stint_ctx_live_count() == 0 && stint__timer_count() == 0 ? 0 : -1;
}

static inline int virtual_teardown(void **state)
{
    stint__vclock_uninstall();
    return nothing_left(state);
}

#define VIRTUAL_TEST(fn) cmocka_unit_test_setup_teardown(fn, virtual_setup, virtual_teardown)
#define REAL_TEST(fn)    cmocka_unit_test_teardown(fn, nothing_left)

/* A hook's function that counts its calls. */
static inline void count_call(void *arg)
{
    ++*(int *)arg;
}

static inline void assert_ended(const stint_ctx *ctx, stint_code code, const char *text)
{
    stint_error e;
    assert_int_equal(stint_ctx_err(ctx), code);
    stint_ctx_cause(ctx, &e);
    assert_int_equal(e.code, code);
    assert_string_equal(e.message, text);
    assert_int_equal(e.origin, STINT_ORIGIN_LOCAL);
    assert_int_equal(stint_ctx_remaining(ctx), 0);
}

#define EXPIRED_TEXT "context deadline exceeded"

#endif
