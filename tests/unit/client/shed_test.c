/* shed_test.c - calls with less time than their method needs are not sent: what replies teach, how
 * long it is believed, and who goes all the same. */
#include <string.h>

#include "clock.h"
#include "fake_peer.h"
#include "probe.h"

#define QUICK  (&probe_v1_probe.methods[0])
#define WORK   (&probe_v1_probe.methods[1])
#define NEEDED STINT_MS(20)

/* The server has said that Work needs NEEDED. */
static void start_told(struct fake_peer *f)
{
    fake_init(f);
    f->answer.needed_us = NEEDED / 1000;
    fake_call(f, WORK, STINT_SECONDS(1), STINT_OK, NULL);
    f->answer.needed_us = 0; /* from here on it says nothing of it */
}

static void refused(struct fake_peer *f, const stint_method *method, stint_duration left)
{
    unsigned before = f->submits;
    stint_error err;
    fake_call(f, method, left, STINT_DEADLINE_EXCEEDED, &err);
    assert_int_equal(err.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_int_equal(err.origin, STINT_ORIGIN_LOCAL);
    assert_true(err.not_executed);
    assert_int_equal(f->submits, before);
}

static void sent(struct fake_peer *f, const stint_method *method, stint_duration left)
{
    unsigned before = f->submits;
    fake_call(f, method, left, STINT_OK, NULL);
    assert_int_equal(f->submits, before + 1);
}

static void less_than_the_method_needs_is_not_sent(void **state)
{
    (void)state;
    struct fake_peer f;
    stint_error err;
    start_told(&f);
    fake_call(&f, WORK, NEEDED - 1000, STINT_DEADLINE_EXCEEDED, &err);
    assert_string_equal(err.message, "probe.v1.Probe/Work was not sent to mem://nobody: "
                                     "19.999 ms are left, it needs 20.000 ms");
    refused(&f, WORK, NEEDED - 1);
    sent(&f, WORK, NEEDED);
    stint_channel_stats stats = fake_stats(&f);
    assert_int_equal(stats.shed, 2);
    assert_int_equal(stats.not_sent, 2);
    assert_int_equal(stats.probes, 0);
    assert_int_equal(stats.pushed_back, 0);
    fake_fini(&f);
}

static void other_methods_and_calls_without_a_deadline_are_not_concerned(void **state)
{
    (void)state;
    struct fake_peer f;
    start_told(&f);
    sent(&f, QUICK, STINT_US(1));
    sent(&f, WORK, 0);
    fake_fini(&f);
}

static void failures_teach_too_and_the_latest_word_counts(void **state)
{
    (void)state;
    struct fake_peer f;
    start_told(&f);
    f.answer.code = STINT_NOT_FOUND;
    f.answer.needed_us = STINT_MS(50) / 1000;
    fake_call(&f, WORK, STINT_SECONDS(1), STINT_NOT_FOUND, NULL);
    refused(&f, WORK, STINT_MS(49));
    f.answer.code = STINT_OK;
    f.answer.needed_us = 1;
    sent(&f, WORK, STINT_MS(50));
    sent(&f, WORK, STINT_US(1));
    fake_fini(&f);
}

static void a_reply_that_comes_too_late_for_its_call_still_teaches(void **state)
{
    (void)state;
    struct fake_peer f;
    struct outcome o;
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    fake_init(&f);
    outcome_init(&o);
    f.mute = true;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(10));
    assert_int_equal(probe_v1_probe_work_async(ctx, f.ch, &req, probe_done, &o, NULL), STINT_OK);
    stint__vclock_advance(STINT_MS(11));
    assert_int_equal(event_count(&o.event), 1);
    assert_int_equal(o.err.code, STINT_DEADLINE_EXCEEDED);
    f.mute = false;
    f.answer.needed_us = NEEDED / 1000;
    fake_reply(&f);
    assert_int_equal(fake_stats(&f).late_replies, 1);
    refused(&f, WORK, NEEDED - 1);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
    fake_fini(&f);
}

static void one_in_a_hundred_goes_all_the_same(void **state)
{
    (void)state;
    struct fake_peer f;
    start_told(&f);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 99; i++)
            refused(&f, WORK, NEEDED / 2);
        sent(&f, WORK, NEEDED / 2);
    }
    stint_channel_stats stats = fake_stats(&f);
    assert_int_equal(stats.probes, 3);
    assert_int_equal(stats.shed, 297);
    fake_fini(&f);
}

/* The server is told, so that it does not refuse what was sent to find out. */
static void a_probe_says_so_and_so_do_the_calls_made_for_it(void **state)
{
    (void)state;
    struct fake_peer f;
    start_told(&f);
    assert_false(f.last.probe);
    const stint_request_info info = stint_request_info_new();
    stint_time soon = stint_time_add(stint_now(), NEEDED / 2);
    for (int probe = 0; probe < 2; probe++) {
        stint_ctx *served = stint__ctx_new_call(soon, &info, 0, probe == 1);
        fake_call_under(&f, served, WORK, probe == 1 ? STINT_OK : STINT_DEADLINE_EXCEEDED, NULL);
        fake_call_under(&f, served, QUICK, STINT_OK, NULL);
        assert_int_equal(f.last.probe, probe);
        stint_ctx_drop(served);
    }
    for (int i = 0; i < 98; i++)
        refused(&f, WORK, NEEDED / 2);
    sent(&f, WORK, NEEDED / 2);
    assert_true(f.last.probe);
    sent(&f, WORK, NEEDED);
    assert_false(f.last.probe);
    assert_int_equal(fake_stats(&f).probes, 2);
    fake_fini(&f);
}

static void a_probe_can_melt_what_is_frozen(void **state)
{
    (void)state;
    struct fake_peer f;
    start_told(&f);
    for (int i = 0; i < 99; i++)
        refused(&f, WORK, NEEDED / 2);
    f.answer.needed_us = NEEDED / 4 / 1000;
    sent(&f, WORK, NEEDED / 2);
    sent(&f, WORK, NEEDED / 2);
    fake_fini(&f);
}

static void what_is_not_confirmed_is_not_believed_for_long(void **state)
{
    (void)state;
    struct fake_peer f;
    start_told(&f);
    stint__vclock_advance(STINT__KNOWN_FADES - 1);
    refused(&f, WORK, NEEDED / 2);
    stint__vclock_advance(1);
    sent(&f, WORK, NEEDED / 2);
    f.answer.needed_us = NEEDED / 1000;
    sent(&f, WORK, NEEDED / 2);
    refused(&f, WORK, NEEDED / 2);
    fake_fini(&f);
}

static void it_is_forgotten_with_the_connection(void **state)
{
    (void)state;
    void (*const ends[])(struct fake_peer *) = {fake_down, fake_goaway};
    for (int i = 0; i < 2; i++) {
        struct fake_peer f;
        start_told(&f);
        refused(&f, WORK, NEEDED / 2);
        ends[i](&f);
        fake_ready(&f);
        sent(&f, WORK, NEEDED / 2);
        fake_fini(&f);
    }
}

/* A server that drains still answers what it has, while its successor is asked already. */
static void replies_of_the_server_before_teach_nothing(void **state)
{
    (void)state;
    struct fake_peer f;
    struct outcome o;
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    fake_init(&f);
    outcome_init(&o);
    f.mute = true;
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), f.ch, &req, probe_done, &o, NULL),
        STINT_OK);
    fake_goaway(&f);
    fake_ready(&f);
    f.mute = false;
    f.answer.needed_us = NEEDED / 1000;
    fake_reply(&f);
    assert_int_equal(event_count(&o.event), 1);
    f.answer.needed_us = 0;
    sent(&f, WORK, NEEDED / 2);
    outcome_fini(&o);
    fake_fini(&f);
}

static void time_spent_waiting_for_room_counts(void **state)
{
    (void)state;
    struct fake_peer f;
    struct outcome o;
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    start_told(&f);
    outcome_init(&o);
    f.refusal = STINT_REASON_QUEUE_FULL;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), 2 * NEEDED);
    assert_int_equal(probe_v1_probe_work_async(ctx, f.ch, &req, probe_done, &o, NULL), STINT_OK);
    stint__vclock_advance(NEEDED + 1);
    assert_int_equal(event_count(&o.event), 0);
    f.refusal = STINT_REASON_NONE;
    fake_ready(&f);
    assert_int_equal(event_count(&o.event), 1);
    assert_int_equal(o.err.code, STINT_DEADLINE_EXCEEDED);
    assert_int_equal(o.err.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_true(o.err.not_executed);
    assert_int_equal(f.submits, 1);
    stint_ctx_drop(ctx);
    outcome_fini(&o);
    fake_fini(&f);
}

static void a_declared_minimum_holds_without_exception(void **state)
{
    (void)state;
    struct fake_peer f;
    stint_method method = *WORK;
    method.minimum = STINT_MS(5);
    fake_init(&f);
    for (int i = 0; i < 250; i++)
        refused(&f, &method, STINT_MS(5) - 1);
    sent(&f, &method, STINT_MS(5));
    sent(&f, &method, 0);
    assert_int_equal(fake_stats(&f).shed, 250);
    fake_fini(&f);
}

static void what_cannot_be_meant_is_not_believed(void **state)
{
    (void)state;
    struct fake_peer f;
    fake_init(&f);
    f.answer.needed_us = UINT64_MAX;
    sent(&f, WORK, STINT_SECONDS(1));
    f.answer.needed_us = STINT__BUDGET_US_MAX;
    sent(&f, WORK, STINT_SECONDS(1));
    sent(&f, WORK, STINT_US(1));
    fake_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_than_the_method_needs_is_not_sent),
        cmocka_unit_test(other_methods_and_calls_without_a_deadline_are_not_concerned),
        cmocka_unit_test(failures_teach_too_and_the_latest_word_counts),
        cmocka_unit_test(a_reply_that_comes_too_late_for_its_call_still_teaches),
        cmocka_unit_test(one_in_a_hundred_goes_all_the_same),
        cmocka_unit_test(a_probe_says_so_and_so_do_the_calls_made_for_it),
        cmocka_unit_test(a_probe_can_melt_what_is_frozen),
        cmocka_unit_test(what_is_not_confirmed_is_not_believed_for_long),
        cmocka_unit_test(it_is_forgotten_with_the_connection),
        cmocka_unit_test(replies_of_the_server_before_teach_nothing),
        cmocka_unit_test(time_spent_waiting_for_room_counts),
        cmocka_unit_test(a_declared_minimum_holds_without_exception),
        cmocka_unit_test(what_cannot_be_meant_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
