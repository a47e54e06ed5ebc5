/* world.h - the nodes of a run: a server and its channels for each service of the plan. */
#ifndef STINT_TESTS_SIM_WORLD_H
#define STINT_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/channel.h>
#include <stint/server.h>

#include "plan.h"

#define WORLD_NAME_MAX 16

struct node {
    const struct service_plan *plan;
    uint32_t index;
    stint_server *server;                       /* NULL: down */
    stint_channel *children[PLAN_CHILDREN_MAX]; /* as in the plan; open while the server is there */
    unsigned running;                           /* handlers and tickets not finished */
    bool troubled;                              /* one trouble at a time */
};

struct world {
    const struct plan *plan;
    struct node *nodes;      /* one for each service */
    stint_channel **entries; /* the edge's, one for each of the plan's entries */
    int edge_host;
    struct dice backoff;
};

/* Starts every node, and the edge's channels. Aborts if that fails: nothing is wrong yet. */
void world_open(struct world *w, const struct plan *p);
/* Closes everything, and waits until it is closed. */
void world_close(struct world *w);

/* The name of its host in the simulated network. */
void world_name(uint32_t service, char name[WORLD_NAME_MAX]);

/* Starts a node, or stops it: gracefully within `grace` if that is more than 0, and hard then. */
void node_start(struct world *w, struct node *n);
void node_stop(struct node *n, stint_duration grace);

/* ---- service.c: what a node does ---- */

/* Adds the service to the node's server. */
stint_code service_register(struct node *n, stint_error *err);

/* A call of service s over ch, for the execution of call `caller` (0: the edge), that ends with
 * then(arg, ...): exactly once, never inside of this. */
typedef void service_then(void *arg, stint_code code, uint64_t sum, const stint_error *err);
void service_call_async(const stint_ctx *ctx, stint_channel *ch, struct node *n, uint64_t caller,
                        service_then *then, void *arg);

#endif
