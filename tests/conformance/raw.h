/* raw.h - peers that send bytes which are no envelopes: they speak SP by hand over a stream, or
 * where there is none (inproc, ws) are stock NNG sockets. */
#ifndef STINT_TESTS_CONFORMANCE_RAW_H
#define STINT_TESTS_CONFORMANCE_RAW_H

#include <nng/nng.h>

#include "harness.h"
#include "net.h"

/* A stream, and the one operation on it. */
struct raw_stream {
    struct stint__stream *stream;
    struct stint__net_op op;
    bool done;
};

struct raw_client {
    unsigned closed; /* connections lost */
    nng_socket socket;
    struct stint__dialer *dialer;
    struct raw_stream raw;
    uint8_t buf[64];
};

/* Connects. */
void raw_open(struct raw_client *r, const char *url);
/* Sends a request with this body. */
void raw_send(struct raw_client *r, const void *body, size_t len);
void raw_close(struct raw_client *r);

struct raw_server {
    nng_socket socket;
    struct stint__listener *listener;
    struct raw_stream raw;
};

/* Binds; the client may be opened. */
void raw_server_open(struct raw_server *r, const char *url);
/* Waits for the client, so that it can become ready; the second time for its next connection. */
void raw_server_accept(struct raw_server *r);
/* Waits for a request, and replies with this body. */
void raw_server_answer(struct raw_server *r, const void *body, size_t len);
void raw_server_close(struct raw_server *r);

#endif
