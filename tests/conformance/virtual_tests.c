/* virtual_tests.c - the transport over the simulated network, under the virtual clock: delay,
 * jitter, loss and partitions, without a thread and without waiting. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "net.h"

#define DELAY     STINT_MS(40)
#define HEARTBEAT STINT_SECONDS(1)
#define CALLS     100

static const stint_duration no_heartbeat = 0;

static int set_up(void **state)
{
    (void)state;
    stint__vclock_install((stint_time){STINT_SECONDS(1000)});
    stint__mem_reset();
    stint__mem_set_seed(7);
    monitor_use_virtual_clock(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_options.heartbeat = no_heartbeat;
    stint__mem_reset();
    stint__vclock_advance(STINT_SECONDS(10));
    size_t armed = stint__timer_count();
    monitor_use_virtual_clock(false);
    stint__vclock_uninstall();
    return armed == 0 ? 0 : -1;
}

/* Closing waits for callbacks that are under way; here nobody else could run them. */
static void close_both(struct client *c, struct server *s)
{
    client_close(c);
    server_close(s);
}

static void a_call_takes_the_delay_there_and_back(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.delay = DELAY};
    struct server s;
    struct client c;
    stint__mem_set_faults(NULL, &f);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    stint_time begin = stint_now();
    check_echo(&c, "x", 1);
    assert_int_equal(stint_time_sub(stint_now(), begin), 2 * DELAY);
    close_both(&c, &s);
}

static void jitter_reorders_nothing_within_a_connection(void **state)
{
    (void)state;
    static struct call calls[CALLS];
    struct stint__mem_faults f = {.delay = STINT_MS(1), .jitter = DELAY, .window = 64};
    struct server s;
    struct client c;
    stint__mem_set_faults(NULL, &f);
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    for (uint32_t i = 0; i < CALLS; i++)
        call_begin(&calls[i], &c, &i, sizeof i);
    AWAIT(s.n_held == CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        assert_memory_equal(s.held[i].payload, &i, sizeof i);
        assert_int_equal(server_reply(&s, i), STINT_OK);
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        AWAIT(call_ended(&calls[i]));
        assert_int_equal(calls[i].replies, 1);
        assert_memory_equal(calls[i].payload, &i, sizeof i);
        call_free(&calls[i]);
    }
    close_both(&c, &s);
}

static void a_cut_loses_what_is_in_flight_and_the_client_comes_back(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.delay = DELAY};
    struct server s;
    struct client c;
    struct call k;
    stint__mem_set_faults(NULL, &f);
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    call_begin(&k, &c, "x", 1);
    AWAIT(s.n_held == 1);
    stint__mem_cut(NULL);
    AWAIT(call_ended(&k));
    assert_int_equal(k.losts, 1);
    assert_int_equal(k.error.reason, STINT_REASON_CONNECTION_LOST);
    AWAIT(c.down == 1 && s.closed == 1);
    stint_time lost = stint_now();
    AWAIT(c.ready == 2);
    /* The first retry starts within 20 ms, and connecting takes two round trips at most. */
    assert_true(stint_time_sub(stint_now(), lost) <= STINT_MS(20) + 4 * DELAY);
    close_both(&c, &s);
}

static void a_short_partition_only_delays(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.delay = DELAY};
    struct server s;
    struct client c;
    struct call k;
    test_options.heartbeat = HEARTBEAT;
    stint__mem_set_faults(NULL, &f);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    check_echo(&c, "before", 6);
    f.partitioned = true;
    stint__mem_set_faults(NULL, &f);
    call_begin(&k, &c, "x", 1);
    stint__vclock_advance(HEARTBEAT / 2);
    assert_false(call_ended(&k));
    f.partitioned = false;
    stint__mem_set_faults(NULL, &f);
    AWAIT(call_ended(&k));
    assert_int_equal(k.replies, 1);
    assert_int_equal(c.down, 0);
    call_free(&k);
    close_both(&c, &s);
}

/* Nobody is told of a partition: only heartbeats find out. */
static void a_long_partition_is_found_by_heartbeats(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.delay = STINT_MS(1)};
    struct server s;
    struct client c;
    struct call k;
    test_options.heartbeat = HEARTBEAT;
    stint__mem_set_faults(NULL, &f);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    check_echo(&c, "x", 1); /* by now both know that the other understands PING */
    s.behaviour = HOLD;
    call_begin(&k, &c, "x", 1);
    AWAIT(s.n_held == 1);
    f.partitioned = true;
    stint__mem_set_faults(NULL, &f);
    stint_time begin = stint_now();
    AWAIT(call_ended(&k));
    assert_int_equal(k.losts, 1);
    assert_true(stint_time_sub(stint_now(), begin) <= 3 * HEARTBEAT);
    f.partitioned = false;
    stint__mem_set_faults(NULL, &f);
    AWAIT(c.ready >= 2);
    AWAIT(s.closed >= 1);
    s.behaviour = ECHO;
    await_echo(&c);
    close_both(&c, &s);
}

static void a_refused_client_tries_until_it_is_let_in(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.refuse = true};
    struct server s;
    struct client c;
    server_open(&s, NULL, ECHO);
    stint__mem_set_faults(NULL, &f);
    client_open(&c, s.url);
    AWAIT(c.down >= 5);
    assert_int_equal(c.ready, 0);
    assert_non_null(strstr(c.last_down.message, "refused"));
    stint__mem_reset();
    AWAIT(c.ready == 1);
    check_echo(&c, "x", 1);
    close_both(&c, &s);
}

/* Every write may break the connection: every call still ends once, and what was answered is right.
 * Returns how many were answered. */
static unsigned run_through_cuts(uint64_t seed)
{
    static struct call calls[CALLS];
    struct stint__mem_faults f = {.delay = STINT_MS(1), .jitter = STINT_MS(3), .cut_ppm = 50000};
    struct server s;
    struct client c;
    unsigned answered = 0;
    stint__mem_set_seed(seed);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    stint__mem_set_faults(NULL, &f);
    for (uint32_t i = 0; i < CALLS; i++) {
        AWAIT(c.up);
        if (call_start(&calls[i], &c, &i, sizeof i, NULL) != STINT_OK)
            continue;
        AWAIT(call_ended(&calls[i]));
        assert_int_equal(calls[i].replies + calls[i].losts, 1);
        if (calls[i].replies == 1)
            assert_memory_equal(calls[i].payload, &i, sizeof i);
        answered += calls[i].replies;
        call_free(&calls[i]);
    }
    close_both(&c, &s);
    return answered;
}

static void calls_survive_a_network_that_keeps_breaking(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        unsigned answered = run_through_cuts(seed);
        assert_true(answered > CALLS / 2);
        assert_true(answered < CALLS);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_takes_the_delay_there_and_back),
        TEST(jitter_reorders_nothing_within_a_connection),
        TEST(a_cut_loses_what_is_in_flight_and_the_client_comes_back),
        TEST(a_short_partition_only_delays),
        TEST(a_long_partition_is_found_by_heartbeats),
        TEST(a_refused_client_tries_until_it_is_let_in),
        TEST(calls_survive_a_network_that_keeps_breaking),
    };
    scheme = scheme_find("mem");
    return cmocka_run_group_tests_name("virtual", tests, NULL, NULL);
}
