/* goaway_test.c - a channel whose server is draining: a rolling restart. */
#include "cluster.h"
#include "probe.h"
#include "unit.h"

/* A server that has one call to finish, and has told its clients to go elsewhere. */
static void start_draining(struct probe *p, const char *url, struct outcome *slow)
{
    Probe__V1__Request gated = PROBE__V1__REQUEST__INIT;
    gated.gated = true;
    probe_init(p);
    probe_start(p, url);
    outcome_init(slow);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), p->ch, &gated, probe_done, slow, NULL),
        STINT_OK);
    event_wait(&p->entered, 1);
    stint_ctx *at_once = stint_ctx_with_timeout(stint_ctx_background(), 0);
    assert_int_equal(stint_server_drain(p->server, at_once, NULL), STINT_DEADLINE_EXCEEDED);
    stint_ctx_drop(at_once);
}

/* What was in flight is finished all the same. */
static void finish(struct probe *p, struct outcome *slow)
{
    assert_int_equal(event_count(&slow->event), 0);
    event_raise(&p->gate);
    event_wait(&slow->event, 1);
    assert_int_equal(slow->err.code, STINT_OK);
    outcome_fini(slow);
    probe_stop(p);
}

static void the_successor_serves_while_the_old_server_finishes(struct cluster *c)
{
    struct probe p;
    struct probe next;
    struct outcome slow;
    stint_channel_stats stats = {.size = sizeof stats};
    const char *url = cluster_ipc_url(c, "s");
    start_draining(&p, url, &slow);
    probe_init(&next);
    probe_start(&next, url);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20));
    do { /* GOAWAY may be under way still */
        assert_int_equal(stint_channel_wait_ready(ctx, p.ch, NULL), STINT_OK);
        assert_int_equal(stint_ctx_err(ctx), STINT_OK);
        stint_channel_stats_get(p.ch, &stats);
    } while (stats.connects < 2);
    probe_free(probe_call(&p, probe_v1_probe_quick, ctx, NULL, STINT_OK, NULL));
    assert_int_equal(atomic_load(&next.executed), 1);
    stint_ctx_drop(ctx);
    stint_channel_close(next.ch); /* no probe_stop: what p holds is no leak of this one's */
    stint_server_free(next.server);
    event_fini(&next.entered);
    event_fini(&next.left);
    event_fini(&next.gate);
    event_fini(&next.ticket_there);
    finish(&p, &slow);
}

static void without_a_successor_calls_are_refused_unexecuted(struct cluster *c)
{
    struct probe p;
    struct outcome slow;
    stint_error err;
    start_draining(&p, cluster_ipc_url(c, "s"), &slow);
    for (int i = 0; i < 20; i++) {
        probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), NULL, STINT_UNAVAILABLE, &err);
        assert_true(err.not_executed);
    }
    assert_int_equal(atomic_load(&p.executed), 0);
    finish(&p, &slow);
}

static void closing_the_channel_ends_calls_on_the_old_connection(struct cluster *c)
{
    struct probe p;
    struct outcome slow;
    stint_error err;
    start_draining(&p, cluster_ipc_url(c, "s"), &slow);
    do /* until GOAWAY has come */
        probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), NULL, STINT_UNAVAILABLE, &err);
    while (err.reason != STINT_REASON_NOT_CONNECTED);
    stint_channel_close(p.ch);
    p.ch = NULL;
    assert_int_equal(event_count(&slow.event), 1);
    assert_int_equal(slow.err.code, STINT_CANCELLED);
    assert_int_equal(slow.err.reason, STINT_REASON_CHANNEL_CLOSED);
    outcome_fini(&slow);
    probe_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(the_successor_serves_while_the_old_server_finishes),
        CLUSTER_TEST(without_a_successor_calls_are_refused_unexecuted),
        CLUSTER_TEST(closing_the_channel_ends_calls_on_the_old_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
