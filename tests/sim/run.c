/* run.c - see the header. */
#include "run.h"

#include <stdio.h>

#include "fiber.h"
#include "held.h"
#include "load.h"
#include "plan.h"
#include "skew.h"
#include "trace.h"
#include "world.h"

/* Virtual time after which a run must have ended by itself. */
#define RUN_MAX STINT_SECONDS(600)

/* What is under way still when everything is closed arrives, or not, in this time. */
#define LAST_WORDS STINT_SECONDS(1)

static bool pass_time(bool now)
{
    if (!skew_step(now ? skew_world_now() : (stint_time){SKEW_START + RUN_MAX}))
        return false;
    fiber_wake_impatient();
    return true;
}

static void describe(const struct plan *p)
{
    trace("seed %llu: %u services, %u entries, %u hosts, %u requests every %.6f ms%s, %u troubles",
          (unsigned long long)p->seed, p->n_services, p->n_entries, p->n_hosts, p->n_requests,
          (double)p->interval / 1e6, p->overload ? " with an overload" : "", p->n_troubles);
    for (uint32_t i = 0; i < p->n_services; i++) {
        const struct service_plan *s = &p->services[i];
        trace("service %u: host %d, level %u, %s, %u workers, %.6f ms, calls %u others", i, s->host,
              s->level, plan_style_name(s->style), s->workers, (double)s->mean / 1e6,
              s->n_children);
    }
}

static void *simulate(void *arg)
{
    const struct plan *p = arg;
    struct world w;
    world_open(&w, p);
    load_run(&w);
    world_close(&w);
    (void)!stint_ctx_sleep(stint_ctx_background(), LAST_WORDS);
    return NULL;
}

static void check_held(const struct held *before)
{
    struct held now = held_look();
    if (now.contexts != before->contexts)
        trace_violation("%zu contexts are not freed", now.contexts - before->contexts);
    if (now.timers != before->timers)
        trace_violation("%zu timers are armed still", now.timers - before->timers);
    /* The heap of the timers and the network's table may be kept. */
    if (now.allocations > before->allocations + 1)
        trace_violation("%zu allocations are not freed", now.allocations - before->allocations);
}

struct run_result run_seed(uint64_t seed, bool verbose)
{
    static struct plan plan; /* large */
    plan_make(&plan, seed);
    struct held before = held_look();
    skew_begin(plan.hosts, plan.n_hosts);
    trace_begin(verbose);
    history_begin(&plan);
    describe(&plan);
    const struct fiber_options opts = {seed, plan.preempt_one_in, pass_time};
    fibers_run(&opts, simulate, &plan);
    history_end();
    trace("the end, after %llu switches", (unsigned long long)fibers_switches());
    skew_end();
    check_held(&before);
    return (struct run_result){trace_violations(), trace_hash(), plan.n_services,
                               *history_summary()};
}
