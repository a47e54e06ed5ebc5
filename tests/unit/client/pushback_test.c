/* pushback_test.c - a channel whose server pushes back: whose calls are held back, what their
 * errors say, and when it is over. How much is held back is throttle_test.c's. */
#include "clock.h"
#include "fake_peer.h"

#define QUICK    (&probe_v1_probe.methods[0])
#define WORK     (&probe_v1_probe.methods[1])
#define PUSHBACK STINT_MS(300)
#define MANY     2000 /* calls; some of them would be held back if any could be */

static void call_at(struct fake_peer *f, stint_criticality level, const stint_method *method,
                    stint_code code, stint_error *err)
{
    stint_ctx *ctx = stint_ctx_with_criticality(stint_ctx_background(), level);
    fake_call_under(f, ctx, method, code, err);
    stint_ctx_drop(ctx);
}

/* Makes calls, which the server refuses, until one of this level is held back. */
static void until_held_back(struct fake_peer *f, stint_criticality level, stint_error *err)
{
    unsigned before;
    int tries = 0;
    do {
        before = f->submits;
        call_at(f, level, WORK, STINT_RESOURCE_EXHAUSTED, err);
        assert_true(++tries < MANY);
    } while (f->submits != before);
}

static void start_exhausted(struct fake_peer *f, stint_criticality level)
{
    fake_init(f);
    f->answer.code = STINT_RESOURCE_EXHAUSTED;
    f->answer.not_executed = true;
    f->answer.pushback_us = PUSHBACK / 1000;
    until_held_back(f, level, NULL);
    f->answer.pushback_us = 0; /* from here on nothing is said of it */
}

/* The server has recovered, and none of these is held back. */
static void all_go(struct fake_peer *f, stint_criticality level, const stint_method *method)
{
    f->answer = (struct stint__envelope){.kind = STINT__KIND_REPLY};
    for (int i = 0; i < MANY; i++)
        call_at(f, level, method, STINT_OK, NULL);
}

static void the_error_says_who_and_for_how_long(void **state)
{
    (void)state;
    struct fake_peer f;
    stint_error err;
    start_exhausted(&f, STINT_CRITICALITY_UNSET);
    stint__vclock_advance(PUSHBACK / 3);
    until_held_back(&f, STINT_CRITICALITY_UNSET, &err);
    assert_int_equal(err.reason, STINT_REASON_THROTTLED);
    assert_int_equal(err.origin, STINT_ORIGIN_LOCAL);
    assert_true(err.not_executed);
    assert_int_equal(err.pushback, PUSHBACK / 3 * 2);
    assert_string_equal(err.message,
                        "probe.v1.Probe/Work was not sent to mem://nobody: the server is "
                        "overloaded and pushes back for 200.000 ms");
    stint_channel_stats stats = fake_stats(&f);
    assert_int_equal(stats.pushed_back, 2);
    assert_int_equal(stats.not_sent, 2);
    assert_int_equal(stats.refused, f.submits);
    assert_int_equal(stats.shed, 0);
    fake_fini(&f);
}

static void it_passes(void **state)
{
    (void)state;
    struct fake_peer f;
    start_exhausted(&f, STINT_CRITICALITY_UNSET);
    stint__vclock_advance(PUSHBACK - 1);
    until_held_back(&f, STINT_CRITICALITY_UNSET, NULL);
    stint__vclock_advance(1);
    all_go(&f, STINT_CRITICALITY_UNSET, WORK);
    fake_fini(&f);
}

static void it_concerns_one_method_and_what_is_not_more_critical(void **state)
{
    (void)state;
    struct fake_peer f;
    start_exhausted(&f, STINT_CRITICALITY_CRITICAL);
    until_held_back(&f, STINT_CRITICALITY_SHEDDABLE, NULL);
    until_held_back(&f, STINT_CRITICALITY_SHEDDABLE_PLUS, NULL);
    until_held_back(&f, STINT_CRITICALITY_UNSET, NULL); /* counts as CRITICAL */
    unsigned before = f.submits;
    for (int i = 0; i < MANY; i++)
        call_at(&f, STINT_CRITICALITY_CRITICAL_PLUS, WORK, STINT_RESOURCE_EXHAUSTED, NULL);
    assert_int_equal(f.submits, before + MANY);
    all_go(&f, STINT_CRITICALITY_UNSET, QUICK);
    fake_fini(&f);
}

/* What is accepted makes up for it, even before it has passed. */
static void a_server_that_accepts_again_is_trusted_again(void **state)
{
    (void)state;
    struct fake_peer f;
    start_exhausted(&f, STINT_CRITICALITY_UNSET);
    f.answer = (struct stint__envelope){.kind = STINT__KIND_REPLY};
    int last = 0;
    for (int i = 0; i < 10 * MANY; i++) {
        const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
        Probe__V1__Reply *rep;
        if (probe_v1_probe_work(stint_ctx_background(), f.ch, &req, &rep, NULL) == STINT_OK)
            probe__v1__reply__free_unpacked(rep, NULL);
        else
            last = i;
    }
    assert_true(last < MANY);
    fake_fini(&f);
}

static void failures_without_a_pushback_hold_nothing_back(void **state)
{
    (void)state;
    struct fake_peer f;
    fake_init(&f);
    f.answer.code = STINT_RESOURCE_EXHAUSTED;
    f.answer.not_executed = true;
    for (int i = 0; i < MANY; i++)
        call_at(&f, STINT_CRITICALITY_UNSET, WORK, STINT_RESOURCE_EXHAUSTED, NULL);
    f.answer.code = STINT_UNAVAILABLE;
    f.answer.pushback_us = PUSHBACK / 1000;
    for (int i = 0; i < MANY; i++)
        call_at(&f, STINT_CRITICALITY_UNSET, WORK, STINT_UNAVAILABLE, NULL);
    assert_int_equal(f.submits, 2 * MANY);
    fake_fini(&f);
}

static void it_ends_with_the_connection(void **state)
{
    (void)state;
    struct fake_peer f;
    start_exhausted(&f, STINT_CRITICALITY_UNSET);
    fake_down(&f);
    fake_ready(&f);
    all_go(&f, STINT_CRITICALITY_UNSET, WORK);
    fake_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_error_says_who_and_for_how_long),
        cmocka_unit_test(it_passes),
        cmocka_unit_test(it_concerns_one_method_and_what_is_not_more_critical),
        cmocka_unit_test(a_server_that_accepts_again_is_trusted_again),
        cmocka_unit_test(failures_without_a_pushback_hold_nothing_back),
        cmocka_unit_test(it_ends_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
