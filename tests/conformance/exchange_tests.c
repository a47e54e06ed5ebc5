/* exchange_tests.c - requests and their replies, on a connection that holds. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static void a_request_is_answered(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    check_echo(&c, "hello", 5);
    AWAIT(s.opened == 1 && s.requests == 1);
    client_close(&c);
    AWAIT(s.closed == 1);
    server_close(&s);
}

static void a_thousand_are_answered_each_with_its_own(void **state)
{
    enum { N = 1000 };
    (void)state;
    struct server s;
    struct client c;
    struct call *calls = calloc(N, sizeof *calls);
    unsigned ended = 0;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    for (unsigned i = 0; i < N; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "request %u", i);
        call_begin(&calls[i], &c, text, (size_t)len);
    }
    AWAIT(s.n_held == N);
    for (size_t i = N; i-- > 0;)
        assert_int_equal(server_reply(&s, i), STINT_OK);
    for (unsigned i = 0; i < N; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "request %u", i);
        AWAIT(call_ended(&calls[i]));
        assert_int_equal(calls[i].replies, 1);
        assert_int_equal(calls[i].losts, 0);
        assert_int_equal(calls[i].len, len);
        assert_memory_equal(calls[i].payload, text, calls[i].len);
        ended++;
        call_free(&calls[i]);
    }
    assert_int_equal(ended, N);
    client_close(&c);
    server_close(&s);
    free(calls);
}

static void requests_keep_their_order(void **state)
{
    enum { N = 300 };
    (void)state;
    struct server s;
    struct client c;
    struct call *calls = calloc(N, sizeof *calls);
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    for (uint32_t i = 0; i < N; i++)
        call_begin(&calls[i], &c, &i, sizeof i);
    AWAIT(s.n_held == N);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t seen;
        memcpy(&seen, s.held[i].payload, sizeof seen);
        assert_int_equal(seen, i);
        server_drop(&s, i);
    }
    client_close(&c);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(calls[i].losts, 1);
    server_close(&s);
    free(calls);
}

static void every_size_up_to_the_limit_passes(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 4095, 65536, MAX_MESSAGE - 1, MAX_MESSAGE};
    (void)state;
    struct server s;
    struct client c;
    uint8_t *payload = malloc(MAX_MESSAGE);
    for (size_t i = 0; i < MAX_MESSAGE; i++)
        payload[i] = (uint8_t)(i * 131 >> 3);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_echo(&c, payload, sizes[i]);
    client_close(&c);
    server_close(&s);
    free(payload);
}

static void over_the_limit_is_refused_before_sending(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call k;
    stint_error err = STINT_ERROR_INIT;
    uint8_t *payload = calloc(1, MAX_MESSAGE + 1);
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    assert_int_equal(call_start(&k, &c, payload, MAX_MESSAGE + 1, &err), STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
    assert_non_null(strstr(err.message, "262144"));
    assert_int_equal(call_ended(&k), false);
    /* A reply that is too large is refused as well, and the request can still be answered. */
    call_begin(&k, &c, "x", 1);
    AWAIT(s.n_held == 1);
    struct stint__envelope e = {.kind = STINT__KIND_REPLY,
                                .call_id = k.id,
                                .has_payload = true,
                                .payload = {payload, MAX_MESSAGE + 1}};
    assert_int_equal(stint__conn_reply(s.held[0].conn, &s.held[0].to, &e, &err),
                     STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(server_reply(&s, 0), STINT_OK);
    AWAIT(k.replies == 1);
    call_free(&k);
    client_close(&c);
    server_close(&s);
    free(payload);
}

/* Many large messages at once: the queue is full now and then, and nothing is lost. */
static void large_messages_are_not_lost_under_back_pressure(void **state)
{
    enum { N = 64 };
    (void)state;
    struct server s;
    struct client c;
    struct call *calls = calloc(N, sizeof *calls);
    uint8_t *payload = malloc(MAX_MESSAGE);
    memset(payload, 'x', MAX_MESSAGE);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    for (uint32_t i = 0; i < N; i++) {
        memcpy(payload, &i, sizeof i);
        call_begin(&calls[i], &c, payload, MAX_MESSAGE);
    }
    for (uint32_t i = 0; i < N; i++) {
        uint32_t seen;
        AWAIT(call_ended(&calls[i]));
        assert_int_equal(calls[i].replies, 1);
        assert_int_equal(calls[i].len, MAX_MESSAGE);
        memcpy(&seen, calls[i].payload, sizeof seen);
        assert_int_equal(seen, i);
        call_free(&calls[i]);
    }
    client_close(&c);
    server_close(&s);
    free(payload);
    free(calls);
}

static void clients_do_not_get_each_others_replies(void **state)
{
    enum { CLIENTS = 4, CALLS = 50 };
    (void)state;
    struct server s;
    struct client c[CLIENTS];
    static struct call calls[CLIENTS][CALLS];
    server_open(&s, NULL, ECHO);
    for (size_t i = 0; i < CLIENTS; i++)
        client_connect(&c[i], s.url);
    for (uint32_t k = 0; k < CALLS; k++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            uint32_t payload[] = {i, k};
            call_begin(&calls[i][k], &c[i], payload, sizeof payload);
        }
    }
    for (uint32_t k = 0; k < CALLS; k++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            uint32_t payload[] = {i, k};
            AWAIT(call_ended(&calls[i][k]));
            assert_int_equal(calls[i][k].len, sizeof payload);
            assert_memory_equal(calls[i][k].payload, payload, sizeof payload);
            call_free(&calls[i][k]);
        }
    }
    AWAIT(s.opened == CLIENTS);
    for (size_t i = 0; i < CLIENTS; i++)
        client_close(&c[i]);
    AWAIT(s.closed == CLIENTS);
    server_close(&s);
}

static void an_abandoned_exchange_is_over(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call first;
    struct call second;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    call_begin(&first, &c, "1", 1);
    AWAIT(s.n_held == 1);
    assert_true(stint__peer_abandon(c.peer, &first.x, false));
    memset(&first.x, 0xEE, sizeof first.x); /* the transport must not touch it again */
    (void)server_reply(&s, 0);              /* too late */
    call_begin(&second, &c, "2", 1);
    AWAIT(s.n_held == 2);
    assert_int_equal(server_reply(&s, 1), STINT_OK);
    AWAIT(call_ended(&second));
    assert_int_equal(second.replies, 1);
    assert_memory_equal(second.payload, "2", 1);
    assert_int_equal(first.replies + first.losts, 0);
    /* After its end there is nothing to abandon. */
    assert_false(stint__peer_abandon(c.peer, &second.x, false));
    call_free(&second);
    client_close(&c);
    server_close(&s);
}

/* Replies and abandons race: each exchange ends in exactly one way. */
static void abandoning_races_with_replies(void **state)
{
    enum { N = 500 };
    (void)state;
    struct server s;
    struct client c;
    struct call *calls = calloc(N, sizeof *calls);
    bool *abandoned = calloc(N, sizeof *abandoned);
    server_open(&s, NULL, ECHO);
    client_connect(&c, s.url);
    for (size_t i = 0; i < N; i++) {
        call_begin(&calls[i], &c, "x", 1);
        if (i >= 3)
            abandoned[i - 3] = stint__peer_abandon(c.peer, &calls[i - 3].x, (i & 1) != 0);
    }
    for (size_t i = 0; i < N; i++) {
        if (!abandoned[i])
            AWAIT(call_ended(&calls[i]));
    }
    check_echo(&c, "after", 5);
    client_close(&c);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].replies, abandoned[i] ? 0 : 1);
        assert_int_equal(calls[i].losts, 0);
        call_free(&calls[i]);
    }
    server_close(&s);
    free(abandoned);
    free(calls);
}

static void a_cancel_reaches_the_server_that_can_hear_it(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call k;
    server_open(&s, NULL, HOLD);
    client_connect(&c, s.url);
    call_begin(&k, &c, "x", 1);
    AWAIT(s.n_held == 1);
    assert_true(stint__peer_abandon(c.peer, &k.x, true));
    bool can = (stint__peer_capabilities(c.peer) & STINT__CAN_CANCEL) != 0;
    AWAIT(!can || s.held[0].cancelled);
    /* The connection goes on; where nobody was told, the reply goes nowhere. */
    (void)server_reply(&s, 0);
    call_begin(&k, &c, "y", 1);
    AWAIT(s.n_held == 2);
    assert_int_equal(s.cancels, can ? 1 : 0);
    assert_int_equal(server_reply(&s, 1), STINT_OK);
    AWAIT(k.replies == 1);
    call_free(&k);
    client_close(&c);
    server_close(&s);
}

static void a_dropped_request_gets_no_reply(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call dropped;
    server_open(&s, NULL, DROP);
    client_connect(&c, s.url);
    call_begin(&dropped, &c, "x", 1);
    AWAIT(s.requests == 1);
    monitor_enter();
    s.behaviour = ECHO;
    monitor_leave();
    check_echo(&c, "y", 1);
    assert_int_equal(call_ended(&dropped), false);
    client_close(&c);
    assert_int_equal(dropped.losts, 1);
    assert_int_equal(dropped.error.reason, STINT_REASON_CHANNEL_CLOSED);
    server_close(&s);
}

int run_exchange_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_thousand_are_answered_each_with_its_own),
        cmocka_unit_test(requests_keep_their_order),
        cmocka_unit_test(every_size_up_to_the_limit_passes),
        cmocka_unit_test(over_the_limit_is_refused_before_sending),
        cmocka_unit_test(large_messages_are_not_lost_under_back_pressure),
        cmocka_unit_test(clients_do_not_get_each_others_replies),
        cmocka_unit_test(an_abandoned_exchange_is_over),
        cmocka_unit_test(abandoning_races_with_replies),
        cmocka_unit_test(a_cancel_reaches_the_server_that_can_hear_it),
        cmocka_unit_test(a_dropped_request_gets_no_reply),
    };
    return cmocka_run_group_tests_name("exchanges", tests, NULL, NULL);
}
