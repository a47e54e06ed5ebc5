/* server.c - a stock NNG REP socket with many contexts, each an aio state machine. A request is a
 * 4-byte delay in ms and a payload; the reply is the payload. */
#include "bench.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <unistd.h>

#define CONTEXTS 1024

enum state { RECV, DELAY, SEND };

struct worker {
    enum state state;
    nng_ctx ctx;
    nng_aio *aio;
    nng_msg *msg;
};

static void reply(struct worker *w)
{
    w->state = SEND;
    nng_aio_set_msg(w->aio, w->msg);
    w->msg = NULL;
    nng_ctx_send(w->ctx, w->aio);
}

static void received(struct worker *w)
{
    uint32_t delay = 0;
    w->msg = nng_aio_get_msg(w->aio);
    if (nng_msg_trim_u32(w->msg, &delay) != 0)
        die("request", "too short");
    if (delay == 0) {
        reply(w);
    } else {
        w->state = DELAY;
        nng_sleep_aio((nng_duration)delay, w->aio);
    }
}

static void step(void *arg)
{
    struct worker *w = arg;
    int rv = nng_aio_result(w->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    switch (w->state) {
    case RECV:
        if (rv != 0)
            die("recv", nng_strerror(rv));
        received(w);
        break;
    case DELAY:
        reply(w);
        break;
    case SEND:
        if (rv != 0)
            nng_msg_free(nng_aio_get_msg(w->aio));
        w->state = RECV;
        nng_ctx_recv(w->ctx, w->aio);
        break;
    }
}

int main(int argc, char **argv)
{
    static struct worker workers[CONTEXTS];
    struct opts o = parse_opts(argc, argv);
    nng_socket sock;
    char url[ADDR_URL_MAX];
    int rv;
    block_signals();
    addr_url(url, "", o.addr);
    if ((rv = nng_rep0_open(&sock)) != 0)
        die("nng_rep0_open", nng_strerror(rv));
    nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0);
    if ((rv = nng_listen(sock, url, NULL, 0)) != 0)
        die(url, nng_strerror(rv));
    for (int i = 0; i < CONTEXTS; i++) {
        struct worker *w = &workers[i];
        if ((rv = nng_aio_alloc(&w->aio, step, w)) != 0 || (rv = nng_ctx_open(&w->ctx, sock)) != 0)
            die("context", nng_strerror(rv));
        nng_ctx_recv(w->ctx, w->aio);
    }
    server_ready();
    wait_for_sigterm();
    _exit(0); /* without closing: the threads of NNG 1.5.2 may never end */
}
