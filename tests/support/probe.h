/* probe.h - a server and a channel to it in this process, with handlers that obey the test. */
#ifndef STINT_TESTS_PROBE_H
#define STINT_TESTS_PROBE_H

#include <stdatomic.h>

#include <stint/stint.h>

#include "event.h"
#include "leak.h"
#include "probe/v1/probe.stint.h"

struct probe {
    stint_server *server;
    stint_channel *ch;
    struct event entered; /* a handler began to wait */
    struct event left;    /* a handler that waited is about to return */
    struct event gate;    /* what gated handlers wait for */
    struct event ticket_there;
    stint_ticket *ticket;       /* of the last Later */
    atomic_int left_code;       /* the context's code when a handler left */
    atomic_int executed;        /* handlers that ran */
    stint_server_options sopts; /* set before probe_start; `workers` defaults to 2 */
    stint_channel_options copts;
    const probe_v1_probe_ops *ops; /* set before probe_start: handlers of the test's own, */
    void *self;                    /* and what they are given */
    struct leaks before;
};

/* The URL to serve, for a test that is run over several kinds of address: for its first argument
 * (mem, ipc, tcp, inproc, ws, nng+ipc, nng+tcp), or `otherwise` if it has none. */
const char *probe_url(int argc, char **argv, const char *otherwise);

/* Starts both; `url` as for stint_server_listen. Fails the test on any error. */
void probe_init(struct probe *p);
void probe_start(struct probe *p, const char *url);
/* Ends what is there (server, channel: NULL if the test ended them) and checks for leaks. */
void probe_stop(struct probe *p);

/* Whether more than requests and replies gets through: cancels, limits, farewells. Not over stock
 * sockets. */
bool probe_has_control_frames(const struct probe *p);

/* One call of a method by its stub's method number: see probe.c. */
typedef stint_code probe_stub(const stint_ctx *ctx, stint_channel *ch,
                              const Probe__V1__Request *req, Probe__V1__Reply **ret_rep,
                              stint_error *err);

/* Calls and expects `code`; returns the reply on OK (freed by probe_free), else NULL. */
Probe__V1__Reply *probe_call(struct probe *p, probe_stub *stub, const stint_ctx *ctx,
                             const Probe__V1__Request *req, stint_code code, stint_error *err);
void probe_free(Probe__V1__Reply *rep);

/* How an asynchronous call ended; `arg` of probe_done. */
struct outcome {
    struct event event; /* raised by each done */
    stint_error err;
    Probe__V1__Reply *reply;
};
void outcome_init(struct outcome *o);
void outcome_fini(struct outcome *o);
void probe_done(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err);

#endif
