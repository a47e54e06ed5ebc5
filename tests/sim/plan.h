/* plan.h - what a seed stands for: services and who calls whom, hosts and their clocks, the load,
 * and what goes wrong. A pure function of the seed. */
#ifndef STINT_TESTS_SIM_PLAN_H
#define STINT_TESTS_SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dice.h"
#include "net.h"
#include "skew.h"

#define PLAN_SERVICES_MAX 1000
#define PLAN_LEVELS_MAX   8
#define PLAN_CHILDREN_MAX 4

/* How a service works through a call. */
enum style {
    STYLE_SEQUENCE, /* a worker: calls one after the other, on legs of a budget */
    STYLE_GROUP,    /* a worker: calls at once, as a group */
    STYLE_DEFERRED, /* no worker: takes a ticket, calls at once, finishes from the last reply */
    STYLE_QUICK,    /* where the request was read: calls nobody, takes no time */
    STYLE_COUNT
};

struct service_plan {
    int host;
    unsigned level;
    enum style style;
    uint32_t children[PLAN_CHILDREN_MAX];
    unsigned n_children;
    uint32_t workers, max_queue;
    enum distribution dist;
    stint_duration mean;          /* of the time it works by itself */
    stint_duration reserve;       /* of its budget */
    stint_duration cap;           /* of each leg; 0: none */
    stint_duration stubborn;      /* goes on for so long at most after its call is over; 0: stops */
    bool hasty;                   /* its method declares a timeout */
    bool tolerant;                /* answers without those of its children that failed */
    uint32_t fail_percent;        /* fails by itself */
    bool no_reply_reserve;        /* a handler has all of its caller's time */
    uint32_t padding;             /* bytes in its replies */
    stint_duration tick;          /* as the plan's */
    struct stint__mem_faults net; /* of the way to it */
};

enum trouble {
    TROUBLE_PARTITION, /* nothing passes, until it heals */
    TROUBLE_CUT,       /* connections break */
    TROUBLE_CRASH,     /* connections break, and nobody is there for a while */
    TROUBLE_STOP,      /* a hard end, and nobody is there for a while */
    TROUBLE_DRAIN,     /* a graceful end, and a new one at once */
    TROUBLE_COUNT
};

struct trouble_plan {
    enum trouble kind;
    uint32_t service;
    stint_duration at;   /* after the beginning of the load */
    stint_duration last; /* how long */
};

#define PLAN_TROUBLES_MAX 32

struct plan {
    uint64_t seed;
    uint32_t n_services;
    struct service_plan services[PLAN_SERVICES_MAX]; /* callers before those they call */
    uint32_t n_entries;
    uint32_t entries[PLAN_SERVICES_MAX]; /* those that nobody calls */
    uint32_t n_hosts;
    struct skew_host hosts[PLAN_SERVICES_MAX + 1]; /* the last one is the edge's */
    uint32_t preempt_one_in;
    /* All lengths of time are multiples of this. Where it is long, and clocks agree, much happens
     * at the same instant: a reply comes just as the deadline does. */
    stint_duration tick;

    uint32_t n_requests;
    stint_duration interval; /* between requests, on average */
    bool overload;           /* the middle third comes four times as fast */
    uint32_t cancel_percent; /* requests that their caller gives up */

    uint32_t n_troubles;
    struct trouble_plan troubles[PLAN_TROUBLES_MAX];
};

void plan_make(struct plan *p, uint64_t seed);

/* d, rounded up to ticks. */
stint_duration plan_round(stint_duration tick, stint_duration d);

/* How long a call of service i takes, on average and with nobody else there. */
stint_duration plan_time_of(const struct plan *p, uint32_t i);

const char *plan_style_name(enum style style);
const char *plan_trouble_name(enum trouble kind);

#endif
