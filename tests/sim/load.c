/* load.c - see the header.
 *
 * Requests come as they come (open loop): nobody waits for an answer before the next one is sent.
 * Every trouble is a fiber of its own. One thread, no locks: see fiber.h. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#include "fiber.h"
#include "trace.h"

struct load {
    struct world *world;
    unsigned requests; /* under way */
};

/* ---- requests ---- */

struct request {
    struct load *load;
    stint_ctx *ctx;
    stint_ctx *patience; /* done when the caller gives up; NULL: it never does */
    stint_hook hook;
};

static void request_over(void *arg, stint_code code, uint64_t sum, const stint_error *err)
{
    struct request *r = arg;
    (void)code;
    (void)sum;
    (void)err;
    if (r->patience != NULL)
        (void)stint_hook_stop(&r->hook);
    stint_ctx_drop(r->patience);
    stint_ctx_drop(r->ctx);
    if (--r->load->requests == 0)
        fiber_wake(&r->load->requests, true);
    free(r);
}

static void give_up(void *arg)
{
    struct request *r = arg;
    trace("a caller gives up");
    stint_ctx_cancel(r->ctx, STINT_CANCELLED, "the caller gave up");
}

/* From what can never be enough to more than plenty; some have none at all. */
static stint_ctx *make_deadline(const struct plan *p, uint32_t entry, struct dice *d)
{
    static const double factors[] = {0.3, 0.8, 1.2, 2, 3, 5, 10};
    double typical = (double)(plan_time_of(p, entry) + STINT_MS(1));
    if (dice_percent(d, 3))
        return stint_ctx_with_cancel(stint_ctx_background());
    stint_duration timeout =
        (stint_duration)(typical * factors[dice_below(d, 7)] * (0.5 + dice_unit(d)));
    return stint_ctx_with_timeout(stint_ctx_background(), plan_round(p->tick, timeout));
}

static void make_request(struct load *l, struct dice *d)
{
    const struct plan *p = l->world->plan;
    uint32_t which = dice_below(d, p->n_entries);
    uint32_t entry = p->entries[which];
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->load = l;
    r->ctx = make_deadline(p, entry, d);
    stint_duration patience = plan_round(p->tick, dice_between(d, 1, plan_time_of(p, entry) + 1));
    if (dice_percent(d, p->cancel_percent)) {
        r->patience = stint_ctx_with_timeout(stint_ctx_background(), patience);
        if (!stint_ctx_after(r->patience, &r->hook, give_up, r))
            abort(); /* no time has passed */
    }
    l->requests++;
    service_call_async(r->ctx, l->world->entries[which], &l->world->nodes[entry], 0, request_over,
                       r);
}

static void *make_requests(void *arg)
{
    struct load *l = arg;
    const struct plan *p = l->world->plan;
    struct dice d = dice_of(p->seed, 2);
    for (uint32_t i = 0; i < p->n_requests; i++) {
        bool overload = p->overload && i >= p->n_requests / 3 && i < p->n_requests / 3 * 2;
        stint_duration pause =
            dice_duration(&d, DIST_EXPONENTIAL, overload ? p->interval / 4 : p->interval);
        (void)!stint_ctx_sleep(stint_ctx_background(), plan_round(p->tick, pause));
        make_request(l, &d);
    }
    while (l->requests > 0)
        fiber_wait(&l->requests, false);
    return NULL;
}

/* ---- trouble ---- */

struct trouble_maker {
    struct load *load;
    const struct trouble_plan *plan;
};

static void sleep_for(stint_duration d)
{
    (void)!stint_ctx_sleep(stint_ctx_background(), d);
}

static void partition(const char *name, const struct node *n, stint_duration last)
{
    struct stint__mem_faults faults = n->plan->net;
    faults.partitioned = true;
    stint__mem_set_faults(name, &faults);
    sleep_for(last);
    stint__mem_set_faults(name, &n->plan->net);
}

/* Nobody listens until it is back. What runs in the node is cancelled. */
static void stop(struct world *w, struct node *n, stint_duration last)
{
    node_stop(n, 0);
    sleep_for(last);
    node_start(w, n);
}

static void *make_trouble(void *arg)
{
    const struct trouble_maker *m = arg;
    const struct trouble_plan *t = m->plan;
    struct world *w = m->load->world;
    struct node *n = &w->nodes[t->service];
    char name[WORLD_NAME_MAX];
    world_name(t->service, name);
    sleep_for(t->at);
    if (n->troubled)
        return NULL;
    n->troubled = true;
    trace("%s of service %u for %.6f ms", plan_trouble_name(t->kind), t->service,
          (double)t->last / 1e6);
    switch (t->kind) {
    case TROUBLE_PARTITION:
        partition(name, n, t->last);
        break;
    case TROUBLE_CUT:
        stint__mem_cut(name);
        break;
    case TROUBLE_CRASH:
        stint__mem_cut(name); /* first, so that nothing that the end of the server says gets out */
        stop(w, n, t->last);
        break;
    case TROUBLE_STOP:
        stop(w, n, t->last);
        break;
    case TROUBLE_DRAIN:
    case TROUBLE_COUNT:
        node_stop(n, t->last);
        node_start(w, n);
        break;
    }
    trace("service %u has got over it", t->service);
    n->troubled = false;
    return NULL;
}

/* ---- all of it ---- */

void load_run(struct world *w)
{
    struct load load = {.world = w};
    struct trouble_maker makers[PLAN_TROUBLES_MAX];
    struct fiber *fibers[PLAN_TROUBLES_MAX];
    int before = skew_enter(w->edge_host);
    struct fiber *edge = fiber_start(make_requests, &load);
    skew_enter(HOST_WORLD);
    for (uint32_t i = 0; i < w->plan->n_troubles; i++) {
        makers[i] = (struct trouble_maker){&load, &w->plan->troubles[i]};
        fibers[i] = fiber_start(make_trouble, &makers[i]);
    }
    skew_enter(before);
    (void)fiber_join(edge);
    for (uint32_t i = 0; i < w->plan->n_troubles; i++)
        (void)fiber_join(fibers[i]);
}
