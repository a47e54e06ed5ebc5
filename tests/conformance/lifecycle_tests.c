/* lifecycle_tests.c - connections that come and go, and what is in flight meanwhile. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "leak.h"
#include "net.h"
#include "suite.h"

enum { MANY = 100 };

static void begin_many(struct call *calls, struct client *c)
{
    for (uint32_t i = 0; i < MANY; i++)
        call_begin(&calls[i], c, &i, sizeof i);
}

static bool all_ended(const struct call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!call_ended(&calls[i]))
            return false;
    }
    return true;
}

static void free_many(struct call *calls)
{
    for (size_t i = 0; i < MANY; i++)
        call_free(&calls[i]);
}

static void a_lost_server_ends_every_exchange_once(void **state)
{
    (void)state;
    static struct call calls[MANY];
    struct server s;
    struct client c;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    assert_true(stint__peer_capabilities(c.peer) & STINT__CAN_SEE_LOSS);
    begin_many(calls, &c);
    AWAIT(s.n_held == MANY);
    server_close(&s);
    AWAIT(c.down >= 1);
    assert_int_equal(c.outstanding_at_down, 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(calls[i].losts, 1);
        assert_int_equal(calls[i].replies, 0);
        assert_int_equal(calls[i].error.code, STINT_UNAVAILABLE);
        assert_int_equal(calls[i].error.reason, STINT_REASON_CONNECTION_LOST);
        assert_int_equal(calls[i].error.origin, STINT_ORIGIN_LOCAL);
        assert_false(calls[i].error.not_executed);
    }
    client_close(&c);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(calls[i].losts + calls[i].replies, 1);
}

static void a_lost_client_is_told_and_replies_to_it_are_refused(void **state)
{
    (void)state;
    static struct call calls[MANY];
    struct server s;
    struct client c;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    begin_many(calls, &c);
    AWAIT(s.n_held == MANY);
    client_close(&c);
    AWAIT(s.closed == 1);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(server_reply(&s, i), STINT_UNAVAILABLE);
    /* Nothing that the lost requests occupied is missing now. */
    monitor_enter();
    s.behaviour = ECHO;
    monitor_leave();
    client_connect(&c, s.url);
    check_echo(&c, "again", 5);
    client_close(&c);
    server_close(&s);
}

static void a_connection_outlives_its_acceptor_for_who_refers_to_it(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call k;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    call_begin(&k, &c, "x", 1);
    AWAIT(s.n_held == 1);
    struct held h = s.held[0];
    stint__conn_ref(h.conn);
    server_close(&s);
    struct stint__envelope e = {.kind = STINT__KIND_REPLY, .call_id = h.call_id};
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__conn_reply(h.conn, &h.to, &e, &err), STINT_UNAVAILABLE);
    assert_int_not_equal(strlen(err.message), 0);
    assert_int_not_equal(strlen(stint__conn_peer(h.conn)), 0);
    stint__conn_drop(h.conn, &h.to);
    stint__conn_unref(h.conn);
    client_close(&c);
    assert_int_equal(k.losts, 1);
}

static void a_client_comes_back_to_a_restarted_server(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    char url[URL_SIZE];
    server_open(&s, NULL, ECHO);
    memcpy(url, s.url, sizeof url);
    client_connect(&c, url);
    for (unsigned round = 1; round <= 5; round++) {
        await_echo(&c);
        monitor_enter();
        unsigned down = c.down;
        monitor_leave();
        server_close(&s);
        AWAIT(c.down > down);
        assert_int_equal(c.last_down.code, STINT_UNAVAILABLE);
        server_open(&s, url, ECHO);
    }
    await_echo(&c);
    client_close(&c);
    server_close(&s);
}

static void without_a_server_submitting_fails_at_once(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call k;
    char url[URL_SIZE];
    stint_error err = STINT_ERROR_INIT;
    server_open(&s, NULL, ECHO);
    memcpy(url, s.url, sizeof url);
    server_close(&s);
    client_open(&c, url);
    assert_int_equal(call_start(&k, &c, "x", 1, &err), STINT_UNAVAILABLE);
    assert_int_equal(err.reason, STINT_REASON_NOT_CONNECTED);
    assert_true(err.not_executed);
    AWAIT(c.down >= 1);
    assert_int_equal(c.last_down.code, STINT_UNAVAILABLE);
    assert_non_null(strstr(c.last_down.message, url));
    assert_int_equal(call_start(&k, &c, "x", 1, &err), STINT_UNAVAILABLE);
    server_open(&s, url, ECHO);
    AWAIT(c.ready >= 1);
    check_echo(&c, "x", 1);
    client_close(&c);
    server_close(&s);
}

static void closing_a_client_loses_what_is_in_flight(void **state)
{
    (void)state;
    static struct call calls[MANY];
    struct server s;
    struct client c;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    begin_many(calls, &c);
    AWAIT(s.n_held == MANY);
    client_close(&c);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(calls[i].losts, 1);
        assert_int_equal(calls[i].replies, 0);
        assert_int_equal(calls[i].error.code, STINT_UNAVAILABLE);
        assert_int_equal(calls[i].error.reason, STINT_REASON_CHANNEL_CLOSED);
    }
    server_close(&s);
}

/* Clients that can be told go elsewhere, and nobody new is let in. */
static void check_told_to_leave(struct server *s, struct client *c)
{
    struct client late;
    struct call k;
    stint_error err = STINT_ERROR_INIT;
    AWAIT(c->goaway == 1);
    assert_int_equal(call_start(&k, c, "2", 1, &err), STINT_UNAVAILABLE);
    assert_true(err.not_executed);
    client_open(&late, s->url);
    AWAIT(late.down >= 1);
    assert_int_equal(s->opened, 1);
    client_close(&late);
}

/* Nobody can know, so everybody is served. */
static void check_served_still(struct server *s)
{
    struct client late;
    struct call k;
    client_connect(&late, s->url);
    call_begin(&k, &late, "2", 1);
    AWAIT(s->n_held == 2);
    assert_int_equal(server_reply(s, 1), STINT_OK);
    AWAIT(k.replies == 1);
    call_free(&k);
    client_close(&late);
}

static void draining_finishes_what_is_in_flight(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call k;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    call_begin(&k, &c, "1", 1);
    AWAIT(s.n_held == 1);
    stint__acceptor_drain(s.acceptor);
    bool can = (stint__acceptor_capabilities(s.acceptor) & STINT__CAN_GOAWAY) != 0;
    if (can)
        check_told_to_leave(&s, &c);
    else
        check_served_still(&s);
    assert_int_equal(server_reply(&s, 0), STINT_OK);
    AWAIT(k.replies == 1);
    call_free(&k);
    AWAIT(!can || c.down >= 1); /* with nothing left in flight it is closed */
    client_close(&c);
    server_close(&s);
}

static void on_flushed(void *arg)
{
    monitor_enter();
    *(unsigned *)arg += 1;
    monitor_changed();
    monitor_leave();
}

static void what_was_flushed_arrives_although_the_server_closes(void **state)
{
    (void)state;
    static struct call calls[MANY];
    struct server s;
    struct client c;
    unsigned flushed = 0;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    stint__acceptor_flush(s.acceptor, on_flushed, &flushed);
    AWAIT(flushed == 1); /* nothing to wait for */
    begin_many(calls, &c);
    AWAIT(s.n_held == MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(server_reply(&s, i), STINT_OK);
    stint__acceptor_flush(s.acceptor, on_flushed, &flushed);
    AWAIT(flushed == 2);
    server_close(&s);
    AWAIT(all_ended(calls, MANY));
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(calls[i].replies, 1);
    free_many(calls);
    client_close(&c);
}

static void counters_tell_what_happened(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct client d;
    char url[URL_SIZE];
    server_open(&s, NULL, ECHO);
    memcpy(url, s.url, sizeof url);
    client_connect(&c, url);
    client_connect(&d, url);
    check_echo(&c, "x", 1);
    check_echo(&d, "x", 1);
    struct stint__transport_stats stats = server_stats(&s);
    assert_int_equal(stats.connects, 2);
    assert_int_equal(stats.open, 2);
    assert_int_equal(stats.disconnects, 0);
    client_close(&d);
    AWAIT(s.closed == 1);
    stats = server_stats(&s);
    assert_int_equal(stats.open, 1);
    assert_int_equal(stats.disconnects, 1);
    assert_int_equal(client_stats(&c).connects, 1);
    assert_int_equal(client_stats(&c).open, 1);
    server_close(&s);
    AWAIT(c.down >= 1);
    assert_int_equal(client_stats(&c).disconnects, 1);
    assert_int_equal(client_stats(&c).open, 0);
    client_close(&c);
}

static void use_and_close(void)
{
    struct server s;
    struct client c;
    struct call k;
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    check_echo(&c, "x", 1);
    monitor_enter();
    s.behaviour = HOLD;
    monitor_leave();
    call_begin(&k, &c, "y", 1);
    AWAIT(s.n_held == 1);
    client_close(&c);
    server_close(&s);
    call_free(&k);
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    use_and_close();
    stint__net_quiesce();
    struct leaks before = leaks_look();
    for (int i = 0; i < 20; i++)
        use_and_close();
    stint__net_quiesce();
    leaks_check(&before);
}

int run_lifecycle_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_server_ends_every_exchange_once),
        cmocka_unit_test(a_lost_client_is_told_and_replies_to_it_are_refused),
        cmocka_unit_test(a_connection_outlives_its_acceptor_for_who_refers_to_it),
        cmocka_unit_test(a_client_comes_back_to_a_restarted_server),
        cmocka_unit_test(without_a_server_submitting_fails_at_once),
        cmocka_unit_test(closing_a_client_loses_what_is_in_flight),
        cmocka_unit_test(draining_finishes_what_is_in_flight),
        cmocka_unit_test(what_was_flushed_arrives_although_the_server_closes),
        cmocka_unit_test(counters_tell_what_happened),
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
