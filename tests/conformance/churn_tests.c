/* churn_tests.c - connections that are lost and closed with messages under way.
 *
 * A program of its own, because NNG 1.5.2 leaks a message now and then when a pipe is closed while
 * it starts to send (its issue 1713, fixed in 1.6): LeakSanitizer is told to overlook exactly the
 * messages that the socket transport makes. All other programs of the suite run without that. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "raw.h"

enum { CALLS = 100 };

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl51-cpp,readability-identifier-naming)
STINT_API const char *__lsan_default_suppressions(void);

STINT_API const char *__lsan_default_suppressions(void)
{
    return "leak:stint__socket_encode\n";
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl51-cpp,readability-identifier-naming)

/* Skips the test where the capability says no. */
static void need_churn(void)
{
    struct server s;
    server_open(&s, NULL, ECHO);
    bool can = (stint__acceptor_capabilities(s.acceptor) & STINT__CAN_CHURN) != 0;
    server_close(&s);
    if (!can)
        skip();
}

static struct call calls[CALLS];

static void check_all_ended_once(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(calls[i].replies + calls[i].losts, 1);
        call_free(&calls[i]);
    }
}

static void churn(unsigned round, enum behaviour behaviour)
{
    struct server s;
    struct client c;
    server_open(&s, NULL, behaviour);
    client_connect(&c, s.url);
    for (uint32_t i = 0; i < CALLS; i++)
        call_begin(&calls[i], &c, &i, sizeof i);
    if (round % 2 == 0)
        server_close(&s);
    client_close(&c);
    if (round % 2 != 0)
        server_close(&s);
    check_all_ended_once(CALLS);
}

static void closing_in_any_order_ends_everything_once(void **state)
{
    (void)state;
    need_churn();
    for (unsigned round = 0; round < 20; round++)
        churn(round, round % 3 == 0 ? HOLD : ECHO);
}

static void a_server_that_restarts_under_load_is_found_again(void **state)
{
    (void)state;
    struct server s;
    struct client c;
    char url[URL_SIZE];
    need_churn();
    server_open(&s, NULL, ECHO);
    snprintf(url, sizeof url, "%s", s.url);
    client_connect(&c, url);
    for (unsigned round = 0; round < 10; round++) {
        await_echo(&c);
        size_t begun = 0;
        while (begun < CALLS && call_start(&calls[begun], &c, "x", 1, NULL) == STINT_OK)
            begun++;
        server_close(&s);
        for (size_t i = 0; i < begun; i++)
            AWAIT(call_ended(&calls[i]));
        check_all_ended_once(begun);
        server_open(&s, url, ECHO);
    }
    await_echo(&c);
    client_close(&c);
    server_close(&s);
}

static void a_frame_over_the_limit_closes_its_connection(void **state)
{
    (void)state;
    need_churn(); /* the sender is still at it when its connection is closed */
    struct server s;
    struct client good;
    struct raw_client bad;
    size_t len = MAX_MESSAGE + STINT__HEADER_MAX + 1024;
    uint8_t *body = calloc(1, len);
    server_open(&s, NULL, ECHO);
    client_connect(&good, s.url);
    raw_open(&bad, s.url);
    raw_send(&bad, body, len);
    AWAIT(bad.closed >= 1);
    check_echo(&good, "after", 5);
    raw_close(&bad);
    client_close(&good);
    server_close(&s);
    free(body);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_in_any_order_ends_everything_once),
        cmocka_unit_test(a_server_that_restarts_under_load_is_found_again),
        cmocka_unit_test(a_frame_over_the_limit_closes_its_connection),
    };
    scheme = argc == 2 ? scheme_find(argv[1]) : NULL;
    if (scheme == NULL) {
        fprintf(stderr, "usage: %s SCHEME\n", argv[0]);
        return 2;
    }
    return cmocka_run_group_tests_name("churn", tests, NULL, NULL);
}
