/* schemes.c - the kinds of address that every test runs over. State: the directory of ipc paths and
 * a number that makes names new. */
#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char directory[] = "/tmp/stint-conformance-XXXXXX";
static bool have_directory;
static atomic_uint names;

static void remove_directory(void)
{
    rmdir(directory);
}

static const char *temporary_directory(void)
{
    if (!have_directory) {
        assert_non_null(mkdtemp(directory));
        have_directory = true;
        atexit(remove_directory);
    }
    return directory;
}

static void named(char url[URL_SIZE], const char *prefix)
{
    snprintf(url, URL_SIZE, "%sconformance-%u", prefix, atomic_fetch_add(&names, 1));
}

/* A port that nobody listens on at the moment. */
static unsigned free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return ntohs(addr.sin_port);
}

static void new_tcp(char url[URL_SIZE])
{
    snprintf(url, URL_SIZE, "tcp://127.0.0.1:0");
}

static void new_nng_tcp(char url[URL_SIZE])
{
    snprintf(url, URL_SIZE, "nng+tcp://127.0.0.1:0");
}

static void new_ipc(char url[URL_SIZE])
{
    char prefix[URL_SIZE / 2];
    snprintf(prefix, sizeof prefix, "ipc://%s/", temporary_directory());
    named(url, prefix);
}

static void new_nng_ipc(char url[URL_SIZE])
{
    char prefix[URL_SIZE / 2];
    snprintf(prefix, sizeof prefix, "nng+ipc://%s/", temporary_directory());
    named(url, prefix);
}

static void new_mem(char url[URL_SIZE])
{
    named(url, "mem://");
}

static void new_inproc(char url[URL_SIZE])
{
    named(url, "inproc://");
}

static void new_ws(char url[URL_SIZE])
{
    snprintf(url, URL_SIZE, "ws://127.0.0.1:%u/stint", free_port());
}

#define STREAM_CAN                                                                                 \
    (STINT__CAN_CANCEL | STINT__CAN_GOAWAY | STINT__CAN_HEARTBEAT | STINT__CAN_SEE_LOSS |          \
     STINT__CAN_CHURN)
#define SOCKET_CAN STINT__CAN_SEE_LOSS

static const struct scheme schemes[] = {
    {"tcp", new_tcp, false, STREAM_CAN, STREAM_CAN | STINT__CAN_PORT_ZERO, "tcp://127.0.0.1:99999"},
    {"ipc", new_ipc, false, STREAM_CAN, STREAM_CAN, "ipc://"},
    {"mem", new_mem, false, STREAM_CAN, STREAM_CAN, "mem://"},
    {"inproc", new_inproc, true, SOCKET_CAN | STINT__CAN_CHURN, SOCKET_CAN | STINT__CAN_CHURN,
     NULL},
    {"ws", new_ws, true, SOCKET_CAN, SOCKET_CAN, "ws://127.0.0.1:99999/x"},
    {"nng+tcp", new_nng_tcp, false, SOCKET_CAN, SOCKET_CAN | STINT__CAN_PORT_ZERO,
     "nng+tcp://127.0.0.1:99999"},
    {"nng+ipc", new_nng_ipc, false, SOCKET_CAN, SOCKET_CAN, NULL},
};

const struct scheme *scheme_find(const char *name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strcmp(schemes[i].name, name) == 0)
            return &schemes[i];
    }
    return NULL;
}
