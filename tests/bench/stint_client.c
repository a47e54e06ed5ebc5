/* stint_client.c - calls of the echo service, as a user of Stint would write them. `--kind sock`
 * dials with stock NNG sockets.
 *
 * One call at a time (W1) goes through the blocking stub; calls in flight go through the
 * asynchronous one, and whatever ends a call issues the slot's next. A slot is touched by one
 * thread at a time: the one that starts it, then the one that runs its `done`. The open loop of W6
 * is in stint_chain.c. */
#include "stint_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    const struct opts *o;
    stint_channel *ch;
    Bench__Msg req;
    stint_reply_info *info; /* what comes with the reply; NULL: not looked at */
    struct loop *loop;      /* W2, W3, W5 */
    struct hold *hold;      /* W4 */
    int index;
};

stint_channel *dial(const struct opts *o)
{
    char url[ADDR_URL_MAX];
    stint_channel *ch = NULL;
    stint_error err;
    addr_url(url, strcmp(o->kind, "sock") == 0 ? "nng+" : "", o->addr);
    STINT_AUTO_CTX ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(5));
    if (stint_channel_open(&ch, url, NULL, &err) != STINT_OK ||
        stint_channel_wait_ready(ctx, ch, &err) != STINT_OK)
        die(url, err.message);
    return ch;
}

/* The payload belongs to the caller: all slots share one. */
static void slot_init(struct slot *s, const struct opts *o, stint_channel *ch, uint8_t *payload)
{
    memset(s, 0, sizeof *s);
    s->o = o;
    s->ch = ch;
    bench__msg__init(&s->req);
    s->req.payload.data = payload;
    s->req.payload.len = (size_t)o->size;
    if (o->ledger[0] != '\0' && (s->info = stint_reply_info_new()) == NULL)
        die("reply info", "out of memory");
}

static bool wants_ledger(const struct slot *s)
{
    return strcmp(s->o->ledger, "on") == 0;
}

uint8_t *payload_new(const struct opts *o)
{
    uint8_t *payload = malloc((size_t)o->size + 1);
    if (payload == NULL)
        die("malloc", "payload");
    memset(payload, 'x', (size_t)o->size);
    return payload;
}

/* What every call carries: a deadline, a trace ID and a request ID, new for each. */
static stint_ctx *call_ctx(const struct slot *s)
{
    stint_request_info info = stint_request_info_new();
    stint_ctx *timed = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(s->o->deadline_ms));
    stint_ctx *ctx = stint_ctx_with_request_info(timed, &info);
    stint_ctx_unref(timed);
    if (s->info == NULL)
        return ctx;
    stint_ctx *looked_at = stint_ctx_with_call_options(
        ctx, STINT_CALL_OPTIONS(.reply = s->info, .ledger = wants_ledger(s)));
    stint_ctx_unref(ctx);
    return looked_at;
}

/* Whether there is one in which the server has told its part. */
static bool has_ledger(const stint_reply_info *info)
{
    const stint_ledger *ledger = stint_reply_info_ledger(info);
    return ledger != NULL && stint_ledger_at(ledger, 0)->state == STINT_LEDGER_ANSWERED;
}

/* Whether the call ended as it should; frees the reply. Tells why the first one did not. */
static int good_reply(const struct slot *s, Bench__Msg *reply, const stint_error *err)
{
    static int told;
    int good = reply != NULL && reply->payload.len == (size_t)s->o->size;
    if (s->info != NULL && wants_ledger(s) != has_ledger(s->info))
        good = 0;
    if (!good && __atomic_exchange_n(&told, 1, __ATOMIC_RELAXED) == 0)
        fprintf(stderr, "call failed: %s: %s\n", stint_code_name(err->code), err->message);
    bench__msg__free_unpacked(reply, NULL);
    return good;
}

static int blocking_call(void *arg)
{
    struct slot *s = arg;
    Bench__Msg *reply = NULL;
    stint_error err = STINT_ERROR_INIT;
    STINT_AUTO_CTX ctx = call_ctx(s);
    stint_code code = bench_echo_call(ctx, s->ch, &s->req, &reply, &err);
    return good_reply(s, reply, &err) && code == STINT_OK ? 0 : -1;
}

static void send_call(struct slot *s);

static void call_done(void *arg, stint_code code, Bench__Msg *reply, const stint_error *err)
{
    struct slot *s = arg;
    int good = good_reply(s, reply, err) && code == STINT_OK;
    if (s->hold != NULL)
        hold_done(s->hold, good);
    else if (loop_done(s->loop, s->index, good))
        send_call(s);
}

static void send_call(struct slot *s)
{
    stint_error err;
    stint_ctx *ctx = call_ctx(s);
    if (bench_echo_call_async(ctx, s->ch, &s->req, call_done, s, &err) != STINT_OK)
        die("call", err.message);
    stint_ctx_unref(ctx); /* the call keeps its own reference */
}

static int latency(const struct opts *o, uint8_t *payload)
{
    struct slot s;
    slot_init(&s, o, dial(o), payload);
    int rc = run_lat(o, blocking_call, &s);
    stint_channel_close(s.ch);
    return rc;
}

static struct slot *slots_new(int n)
{
    struct slot *slots = calloc((size_t)n, sizeof *slots);
    if (slots == NULL)
        die("calloc", "slots");
    return slots;
}

static int closed_loop(const struct opts *o, uint8_t *payload)
{
    int n = o->conns * o->inflight;
    struct slot *slots = slots_new(n);
    struct loop l;
    for (int i = 0; i < n; i++) {
        slot_init(&slots[i], o, i % o->inflight == 0 ? dial(o) : slots[i - 1].ch, payload);
        slots[i].loop = &l;
        slots[i].index = i;
    }
    loop_start(&l, o, n);
    for (int i = 0; i < n; i++)
        send_call(&slots[i]);
    int rc = loop_finish(&l);
    for (int i = 0; i < n; i += o->inflight)
        stint_channel_close(slots[i].ch);
    for (int i = 0; i < n; i++)
        stint_reply_info_free(slots[i].info);
    free(slots);
    return rc;
}

static int hold_calls(const struct opts *o, uint8_t *payload)
{
    struct slot *slots = slots_new(o->calls), warm;
    struct hold h;
    slot_init(&warm, o, dial(o), payload);
    for (int i = 0; i < 100; i++)
        if (blocking_call(&warm) != 0)
            die("warm-up", "call failed");
    hold_before(&h, o);
    for (int i = 0; i < o->calls; i++) {
        slot_init(&slots[i], o, warm.ch, payload);
        slots[i].req.delay_ms = 1000;
        slots[i].hold = &h;
        send_call(&slots[i]);
    }
    int rc = hold_report(&h, o);
    stint_channel_close(warm.ch);
    free(slots);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts o = parse_opts(argc, argv);
    uint8_t *payload = payload_new(&o);
    int rc = 1;
    if (strcmp(o.mode, "lat") == 0)
        rc = latency(&o, payload);
    else if (strcmp(o.mode, "thr") == 0)
        rc = closed_loop(&o, payload);
    else if (strcmp(o.mode, "hold") == 0)
        rc = hold_calls(&o, payload);
    else if (strcmp(o.mode, "chain") == 0)
        rc = open_loop(&o, payload);
    else if (strcmp(o.mode, "refuse") == 0)
        rc = refusals(&o, payload);
    else
        die("stint has no mode", o.mode);
    free(payload);
    return rc;
}
