/* stint_server.c - the server of every role: the echo service is here, as a user of Stint would
 * write it, and those of W6 are in stint_roles.c. `--kind sock` listens with stock NNG sockets.
 *
 * Call is declared short in echo.proto, so it runs in the thread that read the request. A call that
 * asks for a delay is deferred: a context with that timeout is the timer, and its hook answers. */
#include "stint_bench.h"

#include <stdlib.h>
#include <string.h>

/* An answer that waits for its time. In the call's memory: gone once the ticket is finished. */
struct delayed {
    stint_hook hook;
    stint_ctx *timer;
    stint_ticket *ticket;
    const Bench__Msg *req;
};

static void answer(void *arg)
{
    struct delayed *d = arg;
    stint_ctx *timer = d->timer;
    Bench__Msg rep = BENCH__MSG__INIT;
    rep.payload = d->req->payload;
    bench_echo_call_finish(d->ticket, stint_ctx_err(stint_ticket_ctx(d->ticket)), &rep, NULL);
    stint_ctx_drop(timer);
}

static stint_code answer_later(const stint_ctx *ctx, const Bench__Msg *req, stint_call *call)
{
    struct delayed *d = stint_call_alloc(call, sizeof *d);
    stint_error err;
    if (d == NULL)
        return stint_call_fail(call, STINT_RESOURCE_EXHAUSTED, "no memory for the timer");
    if (stint_call_defer(call, &d->ticket, &err) != STINT_OK)
        return stint_call_fail_from(call, &err);
    d->req = req;
    d->timer = stint_ctx_with_timeout(ctx, STINT_MS(req->delay_ms));
    if (!stint_ctx_after(d->timer, &d->hook, answer, d))
        answer(d);
    return STINT_DEFERRED;
}

static stint_code echo(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                       stint_call *call)
{
    (void)self;
    if (req->delay_ms > 0)
        return answer_later(ctx, req, call);
    rep->payload = req->payload;
    return STINT_OK;
}

static void serve(stint_server *server, const struct opts *o)
{
    char url[ADDR_URL_MAX];
    stint_error err;
    addr_url(url, strcmp(o->kind, "sock") == 0 ? "nng+" : "", o->addr);
    if (stint_server_listen(server, url, &err) != STINT_OK ||
        stint_server_start(server, &err) != STINT_OK)
        die(url, err.message);
    server_ready();
    wait_for_sigterm();
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    if (getenv("BENCH_STATS") != NULL)
        print_counters(server, o->role);
}

int main(int argc, char **argv)
{
    static const bench_echo_ops ops = {.call = echo};
    struct opts o = parse_opts(argc, argv);
    struct role role = {0};
    stint_server *server = NULL;
    stint_error err;
    block_signals();
    role_init(&role, &o);
    if (stint_server_new(&server, &role.options, &err) != STINT_OK ||
        bench_echo_register(server, &ops, NULL, &err) != STINT_OK ||
        role_register(&role, server, &err) != STINT_OK)
        die(o.role, err.message);
    serve(server, &o);
    stint_server_free(server);
    role_fini(&role);
    return 0;
}
