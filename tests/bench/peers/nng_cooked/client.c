/* client.c - stock NNG REQ sockets without protobuf: one socket per connection, one context and one
 * aio per call in flight. A request is a 4-byte delay in ms and a payload. */
#include "bench.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct call {
    struct loop *loop; /* W2, W3, W5 */
    struct hold *hold; /* W4 */
    int index, size, sending;
    uint32_t delay_ms;
    nng_ctx ctx;
    nng_aio *aio;
};

static nng_socket dial(const struct opts *o)
{
    nng_socket s;
    char url[ADDR_URL_MAX];
    int rv;
    addr_url(url, "", o->addr);
    if ((rv = nng_req0_open(&s)) != 0)
        die("nng_req0_open", nng_strerror(rv));
    nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, 0);
    if ((rv = nng_dial(s, url, NULL, 0)) != 0)
        die(url, nng_strerror(rv));
    return s;
}

static nng_msg *request(const struct call *c)
{
    nng_msg *m;
    if (nng_msg_alloc(&m, (size_t)c->size) != 0 || nng_msg_insert_u32(m, c->delay_ms) != 0)
        die("nng_msg_alloc", "request");
    return m;
}

static void send_call(struct call *c)
{
    c->sending = 1;
    nng_aio_set_msg(c->aio, request(c));
    nng_ctx_send(c->ctx, c->aio);
}

/* Whether the reply that has been received is as long as the request; frees it. */
static int good_reply(const struct call *c)
{
    nng_msg *m = nng_aio_get_msg(c->aio);
    int good = nng_msg_len(m) == (size_t)c->size;
    nng_msg_free(m);
    return good;
}

static void step(void *arg)
{
    struct call *c = arg;
    int good = nng_aio_result(c->aio) == 0;
    if (good && c->sending) {
        c->sending = 0;
        nng_ctx_recv(c->ctx, c->aio);
        return;
    }
    if (good)
        good = good_reply(c);
    else if (c->sending)
        nng_msg_free(nng_aio_get_msg(c->aio));
    if (c->loop == NULL)
        hold_done(c->hold, good);
    else if (loop_done(c->loop, c->index, good))
        send_call(c);
}

static void open_call(struct call *c, nng_socket s, void (*fn)(void *), const struct opts *o)
{
    int rv;
    c->size = o->size;
    if ((rv = nng_ctx_open(&c->ctx, s)) != 0 || (rv = nng_aio_alloc(&c->aio, fn, c)) != 0)
        die("context", nng_strerror(rv));
}

static int blocking_call(void *arg)
{
    struct call *c = arg;
    send_call(c);
    nng_aio_wait(c->aio);
    if (nng_aio_result(c->aio) != 0)
        return -1;
    nng_ctx_recv(c->ctx, c->aio);
    nng_aio_wait(c->aio);
    if (nng_aio_result(c->aio) != 0)
        return -1;
    return good_reply(c) ? 0 : -1;
}

static int latency(const struct opts *o)
{
    struct call c = {0};
    open_call(&c, dial(o), NULL, o);
    return run_lat(o, blocking_call, &c);
}

static int closed_loop(const struct opts *o)
{
    int slots = o->conns * o->inflight;
    struct call *calls = calloc((size_t)slots, sizeof *calls);
    struct loop l;
    nng_socket s = NNG_SOCKET_INITIALIZER;
    if (calls == NULL)
        die("calloc", "calls");
    for (int i = 0; i < slots; i++) {
        if (i % o->inflight == 0)
            s = dial(o);
        open_call(&calls[i], s, step, o);
        calls[i].index = i;
        calls[i].loop = &l;
    }
    loop_start(&l, o, slots);
    for (int i = 0; i < slots; i++)
        send_call(&calls[i]);
    return loop_finish(&l);
}

static int hold_calls(const struct opts *o)
{
    struct call *calls = calloc((size_t)o->calls, sizeof *calls), warm = {0};
    nng_socket s = dial(o);
    struct hold h;
    if (calls == NULL)
        die("calloc", "calls");
    open_call(&warm, s, NULL, o);
    for (int i = 0; i < 100; i++)
        if (blocking_call(&warm) != 0)
            die("warm-up", "call failed");
    for (int i = 0; i < o->calls; i++) {
        open_call(&calls[i], s, step, o);
        calls[i].hold = &h;
        calls[i].delay_ms = 1000;
    }
    hold_before(&h, o);
    for (int i = 0; i < o->calls; i++)
        send_call(&calls[i]);
    return hold_report(&h, o);
}

int main(int argc, char **argv)
{
    struct opts o = parse_opts(argc, argv);
    int rc = 1;
    if (strcmp(o.mode, "lat") == 0)
        rc = latency(&o);
    else if (strcmp(o.mode, "thr") == 0)
        rc = closed_loop(&o);
    else if (strcmp(o.mode, "hold") == 0)
        rc = hold_calls(&o);
    else
        die("nng_cooked has no mode", o.mode);
    _exit(rc); /* without closing: the threads of NNG 1.5.2 may never end */
}
