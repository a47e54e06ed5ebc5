/* echo.h - an echo server and a client that keeps calls in flight, on the bare transport. */
#ifndef STINT_TESTS_ECHO_H
#define STINT_TESTS_ECHO_H

#include <stdatomic.h>

#include "transport.h"

/* ---- server: each request's payload comes back ---- */

struct echo_server {
    struct stint__acceptor *acceptor;
    atomic_uint opened, closed, requests, cancels, replies_refused;
};

/* NULL opts: the defaults. Aborts when it cannot listen. */
void echo_server_open(struct echo_server *s, const char *url,
                      const struct stint__transport_options *opts);
void echo_server_close(struct echo_server *s);

/* ---- client: `in_flight` calls at any time ---- */

struct echo_call {
    struct stint__exchange exchange;
    struct echo_load *load;
    uint64_t call_id;
    stint_time sent;
    bool idle; /* guarded by the load's lock */
};

struct echo_load {
    struct stint__peer *peer;
    pthread_mutex_t lock;
    struct echo_call *calls;
    unsigned in_flight;
    size_t payload_size;
    atomic_bool stopped;
    atomic_uint connects, downs, goaways;
    atomic_ullong replies, losses, not_executed, wrong;
    atomic_ullong last_call_id;
    uint32_t *latencies_ns; /* the first `latencies_max` of them, when not NULL */
    size_t latencies_max;
};

/* The members before `stopped` that are not 0 are taken as given. Starts at once. */
void echo_load_start(struct echo_load *l, const char *url, unsigned in_flight, size_t payload_size,
                     const struct stint__transport_options *opts);
/* No new calls; those in flight are answered or lost, at the latest by closing. */
void echo_load_stop(struct echo_load *l);
void echo_load_close(struct echo_load *l);

#endif
