/* sock.h - blocking stream sockets for the floor programs. */
#ifndef SOCK_H
#define SOCK_H

#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union any_addr {
    struct sockaddr sa;
    struct sockaddr_un un;
    struct sockaddr_in in;
};

/* unix:/path or tcp:127.0.0.1:port; returns the length of the address. */
static inline socklen_t parse_addr(const char *text, union any_addr *a)
{
    memset(a, 0, sizeof *a);
    if (strncmp(text, "unix:", 5) == 0) {
        a->un.sun_family = AF_UNIX;
        snprintf(a->un.sun_path, sizeof a->un.sun_path, "%s", text + 5);
        return sizeof a->un;
    }
    const char *port = strrchr(text, ':');
    if (strncmp(text, "tcp:", 4) != 0 || port == NULL)
        die("bad address", text);
    a->in.sin_family = AF_INET;
    a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a->in.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    return sizeof a->in;
}

static inline void no_delay(int fd, const union any_addr *a)
{
    int one = 1;
    if (a->sa.sa_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Both return 0 when all n bytes moved. */
static inline int read_all(int fd, char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = read(fd, p, n);
        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static inline int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

#endif
