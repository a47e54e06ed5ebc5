/* learned_test.c - a channel and a real server in virtual time: the server learns what its method
 * needs, says so in its replies, and calls that have less do not leave the client, until another
 * process serves. */
#include <stdatomic.h>

#include <stint/stint.h>

#include "probe/v1/probe.stint.h"
#include "simnode.h"

#define TAKES   STINT_MS(20)
#define TOO_FEW STINT_MS(10)

static atomic_int executed;

static stint_code work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    (void)self, (void)req, (void)rep, (void)call;
    atomic_fetch_add(&executed, 1);
    return stint_ctx_sleep(ctx, TAKES);
}

static const probe_v1_probe_ops ops = {.work = work};

static struct simnode *start(struct sim *s)
{
    struct simnode *n = simnode_new(s, "slow", NULL);
    assert_int_equal(probe_v1_probe_register(simnode_server(n), &ops, NULL, NULL), STINT_OK);
    simnode_start(n);
    return n;
}

static stint_code call_within(stint_channel *ch, stint_duration left, stint_error *err)
{
    STINT_AUTO_CTX ctx = stint_ctx_with_timeout(stint_ctx_background(), left);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    stint_code code = probe_v1_probe_work(ctx, ch, &req, &rep, err);
    probe__v1__reply__free_unpacked(rep, NULL);
    return code;
}

static void assert_shed(stint_channel *ch)
{
    stint_error err;
    assert_int_equal(call_within(ch, TOO_FEW, &err), STINT_DEADLINE_EXCEEDED);
    assert_int_equal(err.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_int_equal(err.origin, STINT_ORIGIN_LOCAL);
    assert_true(err.not_executed);
}

static stint_channel_stats stats_of(const stint_channel *ch)
{
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(ch, &stats);
    return stats;
}

static void what_the_server_has_learned_saves_the_way(struct sim *s)
{
    stint_error err;
    struct simnode *n = start(s);
    stint_channel *ch = sim_channel(s, "slow", NULL);
    atomic_store(&executed, 0);
    assert_int_equal(call_within(ch, TOO_FEW, &err), STINT_DEADLINE_EXCEEDED);
    assert_int_equal(atomic_load(&executed), 1); /* nobody knew */
    for (int i = 0; i < 20; i++)
        assert_int_equal(call_within(ch, STINT_SECONDS(1), &err), STINT_OK);
    for (int i = 0; i < 50; i++)
        assert_shed(ch);
    assert_int_equal(stats_of(ch).shed, 50);
    stint_server_stats served = {.size = sizeof served};
    stint_server_stats_get(simnode_server(n), &served);
    assert_int_equal(served.requests, 21);

    simnode_stop(n);
    start(s);
    while (stats_of(ch).connects < 2) /* virtual time: until the loss has been seen */
        assert_int_equal(stint_ctx_sleep(stint_ctx_background(), STINT_MS(1)), STINT_OK);
    atomic_store(&executed, 0);
    assert_int_equal(call_within(ch, TOO_FEW, &err), STINT_DEADLINE_EXCEEDED);
    assert_int_equal(atomic_load(&executed), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(what_the_server_has_learned_saves_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
