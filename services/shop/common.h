/* common.h - what the shop's four programs share: their command line (options.c), their log
 * (log.c), and how they start and stop (run.c). */
#ifndef SHOP_COMMON_H
#define SHOP_COMMON_H

#include <stdbool.h>
#include <stdint.h>

#include <stint/stint.h>

#include "stop.h"

#define SHOP_PEERS_MAX 2

/* What one of the programs is; static storage. */
struct shop_program {
    const char *name;                  /* "checkout" */
    const char *about;                 /* one sentence for --help */
    const char *peers[SHOP_PEERS_MAX]; /* the services it calls, each a --peer NAME=URL */
    bool has_journal;                  /* takes --journal */
};

/* What its command line said. Strings belong to argv. */
struct shop_options {
    const char *listen;
    const char *peer_urls[SHOP_PEERS_MAX]; /* in the order of shop_program.peers; all set */
    const char *journal;                   /* NULL: none */
    stint_duration work;                   /* how long each handler is to work; 0: not at all */
    stint_duration drain;                  /* how long the end may take */
    uint32_t workers;                      /* 0: the library's default */
};

/* One running program. */
struct shop_service {
    const struct shop_program *program;
    struct shop_options options;
    struct shop_stop stop;
    stint_interceptor log_calls;
    const stint_interceptor *interceptors[2];
    stint_server *server;
};

/* Fills *opts, or explains on stderr what is wrong and exits with status 2; --help and --version
 * exit with 0. */
void shop_options_parse(struct shop_options *opts, const struct shop_program *program, int argc,
                        char **argv);

/* One line on stderr: the time, the program's name and the text. The time is stint_now() in
 * seconds, so that the logs of processes on one machine can be laid side by side. Thread-safe. */
void shop_log(const struct shop_program *program, const char *fmt, ...) STINT_PRINTF(2, 3);

/* The same about a call, with its trace ID, its request ID, its method and the time it has left:
 *
 *   TIME SERVICE TRACE REQUEST METHOD LEFT EVENT [TEXT]
 */
void shop_log_call(const struct shop_program *program, const stint_ctx *ctx, const char *method,
                   const char *event, const char *text);

/* An interceptor that logs when a handler begins (EVENT "begins") and when its call is answered
 * (the code). A cancelled call counts as answered at once; when its handler stops, shop_give_up
 * logs. */
stint_interceptor shop_log_interceptor(struct shop_service *s);

/* Parses the command line, starts to listen for SIGTERM and the like (stop.h), and makes the
 * server. Must come first in main, while the process has one thread. Exits if it cannot. */
void shop_init(struct shop_service *s, const struct shop_program *program, int argc, char **argv);

/* Opens a channel to the peer of this name and waits a moment for its connection, so that a program
 * that says it is ready is. A peer that stays away is only a warning: calls to it fail with
 * UNAVAILABLE until it comes. The caller closes the channel. */
stint_channel *shop_connect(struct shop_service *s, const char *peer);

/* Serves until the process is asked to end, then finishes what is in flight and frees the server.
 * Returns the exit status. */
int shop_serve(struct shop_service *s);

/* If code is not STINT_OK, says why on stderr and exits. */
void shop_require(const struct shop_service *s, stint_code code, const stint_error *err);

/* The work of a handler: takes as long as --work says (EVENT "works"). If ctx ends first, gives up.
 */
stint_code shop_work(const struct shop_service *s, const stint_ctx *ctx, stint_call *call);

/* How a handler ends because of what it called: logs that it stops and why (EVENT "stops"), and
 * passes the cause on to its own caller: `return shop_give_up(s, ctx, call, &err);` */
stint_code shop_give_up(const struct shop_service *s, const stint_ctx *ctx, stint_call *call,
                        const stint_error *cause);

/* The request ID that ctx's work belongs to; "" if it has none. Lives as long as ctx. */
const char *shop_request_id(const stint_ctx *ctx);

#endif
