/* desk.h - a server that is handed its requests by the test, frame by frame, as a transport would:
 * what a well-behaved client would not send can be sent, and when it was read is the test's to say.
 *
 * Answers are kept by the number of their request. Desks are for the test's thread only; handlers
 * and answers run in the server's. */
#ifndef STINT_TESTS_DESK_H
#define STINT_TESTS_DESK_H

#include <stint/stint.h>

#include "event.h"
#include "leak.h"
#include "probe/v1/probe.stint.h"
#include "transport.h"

#define DESK_ASKS 4096 /* requests that one desk can take */

/* What came back for one request. */
struct answer {
    unsigned replies, drops; /* one of the two, in the end */
    stint_code code;
    stint_reason reason;
    bool not_executed;
    stint_duration needed, pushback;
    stint_time at;
};

struct ask {
    const char *method;    /* of probe.v1.Probe; NULL: Work */
    stint_duration budget; /* 0: none is given */
    bool no_time;          /* the budget is 0, and given */
    bool probe;
    uint32_t criticality;
    uint64_t sent, domain; /* as on the wire */
};

struct desk {
    stint_server_options opts; /* set before desk_start; `workers` defaults to 1 */
    stint_server *server;
    struct stint__transport_object conn; /* the connection on which everything comes */
    void *conn_data;
    pthread_mutex_t mutex; /* guards the answers */
    struct answer answers[DESK_ASKS];
    unsigned asked, asked_elsewhere; /* here; by others, over mem:// */
    struct event over;               /* raised by each answer or drop */
    struct leaks before;
};

struct desk *desk_new(void);
/* Serves probe.v1.Probe with these handlers, at mem://NAME too. */
void desk_start(struct desk *d, const char *name, const probe_v1_probe_ops *ops, void *self);

/* Hands a request in; returns its number. */
unsigned desk_ask(struct desk *d, const struct ask *ask);
#define DESK_ASK(d, ...) desk_ask((d), &(const struct ask){__VA_ARGS__})
/* The connection's client gives it up. */
void desk_cancel(struct desk *d, unsigned number);
/* The connection is lost, and another one made. */
void desk_reconnect(struct desk *d);

/* Waits for what becomes of it. */
struct answer desk_answer(struct desk *d, unsigned number);
/* Whether anything has, so far. */
bool desk_is_over(struct desk *d, unsigned number);
/* Both in one. */
struct answer desk_call(struct desk *d, const struct ask *ask);
#define DESK_CALL(d, ...) desk_call((d), &(const struct ask){__VA_ARGS__})

stint_method_stats desk_stats(struct desk *d, const char *method);
stint_server_stats desk_server_stats(struct desk *d);
/* Waits until nothing is in flight, then: every request was counted as one outcome, for its method
 * and for the server, and has one reply or drop. */
void desk_check_books(struct desk *d);

/* Ends it, with its books checked, and looks for leaks. */
void desk_free(struct desk *d);

#endif
