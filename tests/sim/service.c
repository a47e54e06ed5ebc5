/* service.c - what a node does with a call: work for a while, call others, answer with what came of
 * it. Written as a user of the library would write it; only that it reports to the history.
 *
 * How long a call works is drawn from dice of its own, so that it does not depend on what else
 * happens. One thread, no locks: see fiber.h. */
#include <stdlib.h>
#include <string.h>

#include "fiber.h"
#include "held.h"
#include "history.h"
#include "sim/v1/sim.stint.h"
#include "trace.h"
#include "world.h"

#define HASTE STINT_MS(30) /* as sim.proto declares it */

static struct dice dice_of_call(const struct node *n, uint64_t call)
{
    return dice_of(call, 1000 + n->index);
}

static stint_duration draw_work(const struct node *n, struct dice *d)
{
    return plan_round(n->plan->tick, dice_duration(d, n->plan->dist, n->plan->mean));
}

static uint64_t own_sum(const struct node *n)
{
    return n->index + 1;
}

/* ---- calls of others ---- */

static stint_duration timeout_of(const struct service_plan *s)
{
    return s->hasty ? HASTE : 0;
}

/* The node's children are called by index: what is behind the channel is in the plan. */
static struct node *child_of(struct node *n, unsigned k)
{
    return n - n->index + n->plan->children[k];
}

static Sim__V1__Request request_of(uint64_t call)
{
    Sim__V1__Request req = SIM__V1__REQUEST__INIT;
    req.call = call;
    return req;
}

/* Notes how a call has ended; frees the reply and returns its sum. */
static uint64_t take_reply(uint64_t call, stint_code code, Sim__V1__Reply *rep,
                           const stint_error *err)
{
    uint64_t sum = rep != NULL ? rep->sum : 0;
    if (rep != NULL && rep->call != call)
        trace_violation("call %llu got the reply of call %llu", (unsigned long long)call,
                        (unsigned long long)rep->call);
    if (rep != NULL)
        sim__v1__reply__free_unpacked(rep, held_allocator());
    history_status(call, code, err, sum);
    return sum;
}

static stint_code call_and_wait(const stint_ctx *ctx, stint_channel *ch, const struct node *to,
                                uint64_t caller, uint64_t *ret_sum, stint_error *err)
{
    uint64_t call = history_call(caller, to->index, ctx, timeout_of(to->plan));
    Sim__V1__Request req = request_of(call);
    Sim__V1__Reply *rep = NULL;
    stint_code code = to->plan->style == STYLE_QUICK ? sim_v1_node_quick(ctx, ch, &req, &rep, err)
                      : to->plan->hasty              ? sim_v1_node_hasty(ctx, ch, &req, &rep, err)
                                                     : sim_v1_node_work(ctx, ch, &req, &rep, err);
    *ret_sum = take_reply(call, code, rep, err);
    return code;
}

struct async {
    uint64_t call;
    service_then *then;
    void *arg;
};

static void async_done(void *arg, stint_code code, Sim__V1__Reply *rep, const stint_error *err)
{
    struct async a = *(struct async *)arg;
    free(arg);
    uint64_t sum = take_reply(a.call, code, rep, err);
    a.then(a.arg, code, sum, err);
}

void service_call_async(const stint_ctx *ctx, stint_channel *ch, struct node *n, uint64_t caller,
                        service_then *then, void *arg)
{
    struct async *a = calloc(1, sizeof *a);
    if (a == NULL)
        abort();
    *a = (struct async){history_call(caller, n->index, ctx, timeout_of(n->plan)), then, arg};
    Sim__V1__Request req = request_of(a->call);
    stint_error err;
    stint_code code = n->plan->style == STYLE_QUICK
                          ? sim_v1_node_quick_async(ctx, ch, &req, async_done, a, &err)
                      : n->plan->hasty ? sim_v1_node_hasty_async(ctx, ch, &req, async_done, a, &err)
                                       : sim_v1_node_work_async(ctx, ch, &req, async_done, a, &err);
    if (code != STINT_OK)
        async_done(a, code, NULL, &err);
}

/* ---- one execution ---- */

static void begin(struct node *n, uint64_t call, const stint_ctx *ctx, const stint_call *c)
{
    n->running++;
    history_started(call, n->index, ctx, stint_call_arrival(c));
}

static void end(struct node *n, uint64_t call)
{
    history_ended(call, n->plan->stubborn);
    if (--n->running == 0)
        fiber_wake(&n->running, true);
}

static bool fails_by_itself(const struct node *n, struct dice *d)
{
    return n->plan->fail_percent > 0 && dice_percent(d, n->plan->fail_percent);
}

/* Works; a stubborn service does not stop at once when nobody waits any more. */
static void work_for(const struct node *n, const stint_ctx *ctx, stint_duration d)
{
    stint_time begun = stint_now();
    if (stint_ctx_sleep(ctx, d) == STINT_OK || n->plan->stubborn == 0)
        return;
    stint_duration left = d - stint_time_sub(stint_now(), begun);
    (void)!stint_ctx_sleep(stint_ctx_background(),
                           left < n->plan->stubborn ? left : n->plan->stubborn);
}

/* One after the other. Other than OK: a child has failed, err says how. */
static stint_code call_in_sequence(struct node *n, const stint_ctx *ctx, uint64_t call,
                                   uint64_t *sum, stint_error *err)
{
    STINT_BUDGET(budget, ctx, n->plan->n_children, n->plan->reserve);
    for (unsigned k = 0; k < n->plan->n_children; k++) {
        const stint_ctx *leg = stint_budget_next(&budget);
        STINT_AUTO_CTX capped = n->plan->cap > 0 ? stint_ctx_with_cap(leg, n->plan->cap, 0) : NULL;
        uint64_t child_sum;
        stint_code code = call_and_wait(capped != NULL ? capped : leg, n->children[k],
                                        child_of(n, k), call, &child_sum, err);
        if (code != STINT_OK && !n->plan->tolerant)
            return code;
        *sum += child_sum;
    }
    return STINT_OK;
}

static void group_invoke(stint_group *g, stint_channel *ch, const struct node *to,
                         const Sim__V1__Request *req, Sim__V1__Reply **ret)
{
    if (to->plan->style == STYLE_QUICK)
        sim_v1_node_quick_group(g, ch, req, ret);
    else if (to->plan->hasty)
        sim_v1_node_hasty_group(g, ch, req, ret);
    else
        sim_v1_node_work_group(g, ch, req, ret);
}

/* All at once. When they have ended is known only of the group, which waits for the last of them;
 * and of a call that fails in it, only the group's error. */
static stint_code call_as_group(struct node *n, const stint_ctx *ctx, uint64_t call, uint64_t *sum,
                                stint_error *err)
{
    uint64_t calls[PLAN_CHILDREN_MAX];
    Sim__V1__Reply *replies[PLAN_CHILDREN_MAX];
    stint_group *g = stint_group_new(ctx, n->plan->reserve);
    for (unsigned k = 0; k < n->plan->n_children; k++) {
        const struct node *to = child_of(n, k);
        calls[k] = history_call(call, to->index, stint_group_ctx(g), 0);
        Sim__V1__Request req = request_of(calls[k]);
        group_invoke(g, n->children[k], to, &req, &replies[k]);
    }
    stint_code code = stint_group_wait(g, err);
    for (unsigned k = 0; k < n->plan->n_children; k++)
        *sum +=
            take_reply(calls[k], replies[k] != NULL ? STINT_OK : STINT_UNKNOWN, replies[k], NULL);
    return n->plan->tolerant ? STINT_OK : code;
}

static stint_code handle(struct node *n, const stint_ctx *ctx, uint64_t call, uint64_t *sum,
                         stint_call *c)
{
    struct dice d = dice_of_call(n, call);
    stint_error err;
    *sum = own_sum(n);
    work_for(n, ctx, draw_work(n, &d));
    if (fails_by_itself(n, &d))
        return stint_call_fail(c, STINT_ABORTED, "service %u fails now and then", n->index);
    stint_code code = n->plan->style == STYLE_GROUP ? call_as_group(n, ctx, call, sum, &err)
                                                    : call_in_sequence(n, ctx, call, sum, &err);
    return code == STINT_OK ? STINT_OK : stint_call_fail_from(c, &err);
}

static void fill_reply(const struct node *n, uint64_t call, uint64_t sum, Sim__V1__Reply *rep)
{
    static uint8_t zeros[8192];
    rep->call = call;
    rep->sum = sum;
    rep->padding = (ProtobufCBinaryData){n->plan->padding, zeros};
}

/* ---- deferred executions ---- */

struct deferred {
    struct node *node;
    stint_ticket *ticket;
    uint64_t call, sum;
    unsigned pending; /* children, and the beginning */
    stint_code code;
    stint_duration work;
    stint_ctx *legs; /* what its calls run under */
    stint_ctx *timer;
    stint_hook hook;
};

static void deferred_finish(void *arg)
{
    struct deferred *d = arg;
    Sim__V1__Reply rep = SIM__V1__REPLY__INIT;
    fill_reply(d->node, d->call, d->sum, &rep);
    history_answers(d->call, d->code, d->sum);
    end(d->node, d->call);
    sim_v1_node_work_finish(d->ticket, d->code, &rep, "a service below failed");
    stint_ctx_drop(d->legs);
    stint_ctx_drop(d->timer);
    free(d);
}

/* All children have answered: works for a while, without a thread. */
static void deferred_work(struct deferred *d)
{
    bool stubborn = d->node->plan->stubborn > 0;
    stint_duration most = stubborn ? d->node->plan->stubborn : d->work;
    d->timer =
        stint_ctx_with_timeout(stubborn ? stint_ctx_background() : stint_ticket_ctx(d->ticket),
                               d->work < most ? d->work : most);
    if (!stint_ctx_after(d->timer, &d->hook, deferred_finish, d))
        deferred_finish(d);
}

static void deferred_child_done(void *arg, stint_code code, uint64_t sum, const stint_error *err)
{
    struct deferred *d = arg;
    (void)err;
    if (code == STINT_OK)
        d->sum += sum;
    else if (!d->node->plan->tolerant && d->code == STINT_OK)
        d->code = code;
    if (--d->pending == 0)
        deferred_work(d);
}

static stint_code defer(struct node *n, const stint_ctx *ctx, uint64_t call, stint_call *c)
{
    struct dice dice = dice_of_call(n, call);
    struct deferred *d = calloc(1, sizeof *d);
    stint_error err;
    if (d == NULL || stint_call_defer(c, &d->ticket, &err) != STINT_OK)
        abort();
    d->node = n;
    d->call = call;
    d->sum = own_sum(n);
    d->work = draw_work(n, &dice);
    if (fails_by_itself(n, &dice))
        d->code = STINT_ABORTED;
    d->pending = 1;
    d->legs = stint_ctx_with_reserve(ctx, n->plan->reserve);
    for (unsigned k = 0; k < n->plan->n_children; k++) {
        d->pending++;
        service_call_async(d->legs, n->children[k], child_of(n, k), call, deferred_child_done, d);
    }
    deferred_child_done(d, STINT_OK, 0, NULL);
    return STINT_DEFERRED;
}

/* ---- the service ---- */

static stint_code on_work(void *self, const stint_ctx *ctx, const Sim__V1__Request *req,
                          Sim__V1__Reply *rep, stint_call *c)
{
    struct node *n = self;
    uint64_t call = req->call, sum;
    begin(n, call, ctx, c);
    if (n->plan->style == STYLE_DEFERRED)
        return defer(n, ctx, call, c);
    stint_code code = handle(n, ctx, call, &sum, c);
    fill_reply(n, call, sum, rep);
    history_answers(call, code, sum);
    end(n, call);
    return code;
}

static stint_code on_quick(void *self, const stint_ctx *ctx, const Sim__V1__Request *req,
                           Sim__V1__Reply *rep, stint_call *c)
{
    struct node *n = self;
    begin(n, req->call, ctx, c);
    fill_reply(n, req->call, own_sum(n), rep);
    history_answers(req->call, STINT_OK, own_sum(n));
    end(n, req->call);
    return STINT_OK;
}

stint_code service_register(struct node *n, stint_error *err)
{
    static const sim_v1_node_ops ops = {.work = on_work, .quick = on_quick, .hasty = on_work};
    return sim_v1_node_register(n->server, &ops, n, err);
}
