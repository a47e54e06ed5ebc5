/* criticality_test.c - how critical a request is, through a chain of two servers: what the first
 * caller says arrives at the last handler, and no service on the way makes more of it. */
#include "probe.h"
#include "unit.h"

/* A service that calls another one under a level of its own choice. */
struct hop {
    struct probe p;
    stint_channel *next; /* NULL: the last one */
    stint_criticality wanted;
    atomic_int seen;
};

static stint_code serve(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct hop *h = self;
    (void)rep;
    atomic_store(&h->seen, (int)stint_ctx_criticality(ctx));
    if (h->next == NULL)
        return STINT_OK;
    STINT_AUTO_CTX below = stint_ctx_with_criticality(ctx, h->wanted);
    Probe__V1__Reply *got;
    stint_error err;
    if (probe_v1_probe_work(below, h->next, req, &got, &err) != STINT_OK)
        return stint_call_fail_from(call, &err);
    probe_free(got);
    return STINT_OK;
}

static const probe_v1_probe_ops ops = {.work = serve};

static void start(struct hop *h, const char *url)
{
    probe_init(&h->p);
    h->p.ops = &ops;
    h->p.self = h;
    probe_start(&h->p, url);
}

/* Two services, the first of which calls the second under `wanted`. */
struct chain {
    struct hop first, last;
};

static void chain_start(struct chain *c, stint_criticality wanted)
{
    *c = (struct chain){.first.wanted = wanted};
    start(&c->first, "mem://first");
    start(&c->last, "mem://last");
    c->first.next = c->last.p.ch;
}

static void chain_stop(struct chain *c)
{
    stint_channel_close(c->last.p.ch); /* what the first holds is no leak of the last's */
    stint_server_free(c->last.p.server);
    event_fini(&c->last.p.entered);
    event_fini(&c->last.p.left);
    event_fini(&c->last.p.gate);
    event_fini(&c->last.p.ticket_there);
    probe_stop(&c->first.p);
}

static void call_at(struct chain *c, stint_criticality level)
{
    stint_ctx *ctx = stint_ctx_with_criticality(stint_ctx_background(), level);
    probe_free(probe_call(&c->first.p, probe_v1_probe_work, ctx, NULL, STINT_OK, NULL));
    stint_ctx_drop(ctx);
}

static void each_level_arrives_at_the_last_handler(void **state)
{
    (void)state;
    struct chain c;
    chain_start(&c, STINT_CRITICALITY_UNSET);
    for (int level = STINT_CRITICALITY_SHEDDABLE; level <= STINT_CRITICALITY_CRITICAL_PLUS;
         level++) {
        call_at(&c, (stint_criticality)level);
        assert_int_equal(atomic_load(&c.first.seen), level);
        assert_int_equal(atomic_load(&c.last.seen), level);
    }
    chain_stop(&c);
}

static void what_is_not_said_is_critical_and_no_hop_makes_it_more(void **state)
{
    (void)state;
    struct chain c;
    chain_start(&c, STINT_CRITICALITY_CRITICAL_PLUS);
    call_at(&c, STINT_CRITICALITY_UNSET);
    assert_int_equal(atomic_load(&c.first.seen), STINT_CRITICALITY_CRITICAL);
    assert_int_equal(atomic_load(&c.last.seen), STINT_CRITICALITY_CRITICAL);
    call_at(&c, STINT_CRITICALITY_SHEDDABLE);
    assert_int_equal(atomic_load(&c.last.seen), STINT_CRITICALITY_SHEDDABLE);
    chain_stop(&c);
}

static void a_hop_may_make_less_of_it(void **state)
{
    (void)state;
    struct chain c;
    chain_start(&c, STINT_CRITICALITY_SHEDDABLE_PLUS);
    call_at(&c, STINT_CRITICALITY_CRITICAL_PLUS);
    assert_int_equal(atomic_load(&c.first.seen), STINT_CRITICALITY_CRITICAL_PLUS);
    assert_int_equal(atomic_load(&c.last.seen), STINT_CRITICALITY_SHEDDABLE_PLUS);
    chain_stop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_arrives_at_the_last_handler),
        cmocka_unit_test(what_is_not_said_is_critical_and_no_hop_makes_it_more),
        cmocka_unit_test(a_hop_may_make_less_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
