/* limit_test.c - the concurrency limit in a closed loop: as many calls as it allows wait before
 * some servers, whose number decides what it should come to. */
#include <math.h>

#include "limit.h"
#include "random.h"
#include "unit.h"

#define CALLS_MAX   512
#define SERVERS_MAX 16

/* What the calls go to: `servers` that take them in order. */
struct loop {
    struct stint__limit limit;
    stint_duration now;
    struct call {
        stint_duration began, ends, needed;
    } calls[CALLS_MAX];
    uint32_t inflight;
    unsigned servers;
    stint_duration free_at[SERVERS_MAX];
    stint_duration local;   /* of each call, before it goes below */
    stint_duration service; /* the mean */
    double noise;           /* how far from it, either way: a share */
    uint64_t seed;
};

static void loop_init(struct loop *p, unsigned servers)
{
    *p = (struct loop){.servers = servers, .service = STINT_MS(2)};
    stint__limit_init(&p->limit, 1, 20, 200);
}

static double uniform(struct loop *p)
{
    p->seed += UINT64_C(0x9E3779B97F4A7C15);
    return (double)(stint__mix(p->seed) >> 11) * 0x1p-53;
}

static void begin(struct loop *p)
{
    unsigned first = 0;
    for (unsigned i = 1; i < p->servers; i++)
        if (p->free_at[i] < p->free_at[first])
            first = i;
    double factor = 1 + p->noise * (2 * uniform(p) - 1);
    stint_duration service = (stint_duration)((double)p->service * factor);
    stint_duration arrives = p->now + p->local;
    stint_duration served = p->free_at[first] > arrives ? p->free_at[first] : arrives;
    p->free_at[first] = served + service;
    p->calls[p->inflight++] = (struct call){p->now, served + service, p->local + service};
}

/* Until the next call ends. */
static void step(struct loop *p)
{
    while (p->inflight < stint__limit_get(&p->limit))
        begin(p);
    uint32_t next = 0;
    for (uint32_t i = 1; i < p->inflight; i++)
        if (p->calls[i].ends < p->calls[next].ends)
            next = i;
    struct call c = p->calls[next];
    p->now = c.ends;
    stint__limit_sample(&p->limit, c.ends - c.began, c.needed, p->inflight);
    p->calls[next] = p->calls[--p->inflight];
}

static void run(struct loop *p, int calls)
{
    for (int i = 0; i < calls; i++)
        step(p);
}

static void assert_limit(const struct loop *p, uint32_t least, uint32_t most)
{
    assert_in_range(stint__limit_get(&p->limit), least, most);
}

/* It stays there, and the servers are busy. */
static void assert_settled(struct loop *p, uint32_t least, uint32_t most)
{
    stint_duration since = p->now;
    int calls = 4000;
    for (int i = 0; i < calls; i++) {
        step(p);
        assert_limit(p, least, most);
    }
    double busy = (double)p->service * calls / (double)(p->now - since) / p->servers;
    if (busy < 0.97)
        fail_msg("the servers are busy for %.3f of the time", busy);
}

static void one_server_needs_few_calls(void **state)
{
    (void)state;
    struct loop p;
    loop_init(&p, 1);
    run(&p, 300);
    assert_settled(&p, 1, 2);
}

static void eight_servers_need_eight(void **state)
{
    (void)state;
    struct loop p;
    loop_init(&p, 8);
    stint__limit_init(&p.limit, 1, 1, 200);
    run(&p, 300);
    assert_settled(&p, 8, 14);
}

/* While a call does what it does itself, others can be below. */
static void local_work_makes_room(void **state)
{
    (void)state;
    struct loop p;
    loop_init(&p, 1);
    p.local = 9 * p.service;
    stint__limit_init(&p.limit, 1, 1, 200);
    run(&p, 500);
    assert_settled(&p, 10, 16);
}

static void lost_capacity_is_followed_both_ways(void **state)
{
    (void)state;
    struct loop p;
    loop_init(&p, 8);
    run(&p, 300);
    for (int i = 0; i < 5; i++) {
        assert_settled(&p, 8, 14);
        p.servers = 2;
        run(&p, 200);
        assert_settled(&p, 2, 5);
        p.servers = 8;
        run(&p, 200);
    }
}

/* Large enough to show it if it acted on what it has acted on already. */
static void many_servers_make_it_no_swing(void **state)
{
    (void)state;
    struct loop p;
    loop_init(&p, SERVERS_MAX);
    p.local = 9 * p.service; /* so many as if there were 160 */
    stint__limit_init(&p.limit, 1, 400, 500);
    run(&p, 4000);
    assert_settled(&p, 160, 185);
}

static void noise_does_not_shake_it(void **state)
{
    (void)state;
    struct loop p;
    loop_init(&p, 8);
    p.noise = 0.5;
    run(&p, 300);
    assert_settled(&p, 8, 16);
    loop_init(&p, 1);
    p.noise = 0.5;
    run(&p, 300);
    assert_settled(&p, 1, 4);
}

static void nothing_holds_back_what_waits_for_nobody(void **state)
{
    (void)state;
    struct stint__limit l;
    stint__limit_init(&l, 1, 20, 1000);
    uint32_t before = 20;
    for (int i = 0; i < 100000 && before < 1000; i++) {
        stint__limit_sample(&l, STINT_MS(3), STINT_MS(3), before);
        assert_in_range(stint__limit_get(&l), before, before + before / 2 + 1);
        before = stint__limit_get(&l);
    }
    assert_int_equal(before, 1000);
}

static void short_and_long_calls_do_not_shrink_it(void **state)
{
    (void)state;
    struct stint__limit l;
    stint__limit_init(&l, 1, 20, 1000);
    uint32_t before = 20;
    for (uint64_t i = 0; i < 20000; i++) {
        stint_duration d = stint__mix(i) % 10 == 0 ? STINT_MS(10) : STINT_MS(1);
        stint__limit_sample(&l, d, d, before);
        assert_true(stint__limit_get(&l) >= before);
        before = stint__limit_get(&l);
    }
    assert_true(before > 200);
}

static void it_does_not_grow_unused(void **state)
{
    (void)state;
    struct stint__limit l;
    stint__limit_init(&l, 1, 20, 1000);
    for (int i = 0; i < 10000; i++) {
        stint__limit_sample(&l, STINT_MS(1), STINT_MS(1), 9);
        assert_int_equal(stint__limit_get(&l), 20);
    }
    for (int i = 0; i < 100; i++)
        stint__limit_sample(&l, STINT_MS(1), STINT_MS(1), 10);
    assert_in_range(stint__limit_get(&l), 21, 22); /* a round beyond twice what is used, no more */
}

static void it_comes_down_to_what_is_in_use_once_calls_wait(void **state)
{
    (void)state;
    struct stint__limit l;
    stint__limit_init(&l, 2, 16384, 16384);
    for (int i = 0; i < 100; i++)
        stint__limit_sample(&l, STINT_MS(2), STINT_MS(2), 4);
    assert_int_equal(stint__limit_get(&l), 16384);
    for (int i = 0; i < 8; i++)
        stint__limit_sample(&l, STINT_MS(8), STINT_MS(2), 4);
    assert_in_range(stint__limit_get(&l), 2, 4);
}

static void outliers_take_a_third_of_it_a_round(void **state)
{
    (void)state;
    struct stint__limit l;
    stint__limit_init(&l, 1, 100, 1000);
    for (int i = 0; i < 100; i++)
        stint__limit_sample(&l, STINT_SECONDS(100), 0, 100);
    assert_in_range(stint__limit_get(&l), 60, 70);
    stint__limit_init(&l, 1, 7, 1000);
    for (int i = 0; i < 7; i++) /* not yet a round, however small the limit */
        stint__limit_sample(&l, STINT_SECONDS(100), 0, 7);
    assert_int_equal(stint__limit_get(&l), 7);
}

/* What some calls did not use of what they were said to need is no one else's. */
static void no_call_needs_more_than_it_took(void **state)
{
    (void)state;
    struct stint__limit l;
    stint__limit_init(&l, 1, 10, 1000);
    for (int i = 0; i < 5; i++) {
        stint__limit_sample(&l, STINT_MS(2), STINT_MS(10), 10);
        stint__limit_sample(&l, STINT_MS(10), STINT_MS(2), 10);
    }
    assert_true(fabs(l.ratio - 3) < 1e-9);
    assert_true(stint__limit_get(&l) < 10);
}

static void its_ends_hold_whatever_comes(void **state)
{
    (void)state;
    static const stint_duration odd[] = {0, 1, -1, 1000, INT64_MIN, INT64_MAX, STINT_MS(2)};
    static const uint32_t ends[][3] = {{0, 0, 0}, {1, 1, 1},   {5, 1, 9},          {5, 99, 9},
                                       {9, 7, 5}, {2, 20, 50}, {1, 7, UINT32_MAX}, {3, 0, 4}};
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        struct stint__limit l;
        stint__limit_init(&l, ends[k][0], ends[k][1], ends[k][2]);
        uint32_t least = ends[k][0] > 0 ? ends[k][0] : 1;
        uint32_t most = ends[k][2] > 0 ? ends[k][2] : 1;
        least = least < most ? least : most; /* what a user allows at most is not exceeded */
        for (uint64_t i = 0; i < 20000; i++) {
            assert_true(isfinite(l.limit) && isfinite(l.ratio) && l.ratio >= 1);
            assert_in_range(stint__limit_get(&l), least, most);
            uint64_t z = stint__mix(i + (i / 4000) * 5); /* kinds of streaks, too */
            size_t kind = i / 1000 % 2 != 0 ? i / 1000 : z;
            stint__limit_sample(&l, odd[kind % 7], odd[(kind >> 8) % 7],
                                z % 3 == 0 ? (uint32_t)(z >> 32) : UINT32_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_needs_few_calls),
        cmocka_unit_test(eight_servers_need_eight),
        cmocka_unit_test(local_work_makes_room),
        cmocka_unit_test(lost_capacity_is_followed_both_ways),
        cmocka_unit_test(many_servers_make_it_no_swing),
        cmocka_unit_test(noise_does_not_shake_it),
        cmocka_unit_test(nothing_holds_back_what_waits_for_nobody),
        cmocka_unit_test(short_and_long_calls_do_not_shrink_it),
        cmocka_unit_test(it_does_not_grow_unused),
        cmocka_unit_test(it_comes_down_to_what_is_in_use_once_calls_wait),
        cmocka_unit_test(outliers_take_a_third_of_it_a_round),
        cmocka_unit_test(no_call_needs_more_than_it_took),
        cmocka_unit_test(its_ends_hold_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
