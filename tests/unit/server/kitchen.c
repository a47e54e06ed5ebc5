/* kitchen.c - see kitchen.h. */
#include "kitchen.h"

#include <string.h>
#include <time.h>

#include "unit.h"

static stint_code call_below(struct kitchen *k, const stint_ctx *ctx, stint_call *call)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    stint_error err;
    stint_code code = probe_v1_probe_work(ctx, k->below, &req, &rep, &err);
    probe__v1__reply__free_unpacked(rep, NULL);
    return code == STINT_OK ? code : stint_call_fail_from(call, &err);
}

static stint_code work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    struct kitchen *k = self;
    (void)req, (void)rep;
    atomic_fetch_add(&k->executed, 1);
    atomic_store(&k->had, stint_ctx_remaining(ctx));
    event_raise(&k->entered);
    if (k->below != NULL)
        return call_below(k, ctx, call);
    return stint_ctx_sleep(ctx, atomic_load(&k->takes));
}

static stint_code careful(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                          Probe__V1__Reply *rep, stint_call *call)
{
    struct kitchen *k = self;
    (void)req, (void)rep, (void)call;
    atomic_fetch_add(&k->executed, 1);
    atomic_store(&k->had, stint_ctx_remaining(ctx));
    event_raise(&k->entered);
    long long own = atomic_load(&k->careful);
    return stint_ctx_sleep(ctx, own != 0 ? own : atomic_load(&k->takes));
}

static stint_code quick(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct kitchen *k = self;
    (void)ctx, (void)req, (void)rep, (void)call;
    atomic_fetch_add(&k->executed, 1);
    return STINT_OK;
}

static stint_code later(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct kitchen *k = self;
    stint_ticket *ticket;
    (void)ctx, (void)req, (void)rep;
    atomic_fetch_add(&k->executed, 1);
    if (stint_call_defer(call, &ticket, NULL) != STINT_OK)
        return STINT_RESOURCE_EXHAUSTED;
    k->tickets[atomic_fetch_add(&k->n_tickets, 1) % KITCHEN_TICKETS] = ticket;
    event_raise(&k->deferred);
    return STINT_DEFERRED;
}

static int64_t cpu_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return STINT_SECONDS(ts.tv_sec) + ts.tv_nsec;
}

static stint_code hasty(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct kitchen *k = self;
    (void)req, (void)rep, (void)call;
    int64_t began = cpu_now();
    atomic_fetch_add(&k->executed, 1);
    event_raise(&k->entered);
    while (stint_ctx_err(ctx) == STINT_OK)
        continue;
    int64_t seen = cpu_now();
    while (cpu_now() - seen < KITCHEN_BURNS_ON)
        continue;
    atomic_store(&k->burnt, cpu_now() - began);
    return stint_ctx_err(ctx);
}

const probe_v1_probe_ops kitchen_ops = {
    .quick = quick, .work = work, .later = later, .hasty = hasty, .careful = careful};

void kitchen_init(struct kitchen *k, stint_duration takes)
{
    memset(k, 0, sizeof *k);
    atomic_store(&k->takes, takes);
    event_init(&k->entered);
    event_init(&k->deferred);
}

void kitchen_fini(struct kitchen *k)
{
    event_fini(&k->entered);
    event_fini(&k->deferred);
}

struct desk *kitchen_open(struct kitchen *k, const char *name, stint_duration takes)
{
    struct desk *d = desk_new();
    kitchen_init(k, takes);
    desk_start(d, name, &kitchen_ops, k);
    return d;
}

void kitchen_wait(stint_duration d)
{
    assert_int_equal(stint_ctx_sleep(stint_ctx_background(), d), STINT_OK);
}
