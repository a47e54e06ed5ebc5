/* calls_test.c - calls under contexts that were given too little. */
#include <string.h>

#include "probe.h"
#include "unit.h"

static const char *url = "mem://budget";

/* Not sent, and the error says so. */
static void assert_not_sent(const stint_error *err, const char *why)
{
    assert_int_equal(err->reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_int_equal(err->origin, STINT_ORIGIN_LOCAL);
    assert_true(err->not_executed);
    assert_non_null(strstr(err->message, "was not sent"));
    assert_non_null(strstr(err->message, why));
}

static void a_call_below_its_minimum_is_not_sent(void **state)
{
    (void)state;
    struct probe p;
    stint_error err;
    probe_init(&p);
    probe_start(&p, url);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(50));
    stint_ctx *enough = stint_ctx_with_minimum(ctx, STINT_MS(5));
    stint_ctx *least = stint_ctx_with_minimum(ctx, STINT_SECONDS(60));
    probe_free(probe_call(&p, probe_v1_probe_work, enough, NULL, STINT_OK, NULL));
    probe_call(&p, probe_v1_probe_work, least, NULL, STINT_DEADLINE_EXCEEDED, &err);
    assert_not_sent(&err, "at least 60000.000 ms are needed");
    assert_int_equal(atomic_load(&p.executed), 1);
    stint_ctx_drop(enough);
    stint_ctx_drop(least);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void an_async_call_is_refused_at_once(void **state)
{
    (void)state;
    struct probe p;
    stint_error err;
    probe_init(&p);
    probe_start(&p, url);
    stint_ctx *ctx = stint_ctx_with_cap(stint_ctx_background(), 0, 0);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    assert_int_equal(probe_v1_probe_work_async(ctx, p.ch, &req, NULL, NULL, &err),
                     STINT_DEADLINE_EXCEEDED);
    assert_not_sent(&err, "leaves no time");
    assert_int_equal(atomic_load(&p.executed), 0);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void a_group_with_too_large_a_reserve_sends_nothing(void **state)
{
    (void)state;
    struct probe p;
    stint_error err;
    Probe__V1__Reply *rep;
    probe_init(&p);
    probe_start(&p, url);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(50));
    stint_group *g = stint_group_new(ctx, STINT_SECONDS(60));
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    probe_v1_probe_work_group(g, p.ch, &req, &rep);
    assert_int_equal(stint_group_wait(g, &err), STINT_DEADLINE_EXCEEDED);
    assert_not_sent(&err, "60000.000 ms are reserved");
    assert_int_equal(atomic_load(&p.executed), 0);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void a_leg_is_what_the_server_gets(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    probe_start(&p, url);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(500));
    STINT_BUDGET_WEIGHTED(b, ctx, STINT_SECONDS(100), 1, 3);
    const stint_duration most[] = {STINT_SECONDS(100), STINT_SECONDS(400)};
    for (int i = 0; i < 2; i++) {
        Probe__V1__Reply *rep =
            probe_call(&p, probe_v1_probe_work, stint_budget_next(&b), NULL, STINT_OK, NULL);
        assert_true(rep->remaining_ns > 0 && rep->remaining_ns <= most[i]);
        probe_free(rep);
    }
    stint_budget_end(&b);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_below_its_minimum_is_not_sent),
        cmocka_unit_test(an_async_call_is_refused_at_once),
        cmocka_unit_test(a_group_with_too_large_a_reserve_sends_nothing),
        cmocka_unit_test(a_leg_is_what_the_server_gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
