/* refusal_tests.c - bytes that are no envelopes, and addresses that cannot be used. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "raw.h"
#include "suite.h"

static size_t encode(const struct stint__envelope *e, uint8_t out[256])
{
    size_t len = stint__envelope_header_size(e);
    assert_true(len <= 256);
    stint__envelope_encode_header(e, out);
    return len;
}

/* Sends a request with this body beside a good client: only its own connection is closed. */
static void check_closed_for(const void *body, size_t len)
{
    struct server s;
    struct client good;
    struct raw_client bad;
    server_open(&s, NULL, ECHO);
    client_connect(&good, s.url);
    check_echo(&good, "before", 6);
    raw_open(&bad, s.url);
    raw_send(&bad, body, len);
    AWAIT(bad.closed >= 1);
    AWAIT(s.closed >= 1);
    AWAIT(s.log_lines >= 1);
    assert_int_equal(server_stats(&s).malformed, 1);
    check_echo(&good, "after", 5);
    assert_int_equal(good.down, 0);
    raw_close(&bad);
    client_close(&good);
    server_close(&s);
}

static void a_body_that_does_not_decode_closes_its_connection(void **state)
{
    static const uint8_t garbage[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x02};
    (void)state;
    check_closed_for(garbage, sizeof garbage);
}

static void a_reply_where_a_request_belongs_closes_its_connection(void **state)
{
    (void)state;
    uint8_t body[256];
    struct stint__envelope e = {.kind = STINT__KIND_REPLY, .call_id = 1};
    check_closed_for(body, encode(&e, body));
}

/* A server that answers with garbage costs its caller the connection, and the call is over. */
static void a_malformed_reply_ends_its_exchange(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    struct call k;
    struct raw_server bad;
    char url[URL_SIZE];
    server_open(&s, NULL, ECHO); /* for an address that is free */
    memcpy(url, s.url, sizeof url);
    server_close(&s);
    raw_server_open(&bad, url);
    client_open(&c, url);
    raw_server_accept(&bad);
    AWAIT(c.ready > 0);
    call_begin(&k, &c, "x", 1);
    raw_server_answer(&bad, "\377\377\377", 3);
    AWAIT(k.losts == 1);
    assert_int_equal(k.error.code, STINT_UNAVAILABLE);
    assert_false(k.error.not_executed);
    AWAIT(c.down >= 1);
    assert_int_equal(client_stats(&c).malformed, 1);
    raw_server_accept(&bad); /* so that nothing is under way when it ends */
    AWAIT(c.ready >= 2);
    client_close(&c);
    raw_server_close(&bad);
}

static void an_address_in_use_is_said_to_be(void **state)
{
    (void)state;
    struct server s;
    struct stint__acceptor *second = NULL;
    struct stint__acceptor_events none = {0};
    stint_error err = STINT_ERROR_INIT;
    server_open(&s, NULL, ECHO);
    assert_int_equal(stint__acceptor_open(&second, s.url, &test_options, &none, &err),
                     STINT_ALREADY_EXISTS);
    assert_null(second);
    assert_non_null(strstr(err.message, s.url));
    server_close(&s);
}

static void check_bad_url(const char *url)
{
    struct stint__acceptor *a = NULL;
    struct stint__peer *p = NULL;
    struct stint__acceptor_events none = {0};
    struct stint__peer_events nothing = {0};
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__acceptor_open(&a, url, &test_options, &none, &err),
                     STINT_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, url));
    assert_null(a);
    assert_int_equal(stint__peer_open(&p, url, &test_options, &nothing, &err),
                     STINT_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, url));
    assert_null(p);
}

static void bad_urls_are_refused(void **state)
{
    (void)state;
    check_bad_url("gopher://example");
    check_bad_url("no url at all");
    if (scheme->bad_url != NULL)
        check_bad_url(scheme->bad_url);
}

static void capabilities_are_what_the_scheme_can_do(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    server_open(&s, NULL, ECHO);
    unsigned can = stint__acceptor_capabilities(s.acceptor);
    assert_int_equal(can, scheme->acceptor_can);
    if (can & STINT__CAN_PORT_ZERO) {
        assert_null(strstr(s.url, ":0"));
    } else if (strcmp(scheme->name, "ws") == 0) {
        struct stint__acceptor *a = NULL;
        struct stint__acceptor_events none = {0};
        stint_error err = STINT_ERROR_INIT;
        assert_int_equal(stint__acceptor_open(&a, "ws://127.0.0.1:0/x", &test_options, &none, &err),
                         STINT_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "port"));
    }
    client_connect(&c, s.url);
    assert_int_equal(stint__peer_capabilities(c.peer), scheme->peer_can);
    check_echo(&c, "x", 1);
    client_close(&c);
    server_close(&s);
}

int run_refusal_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_does_not_decode_closes_its_connection),
        cmocka_unit_test(a_reply_where_a_request_belongs_closes_its_connection),
        cmocka_unit_test(a_malformed_reply_ends_its_exchange),
        cmocka_unit_test(an_address_in_use_is_said_to_be),
        cmocka_unit_test(bad_urls_are_refused),
        cmocka_unit_test(capabilities_are_what_the_scheme_can_do),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
