/* nng_test.c - tcp and ipc: addresses, errors a stranger can act on, stale paths, endings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster.h"
#include "event.h"
#include "list.h"
#include "net.h"

struct op {
    struct stint__net_op op;
    struct event done;
};

static void complete(struct stint__net_op *op)
{
    event_raise(&STINT__CONTAINER_OF(op, struct op, op)->done);
}

static struct stint__net_op *start(struct op *o)
{
    o->op = (struct stint__net_op){.fn = complete};
    event_init(&o->done);
    return &o->op;
}

static stint_code finish(struct op *o)
{
    event_wait(&o->done, 1);
    event_fini(&o->done);
    return o->op.code;
}

/* ---- addresses that are refused before anything is done ---- */

struct refusal {
    const char *url;
    const char *says;
    bool only_dialing;
};

static void bad_addresses_say_what_is_wrong(struct cluster *c)
{
    (void)c;
    static const struct refusal refusals[] = {
        {"tcp://127.0.0.1", "no port number", false},
        {"tcp://127.0.0.1:http", "no port number", false},
        {"tcp://127.0.0.1:65536", "no port number", false},
        {"tcp://127.0.0.1:80/x", "nothing may follow the port", false},
        {"tcp://127.0.0.1:0", "a port other than 0", true},
        {"tcp://:4000", "a host", true},
        {"ipc://", "no path", false},
        {"carrier-pigeon://x", "no byte stream for this scheme", false},
        {"127.0.0.1:80", "no byte stream for this scheme", false},
        {"", "no byte stream for this scheme", false},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct stint__dialer *d;
        struct stint__listener *l;
        stint_error err;
        assert_int_equal(stint__dialer_new(&d, refusals[i].url, &err), STINT_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, refusals[i].says));
        if (refusals[i].only_dialing)
            continue;
        assert_int_equal(stint__listener_new(&l, refusals[i].url, &err), STINT_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, refusals[i].says));
    }
}

static void a_path_is_too_long_from_108_bytes_on(struct cluster *c)
{
    (void)c;
    char url[6 + 108 + 1] = "ipc://";
    struct stint__dialer *d;
    struct stint__listener *l;
    stint_error err;
    memset(url + 6, 'x', 108);
    assert_int_equal(stint__dialer_new(&d, url, &err), STINT_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "path too long: 108 bytes, at most 107"));
    assert_int_equal(stint__listener_new(&l, url, &err), STINT_INVALID_ARGUMENT);
    url[6 + 107] = '\0';
    assert_int_equal(stint__dialer_new(&d, url, &err), STINT_OK);
    stint__dialer_free(d);
}

/* ---- listening ---- */

static void port_0_becomes_a_real_one(struct cluster *c)
{
    (void)c;
    struct stint__listener *l;
    assert_int_equal(stint__listener_new(&l, "tcp://127.0.0.1:0", NULL), STINT_OK);
    const char *url = stint__listener_url(l);
    assert_int_equal(strncmp(url, "tcp://127.0.0.1:", 16), 0);
    assert_in_range(strtoul(url + 16, NULL, 10), 1, 65535);
    stint__listener_free(l);
}

static void an_address_in_use_is_said_to_be(struct cluster *c)
{
    const char *urls[] = {"tcp://127.0.0.1:0", cluster_ipc_url(c, "used")};
    for (int i = 0; i < 2; i++) {
        struct stint__listener *first;
        struct stint__listener *second;
        stint_error err;
        assert_int_equal(stint__listener_new(&first, urls[i], NULL), STINT_OK);
        assert_int_equal(stint__listener_new(&second, stint__listener_url(first), &err),
                         STINT_ALREADY_EXISTS);
        assert_non_null(strstr(err.message, "address in use"));
        assert_non_null(strstr(err.message, stint__listener_url(first)));
        char url[160];
        snprintf(url, sizeof url, "%s", stint__listener_url(first));
        stint__listener_free(first);
        stint__net_quiesce();
        assert_int_equal(stint__listener_new(&second, url, NULL), STINT_OK);
        stint__listener_free(second);
    }
}

static void places_where_nobody_can_listen(struct cluster *c)
{
    struct stint__listener *l;
    stint_error err;
    assert_int_equal(stint__listener_new(&l, cluster_ipc_url(c, "no/such/dir"), &err),
                     STINT_UNAVAILABLE);
    assert_non_null(strstr(err.message, "no such directory"));
    /* 192.0.2.0/24 is for documentation: no machine has it (RFC 5737). */
    assert_int_equal(stint__listener_new(&l, "tcp://192.0.2.1:0", &err), STINT_INVALID_ARGUMENT);
}

static const char *path_of(const char *ipc_url)
{
    return ipc_url + strlen("ipc://");
}

/* As a server leaves it that was killed: bound, and nobody listens. */
static void leave_a_stale_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_return_code(fd, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_return_code(listen(fd, 1), 0);
    close(fd);
    assert_return_code(access(path, F_OK), 0);
}

static void a_stale_path_is_taken_over_and_removed_at_the_end(struct cluster *c)
{
    const char *url = cluster_ipc_url(c, "stale");
    leave_a_stale_socket(path_of(url));
    struct stint__listener *l;
    assert_int_equal(stint__listener_new(&l, url, NULL), STINT_OK);
    stint__listener_free(l);
    stint__net_quiesce();
    assert_int_equal(access(path_of(url), F_OK), -1);
}

static void a_file_in_the_way_is_not_deleted(struct cluster *c)
{
    const char *url = cluster_ipc_url(c, "file");
    FILE *file = fopen(path_of(url), "w");
    assert_non_null(file);
    fclose(file);
    struct stint__listener *l;
    stint_error err;
    assert_int_equal(stint__listener_new(&l, url, &err), STINT_ALREADY_EXISTS);
    assert_non_null(strstr(err.message, "no socket"));
    assert_return_code(access(path_of(url), F_OK), 0);
}

/* ---- connecting ---- */

static void dial_fails(const char *url, const char *says)
{
    struct stint__dialer *d;
    struct op dialed;
    assert_int_equal(stint__dialer_new(&d, url, NULL), STINT_OK);
    for (int i = 0; i < 3; i++) { /* it can be tried again */
        stint__dial(d, start(&dialed));
        assert_int_equal(finish(&dialed), STINT_UNAVAILABLE);
        assert_null(dialed.op.stream);
        assert_non_null(strstr(dialed.op.error.message, says));
        assert_non_null(strstr(dialed.op.error.message, url));
    }
    stint__dialer_free(d);
}

static void where_nobody_listens_dialing_is_refused(struct cluster *c)
{
    struct stint__listener *l;
    assert_int_equal(stint__listener_new(&l, "tcp://127.0.0.1:0", NULL), STINT_OK);
    char url[64];
    snprintf(url, sizeof url, "%s", stint__listener_url(l));
    stint__listener_free(l);
    stint__net_quiesce();
    dial_fails(url, "refused");
    dial_fails(cluster_ipc_url(c, "nothing"), "refused");
    leave_a_stale_socket(path_of(cluster_ipc_url(c, "stale")));
    dial_fails(cluster_ipc_url(c, "stale"), "refused");
    dial_fails("tcp://no-such-host.invalid:4000", "no such host");
}

static void connect_pair(const char *url, struct stint__stream **client,
                         struct stint__stream **server)
{
    struct stint__listener *l;
    struct stint__dialer *d;
    struct op dialed;
    struct op accepted;
    assert_int_equal(stint__listener_new(&l, url, NULL), STINT_OK);
    assert_int_equal(stint__dialer_new(&d, stint__listener_url(l), NULL), STINT_OK);
    stint__accept(l, start(&accepted));
    stint__dial(d, start(&dialed));
    assert_int_equal(finish(&dialed), STINT_OK);
    assert_int_equal(finish(&accepted), STINT_OK);
    *client = dialed.op.stream;
    *server = accepted.op.stream;
    stint__dialer_free(d);
    stint__listener_free(l);
}

static void a_peer_is_told_by_address_or_credentials(struct cluster *c)
{
    struct stint__stream *client;
    struct stint__stream *server;
    char expected[160];
    const char *url = cluster_ipc_url(c, "who");
    connect_pair(url, &client, &server);
    snprintf(expected, sizeof expected, "%s pid %d uid %u", url, (int)getpid(), (unsigned)getuid());
    assert_string_equal(stint__stream_peer(server), expected);
    assert_true(stint__stream_ipc_framing(server));
    stint__stream_free(client);
    stint__stream_free(server);

    connect_pair("tcp://127.0.0.1:0", &client, &server);
    assert_int_equal(strncmp(stint__stream_peer(server), "tcp://127.0.0.1:", 16), 0);
    assert_false(stint__stream_ipc_framing(server));
    stint__stream_free(client);
    stint__stream_free(server);
}

/* ---- endings ---- */

static void closing_completes_what_is_outstanding_and_what_comes_later(struct cluster *c)
{
    const char *urls[] = {"tcp://127.0.0.1:0", cluster_ipc_url(c, "closing")};
    for (int i = 0; i < 2; i++) {
        struct stint__stream *client;
        struct stint__stream *server;
        struct op reading;
        struct op writing;
        uint8_t byte = 0;
        struct stint__iov iov = {&byte, 1};
        connect_pair(urls[i], &client, &server);
        stint__stream_read(client, &byte, 1, start(&reading));
        stint__stream_close(client);
        stint__stream_close(client);
        assert_int_equal(finish(&reading), STINT_CANCELLED);
        stint__stream_read(client, &byte, 1, start(&reading));
        stint__stream_write(client, &iov, 1, start(&writing));
        assert_int_equal(finish(&reading), STINT_CANCELLED);
        assert_int_equal(finish(&writing), STINT_CANCELLED);
        /* The other side sees an end that is not its own doing. */
        stint__stream_read(server, &byte, 1, start(&reading));
        assert_int_equal(finish(&reading), STINT_UNAVAILABLE);
        assert_non_null(strstr(reading.op.error.message, "by the peer"));
        stint__stream_free(client);
        stint__stream_free(server);
    }
}

static void freeing_completes_an_accept_and_a_dial(struct cluster *c)
{
    const char *urls[] = {"tcp://127.0.0.1:0", cluster_ipc_url(c, "freeing")};
    for (int i = 0; i < 2; i++) {
        struct stint__listener *l;
        struct op accepting;
        assert_int_equal(stint__listener_new(&l, urls[i], NULL), STINT_OK);
        stint__accept(l, start(&accepting));
        stint__listener_free(l);
        assert_int_equal(finish(&accepting), STINT_CANCELLED);
    }
    struct stint__dialer *d;
    struct op dialing;
    /* Packets to this network go nowhere, if they are not refused at once. */
    assert_int_equal(stint__dialer_new(&d, "tcp://192.0.2.1:4000", NULL), STINT_OK);
    stint__dial(d, start(&dialing));
    stint__dialer_free(d);
    assert_int_not_equal(finish(&dialing), STINT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(bad_addresses_say_what_is_wrong),
        CLUSTER_TEST(a_path_is_too_long_from_108_bytes_on),
        CLUSTER_TEST(port_0_becomes_a_real_one),
        CLUSTER_TEST(an_address_in_use_is_said_to_be),
        CLUSTER_TEST(places_where_nobody_can_listen),
        CLUSTER_TEST(a_stale_path_is_taken_over_and_removed_at_the_end),
        CLUSTER_TEST(a_file_in_the_way_is_not_deleted),
        CLUSTER_TEST(where_nobody_listens_dialing_is_refused),
        CLUSTER_TEST(a_peer_is_told_by_address_or_credentials),
        CLUSTER_TEST(closing_completes_what_is_outstanding_and_what_comes_later),
        CLUSTER_TEST(freeing_completes_an_accept_and_a_dial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
