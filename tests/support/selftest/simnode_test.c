/* simnode_test.c - simulated nodes: what a call costs in virtual time is exact, on any machine. */
#include "simnode.h"

#include <stdatomic.h>

#include "event.h"
#include "probe/v1/probe.stint.h"

#define DELAY   STINT_MS(30) /* one way, to and from the back */
#define RESERVE STINT_MS(1)  /* what the front keeps back for its reply, of 50 ms and more */

/* The front's handler calls the back with what it has left. */
struct front {
    stint_channel *back;
};

static stint_code front_work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                             Probe__V1__Reply *rep, stint_call *call)
{
    const struct front *front = self;
    stint_error err;
    Probe__V1__Reply *from_back = NULL;
    if (probe_v1_probe_work(ctx, front->back, req, &from_back, &err) != STINT_OK)
        return stint_call_fail_from(call, &err);
    rep->remaining_ns = from_back->remaining_ns;
    rep->hop = from_back->hop;
    probe__v1__reply__free_unpacked(from_back, NULL);
    return STINT_OK;
}

struct back {
    stint_duration work;        /* how long its handler takes */
    struct event ended;         /* a handler did */
    _Atomic(stint_code) result; /* of the last one that did */
    atomic_int calls;
};

static stint_code back_work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                            Probe__V1__Reply *rep, stint_call *call)
{
    struct back *back = self;
    (void)req, (void)call;
    atomic_fetch_add(&back->calls, 1);
    rep->remaining_ns = stint_ctx_remaining(ctx);
    rep->hop = stint_ctx_request_info(ctx)->hop;
    stint_code code = stint_ctx_sleep(ctx, back->work);
    atomic_store(&back->result, code);
    event_raise(&back->ended);
    return code;
}

struct chain {
    struct front front;
    struct back back;
    stint_channel *ch; /* to the front */
};

/* Not on a test's stack: the handlers may outlive a test that fails. */
static struct chain chain;

static void chain_start(struct sim *s, stint_duration back_works)
{
    static const probe_v1_probe_ops front_ops = {.work = front_work},
                                    back_ops = {.work = back_work};
    struct chain *c = &chain;
    *c = (struct chain){.back.work = back_works};
    event_init(&c->back.ended);
    struct simnode *front = simnode_new(s, "front", NULL), *back = simnode_new(s, "back", NULL);
    assert_int_equal(probe_v1_probe_register(simnode_server(front), &front_ops, &c->front, NULL),
                     STINT_OK);
    assert_int_equal(probe_v1_probe_register(simnode_server(back), &back_ops, &c->back, NULL),
                     STINT_OK);
    stint__mem_set_faults("back", &(struct stint__mem_faults){.delay = DELAY});
    simnode_start(front);
    simnode_start(back);
    c->front.back = sim_channel(s, "back", NULL);
    c->ch = sim_channel(s, "front", NULL);
}

/* One call down the chain; returns how much virtual time it took. */
static stint_duration call(stint_duration timeout, stint_code expected, stint_error *err)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), timeout);
    stint_duration before = sim_clock_elapsed();
    stint_code code = probe_v1_probe_work(ctx, chain.ch, &req, &rep, err);
    stint_duration took = sim_clock_elapsed() - before;
    stint_ctx_drop(ctx);
    if (code != expected)
        fail_msg("%s after %lld ns: %s", stint_code_name(code), (long long)took, err->message);
    if (rep != NULL) {
        assert_true(rep->remaining_ns > 0);
        assert_true(rep->remaining_ns < timeout);
        assert_int_equal(rep->hop, 2);
        probe__v1__reply__free_unpacked(rep, NULL);
    }
    return took;
}

static void a_call_takes_the_networks_time_and_no_more(struct sim *s)
{
    stint_error err;
    chain_start(s, 0);
    assert_int_equal(call(STINT_MS(100), STINT_OK, &err), 2 * DELAY);
    chain.back.work = STINT_SECONDS(1800);
    assert_int_equal(call(STINT_SECONDS(3000), STINT_OK, &err), 2 * DELAY + chain.back.work);
}

static void a_deadline_ends_a_call_across_a_delay(struct sim *s)
{
    stint_error err;
    chain_start(s, 0);
    assert_int_equal(call(STINT_MS(50), STINT_DEADLINE_EXCEEDED, &err), STINT_MS(50) - RESERVE);
    assert_int_equal(atomic_load(&chain.back.calls), 1); /* it was under way when time was up */
    assert_int_equal(call(2 * DELAY, STINT_DEADLINE_EXCEEDED, &err), 2 * DELAY - RESERVE);
}

static void the_backs_handler_ends_with_its_caller(struct sim *s)
{
    stint_error err;
    chain_start(s, STINT_SECONDS(3600));
    stint_duration start = sim_clock_elapsed();
    assert_int_equal(call(STINT_MS(200), STINT_DEADLINE_EXCEEDED, &err), STINT_MS(200) - RESERVE);
    event_wait(&chain.back.ended, 1);
    assert_int_equal(atomic_load(&chain.back.result), STINT_DEADLINE_EXCEEDED);
    /* It knows its budget only since the request has arrived. */
    assert_true(sim_clock_elapsed() - start <= STINT_MS(200) + DELAY);
}

static void a_partition_is_a_silence_that_heals(struct sim *s)
{
    stint_error err;
    chain_start(s, 0);
    stint__mem_set_faults("back", &(struct stint__mem_faults){.partitioned = true});
    assert_int_equal(call(STINT_SECONDS(2), STINT_DEADLINE_EXCEEDED, &err),
                     STINT_SECONDS(2) - RESERVE);
    stint__mem_set_faults("back", &(struct stint__mem_faults){0});
    assert_int_equal(call(STINT_MS(1), STINT_OK, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(a_call_takes_the_networks_time_and_no_more),
        SIM_TEST(a_deadline_ends_a_call_across_a_delay),
        SIM_TEST(the_backs_handler_ends_with_its_caller),
        SIM_TEST(a_partition_is_a_silence_that_heals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
