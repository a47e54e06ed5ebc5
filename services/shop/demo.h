/* demo.h - the parts of shop_demo: the four processes (demo_shop.c), what they log (demo_log.c),
 * the orders of the demo as their customer (demo_order.c), what is shown (demo_show.c), and the
 * scenarios (demo_scenarios.c, demo_restart.c). */
#ifndef SHOP_DEMO_H
#define SHOP_DEMO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include <stint/stint.h>

#include "stop.h"

enum service { GATEWAY, CHECKOUT, PRICING, STOCK, N_SERVICES };

extern const char *const service_names[N_SERVICES];

/* ---- logs ---- */

/* One line of a service's log. */
struct line {
    enum service service;
    stint_time at;
    char *text; /* the whole line */
    /* Of a line about a call only; "" in others: */
    char trace[STINT_TRACE_ID_TEXT];
    char request[STINT_REQUEST_ID_MAX + 1];
    char event[24]; /* "begins", "works", "stops", or the code that it was answered with */
    char why[32];   /* of "stops": a code */
    stint_duration left;
};

/* What a service did in its life, as its last line says. */
struct totals {
    bool known;
    unsigned long executed, shed, refused;
};

/* The logs of all services since the last logs_clear. */
struct logs {
    pthread_mutex_t lock; /* guards the rest, and node.ended */
    pthread_cond_t changed;
    struct line *lines; /* in the order they were read */
    size_t n, capacity;
    struct totals totals[N_SERVICES];
};

void logs_init(struct logs *logs);
void logs_clear(struct logs *logs);
void logs_fini(struct logs *logs);

/* Prints all lines: for when something has gone wrong. */
void logs_print(const struct logs *logs);

/* Takes one line that a service wrote. */
void logs_add(struct logs *logs, enum service service, const char *text);

/* The service's line about this request and event, or NULL. Points into logs: for when the services
 * are down. */
const struct line *logs_find(const struct logs *logs, enum service service, const char *request,
                             const char *event);

/* Waits until there is such a line. False: ctx was done first. */
bool logs_wait(struct logs *logs, const stint_ctx *ctx, enum service service, const char *request,
               const char *event);

/* ---- the shop ---- */

/* One of the four processes. */
struct node {
    struct demo *demo;
    enum service service;
    char url[128];
    pid_t pid;        /* 0: not running */
    FILE *log;        /* its stderr */
    pthread_t reader; /* adds what it logs to demo->logs */
    bool ended;       /* the reader has seen the end; guarded by logs.lock */
};

/* How the services are started for one scenario. */
struct setup {
    const char *work[N_SERVICES];    /* NULL: none */
    const char *workers[N_SERVICES]; /* NULL: the default */
};

struct demo {
    struct shop_stop stop;   /* the user's Ctrl-C */
    const stint_ctx *root;   /* done then: everything waits under it */
    char bin[256], dir[256]; /* where the programs are; where the sockets are */
    char journal[300];       /* stock's */
    const struct setup *setup;
    struct node nodes[N_SERVICES];
    struct logs logs;
    stint_ctx *starting; /* shop_up's: a process that ends cancels it; guarded by logs.lock */
    stint_channel *gateway, *stock;
    unsigned failed; /* checks of this scenario */
    bool colours;    /* stdout is a terminal */
    bool show_logs;  /* --logs */
};

/* Finds the programs, makes the directory. False: it has said why. */
bool shop_prepare(struct demo *d);

/* Starts the four processes, and returns when the gateway answers. False: a failed check. */
bool shop_up(struct demo *d, const struct setup *setup);

/* SIGTERM to each, from the top down; waits for their ends and collects the rest of their logs.
 * Nothing runs afterwards in any case; that each has finished its work and left with status 0 is
 * checked. Harmless when the shop is down. */
void shop_down(struct demo *d);

/* SIGKILL; and a start after it. */
void shop_kill(struct demo *d, enum service service);
bool shop_start(struct demo *d, enum service service);

/* Kills what runs, removes the directory. */
void shop_cleanup(struct demo *d);

/* ---- orders ---- */

/* One order of two teapots. */
struct order {
    struct demo *demo;
    char request[STINT_REQUEST_ID_MAX + 1];
    char trace[STINT_TRACE_ID_TEXT];
    stint_ctx *ctx;
    stint_duration budget;
    stint_time begun, ended;
    bool done; /* guarded by logs.lock, as the next three until it is true */
    stint_code code;
    stint_error err;
    int64_t cents;
    stint_reply_info *told; /* with the ledger; NULL: out of memory */
};

/* Begins it, with `budget` to spend. */
void order_begin(struct order *o, struct demo *d, const char *request, stint_duration budget);

/* Waits for its end: bounded by its own deadline. */
void order_wait(struct order *o);

/* Ends it if it has not ended, and releases what it holds. */
void order_fini(struct order *o);

/* What stock says it has executed, as long as it runs. */
struct taken {
    bool known; /* it has answered */
    uint64_t orders;
    uint64_t repeated; /* of these, executed more than once */
};
struct taken audit(struct demo *d);

/* ---- what is shown ---- */

void show_intro(const struct demo *d);
void show_title(const struct demo *d, unsigned number, const char *title, const char *text);

/* A paragraph, indented and filled. */
void show_text(const char *fmt, ...) STINT_PRINTF(1, 2);

/* The lines of one order over all hops, with the time that was left at each; `note` (may be NULL)
 * is something that the client did at `note_at`. */
void show_timeline(const struct demo *d, const struct order *o, stint_time note_at,
                   const char *note);

/* How the order ended for the client, in a sentence or two. */
void show_outcome(const struct order *o);

/* Where its time went, as the hops say themselves. */
void show_ledger(const struct demo *d, const struct order *o);

/* One thing that must be true; shown, and counted if it is not. Returns ok. */
bool check(struct demo *d, bool ok, const char *fmt, ...) STINT_PRINTF(3, 4);

double ms(stint_duration d);

/* ---- scenarios ---- */

void scenario_plenty(struct demo *d);
void scenario_tight(struct demo *d);
void scenario_shed(struct demo *d);
void scenario_cancel(struct demo *d);
void scenario_restart(struct demo *d);

#endif
