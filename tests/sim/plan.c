/* plan.c - see the header.
 *
 * The graph has levels: a service calls services of deeper levels only, so there is no circle and a
 * request goes over eight hops at most. Services are made from the deepest level up, and none calls
 * so many that one request would make more than COST_MAX calls. */
#include "plan.h"

#include <string.h>

#define COST_MAX       40 /* calls that one request makes, all hops together */
#define CALLS_WANTED   1500
#define REQUESTS_MIN   30
#define REQUESTS_MAX   600
#define WORKERS_MAX    4
#define DOMAIN_OF_HOST 1000 /* whatever, but not 0 */

const char *plan_style_name(enum style style)
{
    static const char *const names[STYLE_COUNT] = {"sequence", "group", "deferred", "quick"};
    return names[style];
}

const char *plan_trouble_name(enum trouble kind)
{
    static const char *const names[TROUBLE_COUNT] = {"partition", "cut", "crash", "stop", "drain"};
    return names[kind];
}

/* ---- how many ---- */

/* Every size comes up: of a hundred seeds in a row one has 1,000 services and four more hundreds of
 * them, twelve have dozens, and most are small enough to read. */
static uint32_t choose_size(struct dice *d, uint64_t seed)
{
    if (seed % 100 == 99)
        return PLAN_SERVICES_MAX;
    if (seed % 25 == 24)
        return (uint32_t)dice_between(d, 151, 600);
    if (seed % 8 == 7)
        return (uint32_t)dice_between(d, 41, 150);
    if (seed % 8 >= 4)
        return (uint32_t)dice_between(d, 9, 40);
    return (uint32_t)dice_between(d, 1, 8);
}

stint_duration plan_round(stint_duration tick, stint_duration d)
{
    return (d + tick - 1) / tick * tick;
}

static void make_hosts(struct plan *p, struct dice *d)
{
    bool skewed = p->tick == 1 && dice_percent(d, 90);
    uint32_t most = dice_percent(d, 20) ? 1 + p->n_services / 10 : p->n_services;
    p->n_hosts = 1 + (uint32_t)dice_between(d, (most + 1) / 2, most); /* the edge has its own */
    for (uint32_t i = 0; i < p->n_hosts; i++) {
        p->hosts[i] = (struct skew_host){.domain = DOMAIN_OF_HOST + i};
        if (!skewed)
            continue;
        p->hosts[i].offset = dice_between(d, -STINT_SECONDS(50000), STINT_SECONDS(50000));
        p->hosts[i].ppm = (int32_t)dice_between(d, -SKEW_PPM_MAX, SKEW_PPM_MAX);
    }
}

/* ---- who calls whom ---- */

/* Sorted by level, and at least one service on each. */
static void choose_levels(struct plan *p, struct dice *d)
{
    uint32_t levels = 1 + dice_below(d, PLAN_LEVELS_MAX);
    if (levels > p->n_services)
        levels = p->n_services;
    for (uint32_t i = 0; i < p->n_services; i++)
        p->services[i].level = (unsigned)((uint64_t)i * levels / p->n_services);
}

/* The first service that is deeper than service i; n_services if none is. */
static uint32_t first_below(const struct plan *p, uint32_t i)
{
    uint32_t below = i + 1;
    while (below < p->n_services && p->services[below].level == p->services[i].level)
        below++;
    return below;
}

static void add_children(struct plan *p, struct dice *d, uint32_t i, uint32_t *cost)
{
    struct service_plan *s = &p->services[i];
    uint32_t below = first_below(p, i);
    cost[i] = 1;
    if (below == p->n_services)
        return;
    unsigned wanted = 1 + dice_below(d, PLAN_CHILDREN_MAX);
    uint32_t near =
        first_below(p, below) - below; /* mostly the next level, so that paths are long */
    for (unsigned k = 0; k < wanted; k++) {
        uint32_t span = dice_percent(d, 75) ? near : p->n_services - below;
        uint32_t child = below + dice_below(d, span);
        if (cost[i] + cost[child] > COST_MAX)
            continue;
        s->children[s->n_children++] = child;
        cost[i] += cost[child];
    }
}

static void find_entries(struct plan *p)
{
    bool called[PLAN_SERVICES_MAX] = {false};
    for (uint32_t i = 0; i < p->n_services; i++)
        for (unsigned k = 0; k < p->services[i].n_children; k++)
            called[p->services[i].children[k]] = true;
    p->n_entries = 1; /* nothing is above the first one */
    for (uint32_t i = 1; i < p->n_services; i++)
        if (!called[i])
            p->entries[p->n_entries++] = i;
}

/* ---- what a service does ---- */

static enum style choose_style(struct dice *d, unsigned n_children)
{
    if (n_children == 0 && dice_percent(d, 15))
        return STYLE_QUICK;
    if (dice_percent(d, 25))
        return STYLE_DEFERRED;
    return dice_percent(d, 60) ? STYLE_SEQUENCE : STYLE_GROUP;
}

static void make_network(struct stint__mem_faults *net, struct dice *d)
{
    if (dice_percent(d, 30))
        return; /* at once, without loss */
    net->delay = dice_between(d, 0, STINT_MS(3));
    if (dice_percent(d, 50))
        net->jitter = dice_between(d, 0, STINT_MS(2));
    if (dice_percent(d, 10))
        net->window = (size_t)dice_between(d, 200, 4000);
}

static void round_times(struct service_plan *s, stint_duration tick)
{
    s->tick = tick;
    s->mean = plan_round(tick, s->mean);
    s->reserve = plan_round(tick, s->reserve);
    s->cap = plan_round(tick, s->cap);
    s->stubborn = plan_round(tick, s->stubborn);
    s->net.delay = plan_round(tick, s->net.delay);
    if (tick == 1)
        return;
    s->net.jitter = 0;
    s->no_reply_reserve = s->tolerant || s->net.delay == 0;
}

static void make_service(struct plan *p, struct dice *d, uint32_t i)
{
    struct service_plan *s = &p->services[i];
    s->host = (int)dice_below(d, p->n_hosts - 1);
    s->style = choose_style(d, s->n_children);
    s->workers = 1 + dice_below(d, p->n_services > 100 ? 2 : WORKERS_MAX);
    s->max_queue = dice_percent(d, 30) ? 1 + dice_below(d, 8) : 0;
    s->dist = (enum distribution)dice_below(d, DIST_COUNT);
    s->mean = s->style == STYLE_QUICK ? 0 : dice_between(d, STINT_US(50), STINT_MS(8));
    s->reserve = dice_percent(d, 50) ? dice_between(d, 0, STINT_MS(3)) : 0;
    s->cap = dice_percent(d, 15) ? dice_between(d, STINT_MS(1), STINT_MS(40)) : 0;
    s->stubborn = dice_percent(d, 15) ? dice_between(d, STINT_MS(1), STINT_MS(100)) : 0;
    s->hasty = s->style != STYLE_QUICK && dice_percent(d, 15);
    s->tolerant = dice_percent(d, 25);
    s->fail_percent = dice_percent(d, 20) ? 1 + dice_below(d, 20) : 0;
    s->padding = dice_percent(d, 10) ? dice_below(d, 5000) : dice_below(d, 50);
    make_network(&s->net, d);
    round_times(s, p->tick);
}

/* ---- load and trouble ---- */

stint_duration plan_time_of(const struct plan *p, uint32_t i)
{
    const struct service_plan *s = &p->services[i];
    stint_duration together = 0, longest = 0;
    for (unsigned k = 0; k < s->n_children; k++) {
        stint_duration t = plan_time_of(p, s->children[k]);
        together += t;
        longest = t > longest ? t : longest;
    }
    stint_duration trip = 2 * s->net.delay + s->net.jitter;
    return trip + s->mean + (s->style == STYLE_SEQUENCE ? together : longest);
}

/* How long the busiest service works for one request, on average: what limits the throughput. */
static stint_duration bottleneck(const struct plan *p)
{
    static double visits[PLAN_SERVICES_MAX]; /* as large as this is, it is not for a stack */
    memset(visits, 0, sizeof visits);
    for (uint32_t i = 0; i < p->n_entries; i++)
        visits[p->entries[i]] = 1.0 / p->n_entries;
    double most = 1000; /* ns */
    for (uint32_t i = 0; i < p->n_services; i++) {
        const struct service_plan *s = &p->services[i];
        double work = visits[i] * (double)s->mean / s->workers;
        most = work > most ? work : most;
        for (unsigned k = 0; k < s->n_children; k++)
            visits[s->children[k]] += visits[i];
    }
    return (stint_duration)most;
}

static void make_load(struct plan *p, struct dice *d, const uint32_t *cost)
{
    static const double loads[] = {0.2, 0.5, 0.8, 1.1};
    uint64_t calls = cost[0];
    for (uint32_t i = 1; i < p->n_entries; i++)
        calls += cost[p->entries[i]];
    uint64_t requests = (uint64_t)CALLS_WANTED * p->n_entries / calls;
    if (p->n_services > 150)
        requests *= 2;
    p->n_requests = (uint32_t)(requests < REQUESTS_MIN   ? REQUESTS_MIN
                               : requests > REQUESTS_MAX ? REQUESTS_MAX
                                                         : requests);
    p->interval =
        plan_round(p->tick, (stint_duration)((double)bottleneck(p) / loads[dice_below(d, 4)]));
    p->overload = dice_percent(d, 50);
    p->cancel_percent = dice_percent(d, 50) ? dice_below(d, 30) : 0;
}

static void make_troubles(struct plan *p, struct dice *d)
{
    if (dice_percent(d, 30))
        return;
    stint_duration load = p->interval * p->n_requests;
    uint32_t most =
        p->n_services / 4 + 3 < PLAN_TROUBLES_MAX ? p->n_services / 4 + 3 : PLAN_TROUBLES_MAX;
    p->n_troubles = 1 + dice_below(d, most);
    for (uint32_t i = 0; i < p->n_troubles; i++)
        p->troubles[i] = (struct trouble_plan){
            .kind = (enum trouble)dice_below(d, TROUBLE_COUNT),
            .service = dice_below(d, p->n_services),
            .at = plan_round(p->tick, dice_between(d, 0, load)),
            .last = plan_round(p->tick, dice_between(d, STINT_MS(1), load / 4 + STINT_MS(50))),
        };
    if (!dice_percent(d, 40))
        return;
    for (uint32_t i = 0; i < p->n_services; i++)
        p->services[i].net.cut_ppm = dice_below(d, 5000);
}

void plan_make(struct plan *p, uint64_t seed)
{
    static uint32_t cost[PLAN_SERVICES_MAX];
    struct dice d = dice_of(seed, 1);
    memset(p, 0, sizeof *p);
    p->seed = seed;
    p->n_services = choose_size(&d, seed);
    p->tick = dice_percent(&d, 30) ? STINT_MS(1) : 1;
    if (p->tick > 1 || dice_percent(&d, 50))
        p->preempt_one_in = (uint32_t)dice_between(&d, 2, p->tick > 1 ? 20 : 100);
    make_hosts(p, &d);
    choose_levels(p, &d);
    for (uint32_t i = p->n_services; i-- > 0;) {
        add_children(p, &d, i, cost);
        make_service(p, &d, i);
    }
    find_entries(p);
    make_load(p, &d, cost);
    make_troubles(p, &d);
}
