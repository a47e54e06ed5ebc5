/* order_test.c - calls that wait for a connection, or for room on it, are sent in the order in
 * which they were made, and none that is made later overtakes them. */
#include "fake_peer.h"
#include "probe.h"

#define CALLS 5

struct scene {
    struct fake_peer f; /* first: `before` gets it */
    stint_ctx *ctx;
    struct outcome outcomes[CALLS];
    unsigned made;
};

static void make_call(struct scene *s)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    struct outcome *o = &s->outcomes[s->made++];
    assert_int_equal(probe_v1_probe_work_async(s->ctx, s->f.ch, &req, probe_done, o, NULL),
                     STINT_OK);
}

/* Three calls that wait. */
static void start(struct scene *s, stint_reason why)
{
    *s = (struct scene){0};
    fake_init(&s->f);
    s->ctx = stint_ctx_with_call_options(stint_ctx_background(),
                                         STINT_CALL_OPTIONS(.wait_for_ready = true));
    for (int i = 0; i < CALLS; i++)
        outcome_init(&s->outcomes[i]);
    s->f.refusal = why;
    for (int i = 0; i < 3; i++)
        make_call(s);
    assert_int_equal(s->f.submits, 0);
    s->f.refusal = STINT_REASON_NONE;
}

/* All that were made have been sent, in order. */
static void finish(struct scene *s)
{
    assert_int_equal(s->f.submits, s->made);
    for (unsigned i = 1; i < s->made; i++)
        assert_true(s->f.call_ids[i - 1] < s->f.call_ids[i]);
    for (unsigned i = 0; i < s->made; i++)
        assert_int_equal(event_count(&s->outcomes[i].event), 1);
    for (int i = 0; i < CALLS; i++)
        outcome_fini(&s->outcomes[i]);
    assert_false(atomic_load(&s->f.ch->backlog));
    stint_ctx_drop(s->ctx);
    fake_fini(&s->f);
}

static void what_is_made_while_others_wait_goes_behind_them(void **state)
{
    (void)state;
    const stint_reason reasons[] = {STINT_REASON_NOT_CONNECTED, STINT_REASON_QUEUE_FULL};
    for (int i = 0; i < 2; i++) {
        struct scene s;
        start(&s, reasons[i]);
        make_call(&s); /* could be sent by now, but nobody has said so yet */
        assert_int_equal(s.f.submits, 0);
        fake_ready(&s.f);
        make_call(&s);
        finish(&s);
    }
}

static void make_one_more(struct fake_peer *f)
{
    f->before = NULL;
    make_call((struct scene *)f);
}

static void what_is_made_while_they_are_sent_goes_behind_them(void **state)
{
    (void)state;
    struct scene s;
    start(&s, STINT_REASON_NOT_CONNECTED);
    s.f.before = make_one_more; /* as the first of them is handed over */
    fake_ready(&s.f);
    finish(&s);
}

static void make_one_more_with_the_last(struct fake_peer *f)
{
    if (f->submits == 2)
        make_one_more(f);
}

static void the_last_of_them_is_not_overtaken_either(void **state)
{
    (void)state;
    struct scene s;
    start(&s, STINT_REASON_NOT_CONNECTED);
    s.f.before = make_one_more_with_the_last;
    fake_ready(&s.f);
    finish(&s);
}

static void lose_the_connection(struct fake_peer *f)
{
    if (f->submits != 1)
        return;
    f->before = NULL;
    f->refusal = STINT_REASON_NOT_CONNECTED;
    fake_down(f);
}

static void who_has_to_wait_again_stays_the_first(void **state)
{
    (void)state;
    struct scene s;
    start(&s, STINT_REASON_NOT_CONNECTED);
    s.f.before = lose_the_connection;
    fake_ready(&s.f);
    assert_int_equal(s.f.submits, 1);
    make_call(&s);
    s.f.refusal = STINT_REASON_NONE;
    fake_ready(&s.f);
    finish(&s);
}

/* The second one finds the connection gone, and back again: for whoever tells that it is back, the
 * calls are in good hands. */
static void come_back_at_once(struct fake_peer *f)
{
    if (f->submits == 1 && f->refusal == STINT_REASON_NONE) {
        f->refusal = STINT_REASON_NOT_CONNECTED;
        fake_ready(f);
    } else {
        f->refusal = STINT_REASON_NONE;
    }
}

static void a_ready_event_while_they_are_sent_is_not_lost(void **state)
{
    (void)state;
    struct scene s;
    start(&s, STINT_REASON_NOT_CONNECTED);
    s.f.before = come_back_at_once;
    fake_ready(&s.f);
    finish(&s);
}

static void who_gives_up_leaves_the_line(void **state)
{
    (void)state;
    struct scene s;
    start(&s, STINT_REASON_NOT_CONNECTED);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(1));
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    struct outcome gone;
    outcome_init(&gone);
    assert_int_equal(probe_v1_probe_work_async(ctx, s.f.ch, &req, probe_done, &gone, NULL),
                     STINT_OK);
    stint__vclock_advance(STINT_MS(2));
    assert_int_equal(event_count(&gone.event), 1);
    assert_int_equal(gone.err.code, STINT_DEADLINE_EXCEEDED);
    stint_ctx_drop(ctx);
    outcome_fini(&gone);
    fake_ready(&s.f);
    finish(&s);
}

/* When the last one that waited gives up, nobody is left to wait for. */
static void an_empty_line_holds_nobody_up(void **state)
{
    (void)state;
    struct fake_peer f;
    stint_error err;
    fake_init(&f);
    f.refusal = STINT_REASON_NOT_CONNECTED;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(1));
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    struct outcome gone;
    outcome_init(&gone);
    assert_int_equal(probe_v1_probe_work_async(ctx, f.ch, &req, probe_done, &gone, NULL), STINT_OK);
    stint__vclock_advance(STINT_MS(2));
    assert_int_equal(event_count(&gone.event), 1);
    f.refusal = STINT_REASON_NONE;
    fake_call(&f, &probe_v1_probe.methods[1], 0, STINT_OK, NULL);
    /* The same by way of a failed attempt to connect. */
    f.refusal = STINT_REASON_NOT_CONNECTED;
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), f.ch, &req, probe_done, &gone, NULL),
        STINT_OK);
    fake_down(&f);
    assert_int_equal(event_count(&gone.event), 2);
    assert_int_equal(gone.err.reason, STINT_REASON_NOT_CONNECTED);
    fake_call(&f, &probe_v1_probe.methods[1], 0, STINT_UNAVAILABLE, &err);
    f.refusal = STINT_REASON_NONE;
    fake_call(&f, &probe_v1_probe.methods[1], 0, STINT_OK, NULL);
    stint_ctx_drop(ctx);
    outcome_fini(&gone);
    fake_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_while_others_wait_goes_behind_them),
        cmocka_unit_test(what_is_made_while_they_are_sent_goes_behind_them),
        cmocka_unit_test(the_last_of_them_is_not_overtaken_either),
        cmocka_unit_test(who_has_to_wait_again_stays_the_first),
        cmocka_unit_test(a_ready_event_while_they_are_sent_is_not_lost),
        cmocka_unit_test(who_gives_up_leaves_the_line),
        cmocka_unit_test(an_empty_line_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
