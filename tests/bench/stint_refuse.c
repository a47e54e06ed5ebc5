/* stint_refuse.c - what a call costs that is refused: a closed loop like W2's, but of calls that
 * need not end well, and a count of how they ended. The server's role decides where they are
 * refused.
 *
 * A slot is touched by one thread at a time: the one that starts its call, then the one that runs
 * `ended`. */
#include "stint_bench.h"

#include <stdio.h>
#include <stdlib.h>

enum outcome {
    SERVED,
    REFUSED_HERE,  /* not sent */
    REFUSED_THERE, /* the server vouches that no handler ran */
    GIVEN_UP,      /* the deadline passed first: it waited in the server's queue */
    OUTCOMES,
};

struct slot {
    const struct opts *o;
    stint_channel *ch;
    uint8_t *payload;
    struct loop *loop;
    uint64_t outcomes[OUTCOMES];
    int index;
    int refused; /* plugs that were; any thread */
};

static enum outcome outcome_of(stint_code code, const stint_error *err)
{
    if (code == STINT_OK)
        return SERVED;
    if (!err->not_executed)
        return GIVEN_UP;
    return err->origin == STINT_ORIGIN_LOCAL ? REFUSED_HERE : REFUSED_THERE;
}

static void ended(void *arg, stint_code code, Bench__Msg *reply, const stint_error *err);

/* Begins a call that may take `budget`. False: it was refused here, and `ended` will not run. */
static int begin(struct slot *s, stint_duration budget, stint_error *err)
{
    Bench__Msg req = BENCH__MSG__INIT;
    stint_request_info info = stint_request_info_new();
    req.payload.data = s->payload;
    req.payload.len = (size_t)s->o->size;
    stint_ctx *timed = stint_ctx_with_timeout(stint_ctx_background(), budget);
    stint_ctx *ctx = stint_ctx_with_request_info(timed, &info);
    stint_ctx_unref(timed);
    stint_code code = bench_chain_call_async(ctx, s->ch, &req, ended, s, err);
    stint_ctx_unref(ctx); /* the call keeps its own reference */
    return code == STINT_OK;
}

/* The slot's next call: those that are refused at once, and then one that is not. */
static void next_call(struct slot *s)
{
    stint_error err;
    while (!begin(s, STINT_MS(s->o->deadline_ms), &err)) {
        s->outcomes[outcome_of(err.code, &err)]++;
        if (!loop_done(s->loop, s->index, 1))
            return;
    }
}

static void ended(void *arg, stint_code code, Bench__Msg *reply, const stint_error *err)
{
    struct slot *s = arg;
    bench__msg__free_unpacked(reply, NULL);
    if (s->loop == NULL) { /* a plug */
        if (outcome_of(code, err) == REFUSED_THERE)
            __atomic_fetch_add(&s->refused, 1, __ATOMIC_RELEASE);
        return;
    }
    s->outcomes[outcome_of(code, err)]++;
    if (loop_done(s->loop, s->index, 1))
        next_call(s);
}

static void print_outcomes(const struct slot *slots, int n)
{
    static const char *const names[OUTCOMES] = {"served_pct", "refused_here_pct",
                                                "refused_there_pct", "given_up_pct"};
    uint64_t sum[OUTCOMES] = {0}, all = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < OUTCOMES; k++) {
            sum[k] += slots[i].outcomes[k];
            all += slots[i].outcomes[k];
        }
    for (int k = 0; k < OUTCOMES; k++)
        printf("%s=%.1f ", names[k], all > 0 ? 100 * (double)sum[k] / (double)all : 0);
}

/* Begins `calls` calls that stay, and sees to it that they are there: one that came before the
 * worker had taken the one before is refused and begins again. The echo is answered in the thread
 * that reads requests, so those before it are in the queue or refused by then. */
static void plug_server(struct slot *plug, const struct opts *o)
{
    stint_error err;
    STINT_AUTO_CTX ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(5));
    for (int missing = o->calls; missing > 0;
         missing = __atomic_exchange_n(&plug->refused, 0, __ATOMIC_ACQUIRE)) {
        Bench__Msg req = BENCH__MSG__INIT, *reply = NULL;
        for (int i = 0; i < missing; i++)
            if (!begin(plug, STINT_SECONDS(60), &err))
                die("plug", err.message);
        if (bench_echo_call(ctx, plug->ch, &req, &reply, &err) != STINT_OK)
            die("echo", err.message);
        bench__msg__free_unpacked(reply, NULL);
    }
}

// NOLINTNEXTLINE(readability-non-const-parameter): the message's field is not const
int refusals(const struct opts *o, uint8_t *payload)
{
    struct slot plug = {.o = o, .ch = dial(o), .payload = payload};
    struct slot *slots = calloc((size_t)o->inflight, sizeof *slots);
    struct loop l;
    if (slots == NULL)
        die("calloc", "slots");
    plug_server(&plug, o);
    loop_start(&l, o, o->inflight);
    for (int i = 0; i < o->inflight; i++) {
        slots[i] = (struct slot){.o = o, .ch = plug.ch, .payload = payload, .loop = &l, .index = i};
        next_call(&slots[i]);
    }
    while (!loop_idle(&l))
        sleep_secs(0.001);
    print_outcomes(slots, o->inflight);
    int rc = loop_finish(&l);
    stint_channel_close(plug.ch);
    free(slots);
    return rc;
}
