/* run.c - how the shop's programs start, serve and stop. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

/* How long start-up waits for a peer before it goes on without. */
#define PEER_PATIENCE STINT_SECONDS(5)

static void library_log(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    const struct shop_service *s = arg;

    if (level < STINT_LOG_WARN)
        return;
    if (suppressed == 0)
        shop_log(s->program, "%s", text);
    else
        shop_log(s->program, "%s (and %" PRIu64 " more like it)", text, suppressed);
}

void shop_require(const struct shop_service *s, stint_code code, const stint_error *err)
{
    if (code == STINT_OK)
        return;
    shop_log(s->program, "cannot start: %s: %s", stint_code_name(code), err->message);
    exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe): only main's thread comes here
}

void shop_init(struct shop_service *s, const struct shop_program *program, int argc, char **argv)
{
    const stint_server_options *opts;
    stint_error err = STINT_ERROR_INIT;

    *s = (struct shop_service){.program = program};
    shop_options_parse(&s->options, program, argc, argv);

    signal(SIGPIPE, SIG_IGN); /* a reader of the log that goes away is no reason to die */
    if (!shop_stop_init(&s->stop))
        shop_require(s, stint_error_set(&err, STINT_RESOURCE_EXHAUSTED, "no thread left"), &err);

    s->log_calls = shop_log_interceptor(s);
    s->interceptors[0] = &s->log_calls;
    opts = STINT_SERVER_OPTIONS(.workers = s->options.workers, .interceptors = s->interceptors,
                                .log = {library_log, s}, .name = program->name);
    shop_require(s, stint_server_new(&s->server, opts, &err), &err);
}

static const char *peer_url(const struct shop_service *s, const char *peer)
{
    for (size_t i = 0; i < SHOP_PEERS_MAX && s->program->peers[i] != NULL; i++)
        if (strcmp(s->program->peers[i], peer) == 0)
            return s->options.peer_urls[i];
    return ""; /* stint_channel_open says what it thinks of that */
}

stint_channel *shop_connect(struct shop_service *s, const char *peer)
{
    const char *url = peer_url(s, peer);
    /* Peers are on the same machine: one that comes back should be found soon. */
    const stint_channel_options *opts =
        STINT_CHANNEL_OPTIONS(.backoff_max = STINT_MS(100), .log = {library_log, s});
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;
    stint_ctx *patience = stint_ctx_with_timeout(s->stop.ctx, PEER_PATIENCE);

    shop_require(s, stint_channel_open(&ch, url, opts, &err), &err);
    if (stint_channel_wait_ready(patience, ch, &err) != STINT_OK)
        shop_log(s->program, "starting without %s at %s: %s", peer, url, err.message);
    stint_ctx_drop(patience);
    return ch;
}

/* Logs what became of all the calls. */
static void log_totals(const struct shop_service *s, bool drained)
{
    stint_server_stats stats = {.size = sizeof(stats)};

    stint_server_stats_get(s->server, &stats);
    shop_log(s->program, "stopped%s: executed %" PRIu64 ", shed %" PRIu64 ", refused %" PRIu64,
             drained ? "" : " with calls unfinished", stats.executed,
             stats.expired_arrival + stats.expired_queue,
             stats.refused_full + stats.refused_draining + stats.refused_method +
                 stats.refused_other);
}

int shop_serve(struct shop_service *s)
{
    stint_error err = STINT_ERROR_INIT;
    stint_error cause = STINT_ERROR_INIT;
    stint_ctx *patience;
    bool drained;

    shop_require(s, stint_server_listen(s->server, s->options.listen, &err), &err);
    shop_require(s, stint_server_start(s->server, &err), &err);
    shop_log(s->program, "ready on %s", stint_server_url(s->server, 0));

    shop_stop_wait(&s->stop);
    stint_ctx_cause(s->stop.ctx, &cause);
    shop_log(s->program, "draining: %s", cause.message);

    patience = stint_ctx_with_timeout(stint_ctx_background(), s->options.drain);
    drained = stint_server_drain(s->server, patience, &err) == STINT_OK;
    log_totals(s, drained);
    stint_ctx_drop(patience);
    stint_server_free(s->server);
    shop_stop_fini(&s->stop);
    return drained ? EXIT_SUCCESS : EXIT_FAILURE;
}

stint_code shop_work(const struct shop_service *s, const stint_ctx *ctx, stint_call *call)
{
    stint_error cause = STINT_ERROR_INIT;

    if (s->options.work == 0)
        return STINT_OK;
    shop_log_call(s->program, ctx, stint_call_method(call), "works", "");
    if (stint_ctx_sleep(ctx, s->options.work) == STINT_OK)
        return STINT_OK;
    stint_ctx_cause(ctx, &cause);
    return shop_give_up(s, ctx, call, &cause);
}

stint_code shop_give_up(const struct shop_service *s, const stint_ctx *ctx, stint_call *call,
                        const stint_error *cause)
{
    shop_log_call(s->program, ctx, stint_call_method(call), "stops", stint_code_name(cause->code));
    return stint_call_fail_from(call, cause);
}

const char *shop_request_id(const stint_ctx *ctx)
{
    const stint_request_info *info = stint_ctx_request_info(ctx);

    return info != NULL ? info->request_id : "";
}
