/* kitchen.h - handlers for a desk (desk.h): they take as long as the test says. */
#ifndef STINT_TESTS_KITCHEN_H
#define STINT_TESTS_KITCHEN_H

#include <stdatomic.h>

#include "desk.h"

#define KITCHEN_TICKETS 64

struct kitchen {
    atomic_llong takes;    /* each call sleeps so long, in ns; */
    atomic_llong careful;  /* if not 0, each Careful */
    atomic_llong had;      /* what the last one had left when it began */
    atomic_uint executed;  /* handlers that ran */
    struct event entered;  /* raised by each */
    stint_channel *below;  /* other than NULL: Work calls Work there, instead of sleeping */
    atomic_uint n_tickets; /* of Later, in order */
    stint_ticket *tickets[KITCHEN_TICKETS];
    struct event deferred; /* raised by each */
    atomic_llong burnt;    /* CPU time of the last Hasty, which burns on after its cancel, in ns */
};

/* Work and Careful sleep, Quick returns, Later defers, Hasty burns until it is cancelled, and on.
 */
extern const probe_v1_probe_ops kitchen_ops;

#define KITCHEN_BURNS_ON STINT_MS(20)

void kitchen_init(struct kitchen *k, stint_duration takes);
void kitchen_fini(struct kitchen *k);

/* A desk with one worker and that kitchen. */
struct desk *kitchen_open(struct kitchen *k, const char *name, stint_duration takes);

/* Lets (virtual) time pass. */
void kitchen_wait(stint_duration d);

#endif
