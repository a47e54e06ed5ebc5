/* account_test.c - what a served call's record is told about the calls made under its context. */
#include "ctx_internal.h"
#include "probe.h"
#include "record.h"
#include "unit.h"

static const stint_time far = {INT64_MAX};

static stint_ctx *served(void)
{
    stint_request_info info = stint_request_info_new();
    return stint__ctx_new_call(far, &info, 0, false);
}

/* True if nothing is under way: then a call of ten that needed three has waited seven. */
static bool all_have_ended(const stint_ctx *ctx)
{
    struct stint__record *r = stint__record_find(ctx);
    assert_non_null(r);
    static int64_t turn;
    struct stint__record_call c = {.began = stint_time_add(stint_now(), STINT_SECONDS(++turn))};
    stint_duration before = stint__record_waited(r);
    stint__record_begin(r, &c);
    stint__record_end(r, &c, stint_time_add(c.began, 10), 3);
    return stint__record_waited(r) == before + 7;
}

static void every_way_to_end_is_told_once(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    probe_start(&p, "mem://probe");
    stint_ctx *ctx = served();
    probe_free(probe_call(&p, probe_v1_probe_quick, ctx, NULL, STINT_OK, NULL));
    assert_true(all_have_ended(ctx));

    Probe__V1__Request hold = PROBE__V1__REQUEST__INIT;
    hold.hold = 1;
    stint_ctx *brief = stint_ctx_with_timeout(ctx, STINT_MS(5));
    probe_call(&p, probe_v1_probe_work, brief, &hold, STINT_DEADLINE_EXCEEDED, NULL);
    assert_true(all_have_ended(ctx));
    stint_ctx_drop(brief);

    stint_ctx *cancelled = stint_ctx_with_cancel(ctx);
    struct outcome o;
    outcome_init(&o);
    assert_int_equal(probe_v1_probe_work_async(cancelled, p.ch, &hold, probe_done, &o, NULL),
                     STINT_OK);
    assert_false(all_have_ended(ctx));
    stint_ctx_cancel(cancelled, STINT_CANCELLED, "enough");
    event_wait(&o.event, 1);
    assert_true(all_have_ended(ctx));
    outcome_fini(&o);
    probe_call(&p, probe_v1_probe_quick, cancelled, NULL, STINT_CANCELLED, NULL);
    assert_true(all_have_ended(ctx));
    stint_ctx_drop(cancelled);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

/* A call that may not wait for a connection is refused by us: what time it took, it did not need.
 */
static void what_is_not_sent_needs_nothing(void **state)
{
    (void)state;
    struct probe p;
    probe_init(&p);
    probe_start(&p, "mem://probe");
    stint_channel *nobody;
    assert_int_equal(stint_channel_open(&nobody, "mem://nobody", NULL, NULL), STINT_OK);
    stint_ctx *ctx = served();
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep;
    stint_error err;
    assert_int_equal(probe_v1_probe_quick(ctx, nobody, &req, &rep, &err), STINT_UNAVAILABLE);
    assert_true(err.not_executed);
    assert_true(stint__record_waited(stint__record_find(ctx)) > 0);
    assert_true(all_have_ended(ctx));
    stint_ctx_drop(ctx);
    stint_channel_close(nobody);
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_end_is_told_once),
        cmocka_unit_test(what_is_not_sent_needs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
