/* calls_test.c - calls under contexts that were given too little. */
#include <stdatomic.h>
#include <string.h>

#include "memory.h"
#include "probe.h"
#include "sim_clock.h"
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

/* A handler that goes on when its time is over, as long as its caller has not gone away. */
struct tenacious {
    struct event extended, left;
    atomic_int expired, then, at_last; /* what contexts said */
};

static stint_code go_on(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct tenacious *t = self;
    (void)req;
    (void)rep;
    atomic_store(&t->expired, stint_ctx_sleep(ctx, STINT_SECONDS(60)));
    stint_ctx *more =
        stint_ctx_extend(ctx, STINT_SECONDS(60), "finish it", (stint_log){NULL, NULL});
    atomic_store(&t->then, stint_ctx_err(more));
    event_raise(&t->extended);
    atomic_store(&t->at_last, stint_ctx_sleep(more, STINT_SECONDS(60)));
    stint_ctx_drop(more);
    event_raise(&t->left);
    return stint_call_fail(call, STINT_DEADLINE_EXCEEDED, "too late");
}

/* In virtual time: however slow the machine, the handler has begun when its time is over. */
static void an_extension_in_a_handler_ends_with_its_caller(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.hasty = go_on};
    struct tenacious t = {.then = STINT_UNKNOWN};
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err;
    Probe__V1__Reply *rep;
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    event_init(&t.extended);
    event_init(&t.left);
    if (stint_server_new(&server, NULL, &err) != STINT_OK ||
        probe_v1_probe_register(server, &ops, &t, &err) != STINT_OK ||
        stint_server_listen(server, url, &err) != STINT_OK ||
        stint_server_start(server, &err) != STINT_OK ||
        stint_channel_open(&ch, url, NULL, &err) != STINT_OK)
        fail_msg("%s", err.message);
    assert_int_equal(probe_v1_probe_hasty(stint_ctx_background(), ch, &req, &rep, &err),
                     STINT_DEADLINE_EXCEEDED);
    event_wait(&t.extended, 1);
    stint__mem_cut("budget");
    event_wait(&t.left, 1);
    assert_int_equal(atomic_load(&t.expired), STINT_DEADLINE_EXCEEDED);
    assert_int_equal(atomic_load(&t.then), STINT_OK);
    assert_int_equal(atomic_load(&t.at_last), STINT_CANCELLED);
    stint_channel_close(ch);
    stint_server_free(server);
    event_fini(&t.left);
    event_fini(&t.extended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(an_extension_in_a_handler_ends_with_its_caller),
        cmocka_unit_test(a_call_below_its_minimum_is_not_sent),
        cmocka_unit_test(an_async_call_is_refused_at_once),
        cmocka_unit_test(a_group_with_too_large_a_reserve_sends_nothing),
        cmocka_unit_test(a_leg_is_what_the_server_gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
