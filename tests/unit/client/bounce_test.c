/* bounce_test.c - requests that are lost, unsent, before the thread that hands them to the
 * transport knows that they were taken: they wait for the next connection as if this one had not
 * been there.
 */
#include <pthread.h>

#include "clock.h"
#include "fake_peer.h"
#include "patience.h"
#include "probe.h"

#define ROUNDS 1000

/* One asynchronous call, and what became of it. */
struct scene {
    struct fake_peer f; /* first: its hooks get it */
    stint_ctx *ctx;
    struct outcome o;
    void (*bounced)(struct scene *s); /* after the loss, before submit returns, or NULL */
    struct event handed_over, lost, cancelled;
    bool cancels; /* `ctx` is cancelled at the same time */
};

static void start(struct scene *s, bool wait_for_ready)
{
    *s = (struct scene){0};
    fake_init(&s->f);
    outcome_init(&s->o);
    s->ctx = stint_ctx_with_call_options(stint_ctx_background(),
                                         STINT_CALL_OPTIONS(.wait_for_ready = wait_for_ready));
}

static void finish(struct scene *s)
{
    stint_ctx_drop(s->ctx);
    fake_fini(&s->f);
    outcome_fini(&s->o);
}

/* Several calls may end here, one after the other. */
static void on_end(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    probe_free(rep);
    probe_done(arg, code, NULL, err);
}

static stint_code make_call(struct scene *s, stint_error *err)
{
    static const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    return probe_v1_probe_quick_async(s->ctx, s->f.ch, &req, on_end, &s->o, err);
}

/* The call ended, once and so; and no loss was counted that may have been executed. */
static void check_end(struct scene *s, stint_code code)
{
    assert_int_equal(event_count(&s->o.event), 1);
    assert_int_equal(s->o.err.code, code);
    assert_int_equal(fake_stats(&s->f).connection_lost, 0);
    assert_int_equal(atomic_load(&s->f.ch->inflight), 0);
    assert_false(atomic_load(&s->f.ch->backlog));
}

/* The next request is lost before its submit returns; the ones after it are answered. */
static void bounce(struct fake_peer *f)
{
    struct scene *s = (struct scene *)f;
    f->taken = NULL;
    fake_lose(f, true);
    if (s->bounced != NULL)
        s->bounced(s);
}

static void it_goes_over_the_next_connection(void **state)
{
    (void)state;
    struct scene s;
    start(&s, true);
    fake_ready(&s.f);
    s.f.taken = bounce;
    assert_int_equal(make_call(&s, NULL), STINT_OK);
    fake_down(&s.f); /* lost, */
    fake_down(&s.f); /* and not back so soon */
    assert_int_equal(event_count(&s.o.event), 0);
    assert_int_equal(s.f.submits, 1);
    fake_ready(&s.f);
    assert_int_equal(s.f.submits, 2);
    assert_int_equal(s.f.call_ids[0], s.f.call_ids[1]);
    check_end(&s, STINT_OK);
    assert_int_equal(fake_stats(&s.f).not_sent, 0);
    finish(&s);
}

/* A call whose connection is back, by `bounced`, before its submit returns: it is sent so often. */
static void check_back_at_once(void (*bounced)(struct scene *s), unsigned submits)
{
    struct scene s;
    start(&s, true);
    s.f.taken = bounce;
    s.bounced = bounced;
    assert_int_equal(make_call(&s, NULL), STINT_OK);
    assert_int_equal(s.f.submits, submits);
    check_end(&s, STINT_OK);
    finish(&s);
}

static void come_back(struct scene *s)
{
    fake_ready(&s->f);
}

static void a_connection_that_is_there_already_is_not_missed(void **state)
{
    (void)state;
    check_back_at_once(come_back, 2);
}

static void bounce_again(struct scene *s)
{
    fake_ready(&s->f);
    s->f.taken = bounce;
    s->bounced = come_back;
}

static void it_may_happen_again(void **state)
{
    (void)state;
    check_back_at_once(bounce_again, 3);
}

static void lose_everything(struct scene *s)
{
    fake_down(&s->f);
    fake_down(&s->f);
}

/* As for any other call that finds no connection. */
static void it_fails_if_it_may_not_wait(void **state)
{
    (void)state;
    struct scene s;
    stint_error err;
    start(&s, false);
    s.f.taken = bounce;
    s.bounced = lose_everything;
    assert_int_equal(make_call(&s, &err), STINT_UNAVAILABLE);
    assert_int_equal(err.reason, STINT_REASON_NOT_CONNECTED);
    assert_string_equal(err.message, "no connection to mem://nobody: cut by the test");
    assert_true(err.not_executed);
    assert_int_equal(event_count(&s.o.event), 0);
    stint_channel_stats stats = fake_stats(&s.f);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.not_sent, 1);
    assert_int_equal(stats.connection_lost, 0);
    fake_ready(&s.f);
    assert_int_equal(s.f.submits, 1);
    finish(&s);
}

static void lose_what_was_sent(struct fake_peer *f)
{
    fake_lose(f, false);
}

static void what_may_have_been_executed_is_never_sent_again(void **state)
{
    (void)state;
    struct scene s;
    start(&s, true);
    s.f.taken = lose_what_was_sent;
    assert_int_equal(make_call(&s, NULL), STINT_OK);
    fake_ready(&s.f);
    assert_int_equal(s.f.submits, 1);
    assert_int_equal(event_count(&s.o.event), 1);
    assert_int_equal(s.o.err.reason, STINT_REASON_CONNECTION_LOST);
    assert_false(s.o.err.not_executed);
    assert_int_equal(fake_stats(&s.f).connection_lost, 1);
    assert_int_equal(fake_stats(&s.f).not_sent, 0);
    finish(&s);
}

static void give_up(struct scene *s)
{
    stint_ctx_cancel(s->ctx, STINT_CANCELLED, "given up");
}

static void give_up_and_bounce(struct fake_peer *f)
{
    give_up((struct scene *)f);
    bounce(f);
}

/* Before the loss, and between the loss and the end of the submit. */
static void who_gives_up_meanwhile_is_not_sent_again(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct scene s;
        start(&s, true);
        s.f.taken = before ? give_up_and_bounce : bounce;
        s.bounced = before ? NULL : give_up;
        assert_int_equal(make_call(&s, NULL), STINT_OK);
        stint__vclock_advance(STINT_MS(1)); /* the timer's thread tells of it */
        check_end(&s, STINT_CANCELLED);
        fake_ready(&s.f);
        assert_int_equal(s.f.submits, 1);
        finish(&s);
    }
}

static void come_back_for_nothing(struct scene *s)
{
    fake_ready(&s->f);
    give_up(s);
    s->f.mute = true;
}

/* There is a connection, and it goes out: then the server is told that nobody waits. */
static void who_gives_up_too_late_is_abandoned(void **state)
{
    (void)state;
    struct scene s;
    start(&s, true);
    s.f.taken = bounce;
    s.bounced = come_back_for_nothing;
    assert_int_equal(make_call(&s, NULL), STINT_OK);
    stint__vclock_advance(STINT_MS(1));
    check_end(&s, STINT_CANCELLED);
    assert_int_equal(s.f.submits, 2);
    assert_int_equal(atomic_load(&s.f.abandons), 1);
    fake_reply(&s.f); /* too late as well */
    assert_int_equal(fake_stats(&s.f).late_replies, 1);
    check_end(&s, STINT_CANCELLED);
    finish(&s);
}

static void begin_to_close(struct scene *s)
{
    atomic_store(&s->f.ch->closing, true);
}

static void a_channel_being_closed_keeps_nothing_back(void **state)
{
    (void)state;
    struct scene s;
    stint_error err;
    start(&s, true);
    s.f.taken = bounce;
    s.bounced = begin_to_close;
    assert_int_equal(make_call(&s, &err), STINT_CANCELLED);
    assert_int_equal(err.reason, STINT_REASON_CHANNEL_CLOSED);
    assert_true(err.not_executed);
    assert_int_equal(event_count(&s.o.event), 0);
    finish(&s);
}

/* It had waited, and comes first again. */
static void it_stays_the_first_of_those_that_wait(void **state)
{
    (void)state;
    struct scene s;
    start(&s, true);
    s.f.refusal = STINT_REASON_NOT_CONNECTED;
    assert_int_equal(make_call(&s, NULL), STINT_OK);
    assert_int_equal(make_call(&s, NULL), STINT_OK);
    s.f.refusal = STINT_REASON_NONE;
    s.f.taken = bounce;
    fake_ready(&s.f);
    assert_int_equal(s.f.submits, 1);
    fake_ready(&s.f);
    assert_int_equal(s.f.submits, 3);
    assert_int_equal(s.f.call_ids[1], s.f.call_ids[0]);
    assert_true(s.f.call_ids[2] > s.f.call_ids[1]);
    assert_int_equal(event_count(&s.o.event), 2);
    finish(&s);
}

/* ---- the same, in two or three threads, as it happens ---- */

static void hand_over(struct fake_peer *f)
{
    f->taken = NULL;
    event_raise(&((struct scene *)f)->handed_over);
}

/* The transport's thread: loses each call's first request while its submit returns. */
static void *lose_all(void *arg)
{
    struct scene *s = arg;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        event_wait_ms(&s->handed_over, i, patience_ms());
        fake_lose(&s->f, true);
        fake_ready(&s->f);
        event_raise(&s->lost);
    }
    return NULL;
}

static void *cancel_all(void *arg)
{
    struct scene *s = arg;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        event_wait_ms(&s->handed_over, i, patience_ms());
        if (s->cancels)
            stint_ctx_cancel(s->ctx, STINT_CANCELLED, "given up");
        event_raise(&s->cancelled);
    }
    return NULL;
}

static void race(bool cancels)
{
    struct scene s;
    pthread_t loser, canceller;
    start(&s, true);
    s.cancels = cancels;
    event_init(&s.handed_over);
    event_init(&s.lost);
    event_init(&s.cancelled);
    stint_ctx *base = s.ctx;
    assert_int_equal(pthread_create(&loser, NULL, lose_all, &s), 0);
    assert_int_equal(pthread_create(&canceller, NULL, cancel_all, &s), 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        s.ctx = stint_ctx_with_cancel(base);
        s.f.submits = 0;
        s.f.taken = hand_over;
        assert_int_equal(make_call(&s, NULL), STINT_OK);
        event_wait(&s.lost, i);
        event_wait(&s.cancelled, i);
        stint__vclock_advance(STINT_MS(1));
        assert_int_equal(event_count(&s.o.event), i);
        if (!cancels || s.o.err.code != STINT_CANCELLED)
            assert_int_equal(s.o.err.code, STINT_OK);
        assert_in_range(s.f.submits, cancels ? 1 : 2, 2);
        stint_ctx_drop(s.ctx);
    }
    pthread_join(loser, NULL);
    pthread_join(canceller, NULL);
    s.ctx = base;
    assert_int_equal(fake_stats(&s.f).connection_lost, 0);
    assert_int_equal(atomic_load(&s.f.ch->refs), 1);
    event_fini(&s.handed_over);
    event_fini(&s.lost);
    event_fini(&s.cancelled);
    finish(&s);
}

static void whichever_thread_comes_first(void **state)
{
    (void)state;
    race(false);
}

static void and_a_third_one_that_cancels(void **state)
{
    (void)state;
    race(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_over_the_next_connection),
        cmocka_unit_test(a_connection_that_is_there_already_is_not_missed),
        cmocka_unit_test(it_may_happen_again),
        cmocka_unit_test(it_fails_if_it_may_not_wait),
        cmocka_unit_test(what_may_have_been_executed_is_never_sent_again),
        cmocka_unit_test(who_gives_up_meanwhile_is_not_sent_again),
        cmocka_unit_test(who_gives_up_too_late_is_abandoned),
        cmocka_unit_test(a_channel_being_closed_keeps_nothing_back),
        cmocka_unit_test(it_stays_the_first_of_those_that_wait),
        cmocka_unit_test(whichever_thread_comes_first),
        cmocka_unit_test(and_a_third_one_that_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
