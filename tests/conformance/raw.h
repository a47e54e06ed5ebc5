/* raw.h - peers that send bytes which are no envelopes: a stock NNG socket where one can reach the
 * address, SP by hand over a stream where not (mem://). */
#ifndef STINT_TESTS_CONFORMANCE_RAW_H
#define STINT_TESTS_CONFORMANCE_RAW_H

#include <nng/nng.h>

#include "harness.h"
#include "net.h"

struct raw_client {
    unsigned closed; /* connections lost */
    nng_socket socket;
    struct stint__dialer *dialer; /* mem:// */
    struct stint__stream *stream;
    struct stint__net_op op;
    bool done;
    uint8_t buf[64];
};

/* Connects. */
void raw_open(struct raw_client *r, const char *url);
/* Sends a request with this body. */
void raw_send(struct raw_client *r, const void *body, size_t len);
void raw_close(struct raw_client *r);

#endif
