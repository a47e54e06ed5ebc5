/* group_test.c - fan-out: all replies, the first failure, and a wait that always joins. */
#include <stdio.h>
#include <string.h>

#include "probe.h"
#include "unit.h"

static const char *url = "mem://group";

static void start(struct probe *p)
{
    probe_init(p);
    p->sopts.workers = 4;
    probe_start(p, url);
}

static void all_replies_are_there_after_wait(void **state)
{
    (void)state;
    enum { N = 20 };
    struct probe p;
    Probe__V1__Reply *rep[N];
    start(&p);
    stint_group *g = stint_group_new(stint_ctx_background(), 0);
    for (uint32_t i = 0; i < N; i++) {
        Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
        req.reply_size = i + 1;
        probe_v1_probe_work_group(g, p.ch, &req, &rep[i]);
    }
    assert_int_equal(stint_group_wait(g, NULL), STINT_OK);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(rep[i]->payload.len, i + 1);
        probe_free(rep[i]);
    }
    probe_stop(&p);
}

static void the_first_failure_cancels_the_rest(void **state)
{
    (void)state;
    struct probe p;
    Probe__V1__Reply *held, *failed;
    start(&p);
    stint_group *g = stint_group_new(stint_ctx_background(), 0);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    probe_v1_probe_work_group(g, p.ch, &req, &held);
    event_wait(&p.entered, 1);
    Probe__V1__Request bad = PROBE__V1__REQUEST__INIT;
    bad.code = STINT_NOT_FOUND;
    char text[] = "no such thing";
    bad.text = text;
    probe_v1_probe_work_group(g, p.ch, &bad, &failed);
    stint_error err;
    assert_int_equal(stint_group_wait(g, &err), STINT_NOT_FOUND);
    char expected[256];
    snprintf(expected, sizeof expected, "probe.v1.Probe/Work at %s: no such thing",
             stint_server_url(p.server, 0));
    assert_string_equal(err.message, expected);
    assert_int_equal(err.origin, STINT_ORIGIN_PEER);
    assert_null(held);
    assert_null(failed);
    if (probe_has_control_frames(&p)) {
        event_wait(&p.left, 1);
        assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    }
    probe_stop(&p);
}

static void the_reserve_is_kept_back(void **state)
{
    (void)state;
    struct probe p;
    Probe__V1__Reply *rep;
    start(&p);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(50));
    stint_group *g = stint_group_new(ctx, STINT_SECONDS(20));
    assert_true(stint_ctx_remaining(stint_group_ctx(g)) <= STINT_SECONDS(30));
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    probe_v1_probe_work_group(g, p.ch, &req, &rep);
    assert_int_equal(stint_group_wait(g, NULL), STINT_OK);
    assert_true(rep->remaining_ns <= STINT_SECONDS(30));
    probe_free(rep);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

static void a_member_that_cannot_begin_fails_the_group(void **state)
{
    (void)state;
    struct probe p;
    Probe__V1__Reply *rep;
    start(&p);
    stint_ctx *done = stint_ctx_with_timeout(stint_ctx_background(), 0);
    stint_group *g = stint_group_new(done, 0);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    probe_v1_probe_work_group(g, p.ch, &req, &rep);
    stint_error err;
    assert_int_equal(stint_group_wait(g, &err), STINT_DEADLINE_EXCEEDED);
    const char *named = strstr(err.message, "probe.v1.Probe/Work");
    assert_non_null(named); /* by the library's own text: once, then */
    assert_null(strstr(named + 1, "probe.v1.Probe/Work"));
    assert_true(err.not_executed);
    assert_null(rep);
    assert_int_equal(atomic_load(&p.executed), 0);
    stint_ctx_drop(done);
    probe_stop(&p);
}

struct from_done {
    struct probe *p;
    stint_group *g;
    stint_code code;
    struct event event;
};

static void wait_in_done(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct from_done *f = arg;
    (void)code, (void)err;
    probe_free(rep);
    f->code = stint_group_wait(f->g, NULL);
    event_raise(&f->event);
}

static void a_wait_that_may_not_block_cancels_and_frees(void **state)
{
    (void)state;
    struct probe p;
    Probe__V1__Reply *held;
    start(&p);
    struct from_done f = {.p = &p, .g = stint_group_new(stint_ctx_background(), 0)};
    event_init(&f.event);
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    probe_v1_probe_work_group(f.g, p.ch, &req, &held);
    event_wait(&p.entered, 1);
    req.hold = false;
    assert_int_equal(
        probe_v1_probe_quick_async(stint_ctx_background(), p.ch, &req, wait_in_done, &f, NULL),
        STINT_OK);
    event_wait(&f.event, 1);
    assert_int_equal(f.code, STINT_FAILED_PRECONDITION);
    if (probe_has_control_frames(&p)) {
        event_wait(&p.left, 1);
        assert_int_equal(atomic_load(&p.left_code), STINT_CANCELLED);
    }
    event_fini(&f.event);
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_replies_are_there_after_wait),
        cmocka_unit_test(the_first_failure_cancels_the_rest),
        cmocka_unit_test(the_reserve_is_kept_back),
        cmocka_unit_test(a_member_that_cannot_begin_fails_the_group),
        cmocka_unit_test(a_wait_that_may_not_block_cancels_and_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
