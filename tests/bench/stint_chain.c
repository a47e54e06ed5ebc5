/* stint_chain.c - the open loop of W6 with the generated asynchronous stub. */
#include "stint_bench.h"

struct client {
    stint_channel *ch;
    const struct opts *o;
    uint8_t *payload;
};

static void request_init(Bench__Msg *req, const struct client *client)
{
    bench__msg__init(req);
    req->payload.data = client->payload;
    req->payload.len = (size_t)client->o->size;
}

static void ended(void *arg, stint_code code, Bench__Msg *reply, const stint_error *err)
{
    struct chain_call *load = arg;
    (void)err;
    bench__msg__free_unpacked(reply, NULL);
    chain_done(load, code == STINT_OK);
}

static void send_at(void *arg, struct chain_call *load)
{
    const struct client *client = arg;
    stint_error err;
    Bench__Msg req;
    uint64_t deadline = chain_deadline(load);
    stint_request_info info = stint_request_info_new();
    request_init(&req, client);
    req.client_deadline = deadline;
    req.burn_us = load->burn_us;
    stint_ctx *timed =
        stint_ctx_with_deadline(stint_ctx_background(), (stint_time){.ns = (int64_t)deadline});
    stint_ctx *ctx = stint_ctx_with_request_info(timed, &info);
    stint_ctx_unref(timed);
    if (bench_chain_call_async(ctx, client->ch, &req, ended, load, &err) != STINT_OK)
        chain_done(load, 0);
    stint_ctx_unref(ctx); /* the call keeps its own reference */
}

/* A few calls one by one first, so that every hop is connected. */
static void warm_up(const struct client *client)
{
    for (int i = 0; i < 20; i++) {
        stint_error err;
        Bench__Msg req, *reply = NULL;
        request_init(&req, client);
        req.client_deadline = UINT64_MAX;
        STINT_AUTO_CTX ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(5));
        if (bench_chain_call(ctx, client->ch, &req, &reply, &err) != STINT_OK)
            die("warm-up", err.message);
        bench__msg__free_unpacked(reply, NULL);
    }
}

/* The message's field is not const, so neither is the payload. */
// NOLINTNEXTLINE(readability-non-const-parameter)
int open_loop(const struct opts *o, uint8_t *payload)
{
    struct client client = {.ch = dial(o), .o = o, .payload = payload};
    warm_up(&client);
    int rc = run_chain(o, send_at, &client);
    stint_channel_close(client.ch);
    return rc;
}
