/* harness.h - a server and a client of the transport that write down all they are told.
 *
 * One monitor (a mutex and a condition variable) guards everything they write down, so that a test
 * can wait for any combination of it: AWAIT. Under the virtual clock waiting advances the clock
 * instead, and everything happens in the test's thread. */
#ifndef STINT_TESTS_CONFORMANCE_HARNESS_H
#define STINT_TESTS_CONFORMANCE_HARNESS_H

#include "unit.h"

#include "patience.h"
#include "transport.h"

#define MAX_MESSAGE ((size_t)256 * 1024)
#define URL_SIZE    200

/* ---- schemes ---- */

struct scheme {
    const char *name;
    /* Writes a URL that nobody uses; for a server that may choose its port, with port 0. */
    void (*new_url)(char url[URL_SIZE]);
    bool only_stock;                 /* there are no byte streams to this kind of address */
    unsigned peer_can, acceptor_can; /* the capabilities it must have, and no others */
    const char *bad_url;
};

/* The one under test, and all of them. */
extern const struct scheme *scheme;
const struct scheme *scheme_find(const char *name);

/* ---- waiting ---- */

void monitor_enter(void);
void monitor_leave(void);
void monitor_changed(void); /* inside: wakes those who wait */

void monitor_use_virtual_clock(bool use);

struct await {
    const char *what;
    struct timespec deadline;
};

/* Enters the monitor. */
struct await await_begin(const char *what);
/* True: it holds, and the monitor was left. False, after something has changed: look again. Fails
 * the test when nothing does. */
bool await_end(const struct await *w, bool holds);

/* Waits until `condition`, evaluated inside the monitor, holds. */
#define AWAIT(condition)                                                                           \
    for (struct await await_ = await_begin(#condition); !await_end(&await_, (condition));)         \
    continue

/* ---- the server ---- */

/* A request that the server keeps for later. */
struct held {
    struct stint__conn *conn;
    struct stint__reply_to to;
    uint64_t call_id;
    uint8_t *payload;
    size_t len;
    bool answered, cancelled;
};

enum behaviour { ECHO, HOLD, DROP };

struct server {
    struct stint__acceptor *acceptor;
    char url[URL_SIZE];
    enum behaviour behaviour;
    unsigned opened, closed, requests, cancels, log_lines;
    struct held *held; /* HOLD: every request, in order of arrival */
    size_t n_held;
    /* Rules of transport.h that were broken: a callback before `opened` or after `closed`, two at a
     * time for one connection, one in a thread that is not marked. */
    unsigned violations;
};

/* Binds to `url`, or to a new one if NULL, and starts. */
void server_open(struct server *s, const char *url, enum behaviour behaviour);
/* Closes; checks that the rules were kept and every connection was told closed. */
void server_close(struct server *s);
/* Answers a held request with what it asked for. */
stint_code server_reply(struct server *s, size_t index);
void server_drop(struct server *s, size_t index);
struct stint__transport_stats server_stats(const struct server *s);

/* ---- the client ---- */

struct client {
    struct stint__peer *peer;
    bool up; /* what it was told last */
    unsigned ready, down, goaway;
    unsigned outstanding;         /* calls begun and not ended; an abandoned one counts for ever */
    unsigned outstanding_at_down; /* at the last `down` */
    stint_error last_down;
};

struct call {
    struct stint__exchange x;
    struct client *client;
    uint64_t id;
    unsigned replies, losts;
    stint_error error;
    uint8_t *payload; /* of the reply */
    size_t len;
};

void client_open(struct client *c, const char *url);
/* Opens, and waits until it is connected. */
void client_connect(struct client *c, const char *url);
void client_close(struct client *c);
struct stint__transport_stats client_stats(const struct client *c);

/* Submits `len` bytes of `payload`; waits and tries again while the queue is full. */
stint_code call_start(struct call *k, struct client *c, const void *payload, size_t len,
                      stint_error *err);
/* Starts it, which must succeed. */
void call_begin(struct call *k, struct client *c, const void *payload, size_t len);
bool call_ended(const struct call *k); /* inside the monitor */
void call_free(struct call *k);
/* One call there and back. */
void check_echo(struct client *c, const void *payload, size_t len);
/* The same, again and again until it comes back: after the connection may have been lost. */
void await_echo(struct client *c);

/* ---- the options of both ---- */

extern struct stint__transport_options test_options;

#endif
