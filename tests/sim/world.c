/* world.c - see the header. Called from fibers, which take turns: no locks. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "fiber.h"
#include "trace.h"

#define MAX_TIMEOUT STINT_SECONDS(20) /* for calls without a deadline, so that a run ends */
#define BACKOFF_MAX STINT_MS(200)

static void expect_ok(stint_code code, const stint_error *err)
{
    if (code == STINT_OK)
        return;
    fprintf(stderr, "the simulation cannot be set up: %s\n", err->message);
    abort();
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (p == NULL) {
        fprintf(stderr, "no memory for the simulation\n");
        abort();
    }
    return p;
}

void world_name(uint32_t service, char name[WORLD_NAME_MAX])
{
    snprintf(name, WORLD_NAME_MAX, "s%u", service);
}

static stint_channel *open_channel(uint32_t service)
{
    char name[WORLD_NAME_MAX], url[WORLD_NAME_MAX + 8];
    stint_channel *ch = NULL;
    stint_error err;
    world_name(service, name);
    snprintf(url, sizeof url, "mem://%s", name);
    expect_ok(stint_channel_open(&ch, url, STINT_CHANNEL_OPTIONS(.backoff_max = BACKOFF_MAX), &err),
              &err);
    return ch;
}

/* ---- nodes ---- */

static void start_server(struct node *n)
{
    char name[WORLD_NAME_MAX], url[WORLD_NAME_MAX + 8];
    stint_error err;
    const stint_server_options *opts =
        STINT_SERVER_OPTIONS(.workers = n->plan->workers, .max_queue = n->plan->max_queue,
                             .reply_reserve = n->plan->no_reply_reserve ? -1 : 0,
                             .max_timeout = MAX_TIMEOUT);
    world_name(n->index, name);
    snprintf(url, sizeof url, "mem://%s", name);
    expect_ok(stint_server_new(&n->server, opts, &err), &err);
    expect_ok(service_register(n, &err), &err);
    expect_ok(stint_server_listen(n->server, url, &err), &err);
    expect_ok(stint_server_start(n->server, &err), &err);
}

void node_start(struct world *w, struct node *n)
{
    int before = skew_enter(n->plan->host);
    for (unsigned k = 0; k < n->plan->n_children; k++)
        n->children[k] = open_channel(n->plan->children[k]);
    start_server(n);
    skew_enter(before);
    (void)w;
}

void node_stop(struct node *n, stint_duration grace)
{
    int before = skew_enter(n->plan->host);
    if (grace > 0) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), grace);
        stint_code code = stint_server_drain(n->server, ctx, NULL);
        trace("service %u has drained: %s", n->index, stint_code_name(code));
        stint_ctx_drop(ctx);
    }
    stint_server_free(n->server);
    n->server = NULL;
    while (n->running > 0) /* tickets outlive their server */
        fiber_wait(&n->running, false);
    for (unsigned k = 0; k < n->plan->n_children; k++) {
        stint_channel_close(n->children[k]);
        n->children[k] = NULL;
    }
    skew_enter(before);
}

/* ---- all of them ---- */

static void set_network(const struct plan *p)
{
    char name[WORLD_NAME_MAX];
    for (uint32_t i = 0; i < p->n_services; i++) {
        world_name(i, name);
        stint__mem_set_faults(name, &p->services[i].net);
    }
}

void world_open(struct world *w, const struct plan *p)
{
    *w = (struct world){
        .plan = p,
        .nodes = allocate(p->n_services, sizeof *w->nodes),
        .entries = allocate(p->n_entries, sizeof(stint_channel *)),
        .edge_host = (int)p->n_hosts - 1,
    };
    stint__mem_reset();
    stint__mem_set_seed(p->seed);
    set_network(p);
    for (uint32_t i = 0; i < p->n_services; i++) {
        w->nodes[i].plan = &p->services[i];
        w->nodes[i].index = i;
        node_start(w, &w->nodes[i]);
    }
    int before = skew_enter(w->edge_host);
    for (uint32_t i = 0; i < p->n_entries; i++)
        w->entries[i] = open_channel(p->entries[i]);
    skew_enter(before);
}

void world_close(struct world *w)
{
    stint__mem_reset(); /* a partition must not hold up the end */
    int before = skew_enter(w->edge_host);
    for (uint32_t i = 0; i < w->plan->n_entries; i++)
        stint_channel_close(w->entries[i]);
    skew_enter(before);
    for (uint32_t i = 0; i < w->plan->n_services; i++)
        node_stop(&w->nodes[i], 0);
    stint__net_quiesce();
    free(w->nodes);
    free(w->entries);
}
