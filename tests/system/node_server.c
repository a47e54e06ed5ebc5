/* node_server.c - a node that serves node.v1.Node, until it is killed or drained by SIGTERM.
 *
 *     node_server URL [--log FILE] [--next URL] [--workers N]
 *
 * The ID of every request that is executed goes to FILE, one a line, before anything else is done
 * for it: the file tells a later run, or a test, what was executed and how often. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stint/stint.h>

#include "leak.h"
#include "node/v1/node.stint.h"

#define DRAIN_LIMIT STINT_SECONDS(10)
#define FAN_MAX     16

struct server {
    stint_server *server;
    stint_channel *next; /* or NULL */
    int log;             /* or -1 */
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    _exit(1);
}

/* One write, so that lines of several threads do not mix, and nothing is lost with the process. */
static void note(const struct server *s, const char *request_id)
{
    char line[STINT_REQUEST_ID_MAX + 2];
    int len = snprintf(line, sizeof line, "%s\n", request_id);
    if (s->log >= 0 && write(s->log, line, (size_t)len) != len)
        die("log", "cannot write");
}

static void hold(const stint_ctx *ctx, const Node__V1__Request *req, const char *request_id)
{
    if (req->announce) {
        printf("entered %s\n", request_id);
        fflush(stdout);
    }
    stint_code code = stint_ctx_sleep(ctx, STINT_SECONDS(60));
    int64_t now = stint_now().ns;
    if (req->announce) {
        printf("left %s %s %" PRId64 "\n", request_id, stint_code_name(code), now);
        fflush(stdout);
    }
}

static void be_busy(uint32_t us)
{
    stint_time end = stint_time_add(stint_now(), STINT_US(us));
    while (stint_time_before(stint_now(), end))
        continue;
}

/* The same request, below, `fan` times at once. */
static stint_code call_next(struct server *s, const stint_ctx *ctx, const Node__V1__Request *req,
                            stint_error *err)
{
    Node__V1__Reply *below[FAN_MAX];
    uint32_t n = req->fan < FAN_MAX ? req->fan : FAN_MAX;
    if (n == 0) {
        stint_code code = node_v1_node_work(ctx, s->next, req, &below[0], err);
        node__v1__reply__free_unpacked(below[0], NULL);
        return code;
    }
    Node__V1__Request one = *req;
    one.fan = 0;
    stint_group *group = stint_group_new(ctx, 0);
    for (uint32_t i = 0; i < n; i++)
        node_v1_node_work_group(group, s->next, &one, &below[i]);
    stint_code code = stint_group_wait(group, err);
    for (uint32_t i = 0; i < n; i++)
        node__v1__reply__free_unpacked(below[i], NULL);
    return code;
}

static void announce_end(const struct server *s, const char *id, stint_code code)
{
    int64_t now = stint_now().ns;
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(s->next, &stats);
    printf("left %s %s %" PRId64 "\njoined %s %" PRIu64 "\n", id, stint_code_name(code), now, id,
           stats.calls - stats.ok - stats.failed);
    fflush(stdout);
}

static stint_code work(void *self, const stint_ctx *ctx, const Node__V1__Request *req,
                       Node__V1__Reply *rep, stint_call *call)
{
    struct server *s = self;
    const char *id = stint_ctx_request_info(ctx)->request_id;
    note(s, id);
    rep->pid = (uint32_t)getpid();
    if (s->next != NULL) {
        stint_error err;
        stint_code code = call_next(s, ctx, req, &err);
        if (req->announce)
            announce_end(s, id, code);
        return code == STINT_OK ? code : stint_call_fail_from(call, &err);
    }
    be_busy(req->busy_us);
    if (req->hold) {
        hold(ctx, req, id);
        return stint_ctx_err(ctx);
    }
    return STINT_OK;
}

static stint_code quick(void *self, const stint_ctx *ctx, const Node__V1__Request *req,
                        Node__V1__Reply *rep, stint_call *call)
{
    (void)req, (void)call;
    note(self, stint_ctx_request_info(ctx)->request_id);
    rep->pid = (uint32_t)getpid();
    return STINT_OK;
}

static stint_code look(void *self, const stint_ctx *ctx, const Node__V1__Nothing *req,
                       Node__V1__Health *rep, stint_call *call)
{
    struct server *s = self;
    stint_server_stats stats = {.size = sizeof stats};
    struct leaks leaks = leaks_look();
    (void)ctx, (void)req, (void)call;
    stint_server_stats_get(s->server, &stats);
    rep->requests = stats.requests;
    rep->executed = stats.executed;
    rep->refused = stats.expired_arrival + stats.expired_queue + stats.insufficient_arrival +
                   stats.insufficient_queue + stats.refused_full + stats.refused_draining +
                   stats.refused_method + stats.refused_other;
    rep->cancelled = stats.cancelled;
    rep->connections = stats.connections;
    rep->inflight = stats.inflight;
    rep->descriptors = leaks.descriptors;
    rep->contexts = leaks.contexts;
    rep->threads = leaks.threads;
    return STINT_OK;
}

static const node_v1_node_ops ops = {.quick = quick, .work = work, .look = look};

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 2; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

static void start(struct server *s, int argc, char **argv)
{
    stint_error err;
    const char *workers = option(argc, argv, "--workers");
    const char *next = option(argc, argv, "--next");
    const char *log = option(argc, argv, "--log");
    stint_server_options opts = {.size = sizeof opts};
    opts.workers = workers != NULL ? (uint32_t)strtoul(workers, NULL, 10) : 0;
    s->log = log != NULL ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (log != NULL && s->log < 0)
        die(log, "cannot open");
    if (next != NULL &&
        stint_channel_open(&s->next, next, STINT_CHANNEL_OPTIONS(.wait_for_ready = true), &err) !=
            STINT_OK)
        die(next, err.message);
    if (stint_server_new(&s->server, &opts, &err) != STINT_OK ||
        node_v1_node_register(s->server, &ops, s, &err) != STINT_OK ||
        stint_server_listen(s->server, argv[1], &err) != STINT_OK ||
        stint_server_start(s->server, &err) != STINT_OK)
        die(argv[1], err.message);
}

static int drain(struct server *s)
{
    stint_error err;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), DRAIN_LIMIT);
    stint_code code = stint_server_drain(s->server, ctx, &err);
    puts(code == STINT_OK ? "drained" : err.message);
    fflush(stdout);
    stint_ctx_drop(ctx);
    stint_server_free(s->server);
    stint_channel_close(s->next);
    return code == STINT_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct server s = {0};
    sigset_t term;
    int signal_number;
    if (argc < 2)
        return 2;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    start(&s, argc, argv);
    printf("ready %s\n", stint_server_url(s.server, 0));
    fflush(stdout);
    sigwait(&term, &signal_number);
    return drain(&s);
}
