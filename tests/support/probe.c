#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_internal.h"
#include "clock.h"
#include "net.h"
#include "unit.h"

static stint_code fill(const stint_ctx *ctx, const Probe__V1__Request *req, Probe__V1__Reply *rep,
                       stint_call *call)
{
    const stint_request_info *info = stint_ctx_request_info(ctx);
    rep->payload = req->payload;
    if (req->reply_size > 0) {
        rep->payload.data = stint_call_alloc(call, req->reply_size);
        rep->payload.len = req->reply_size;
        if (rep->payload.data == NULL)
            return STINT_RESOURCE_EXHAUSTED;
    }
    rep->remaining_ns = stint_ctx_remaining(ctx);
    rep->request_id = stint_call_strdup(call, info->request_id);
    rep->trace_id.len = sizeof info->trace_id;
    rep->trace_id.data = stint_call_alloc(call, sizeof info->trace_id);
    if (rep->trace_id.data != NULL)
        memcpy(rep->trace_id.data, info->trace_id, sizeof info->trace_id);
    rep->hop = info->hop;
    return STINT_OK;
}

static stint_code echo(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    struct probe *p = self;
    atomic_fetch_add(&p->executed, 1);
    if (req->code != 0 && req->text[0] != '\0')
        return stint_call_fail(call, (stint_code)req->code, "%s", req->text);
    if (req->code != 0)
        return (stint_code)req->code;
    return fill(ctx, req, rep, call);
}

static stint_code work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    struct probe *p = self;
    if (req->gated) {
        event_raise(&p->entered);
        event_wait_ms(&p->gate, 1, 60000);
    }
    if (req->hold) {
        event_raise(&p->entered);
        stint_code code = stint_ctx_sleep(ctx, STINT_SECONDS(60));
        atomic_fetch_add(&p->executed, 1);
        atomic_store(&p->left_code, (int)code);
        event_raise(&p->left);
        return code;
    }
    return echo(self, ctx, req, rep, call);
}

static stint_code later(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct probe *p = self;
    (void)ctx, (void)req, (void)rep;
    stint_code code = stint_call_defer(call, &p->ticket, NULL);
    if (code != STINT_OK)
        return code;
    event_raise(&p->ticket_there);
    return STINT_DEFERRED;
}

static const probe_v1_probe_ops ops = {
    .quick = echo,
    .work = work,
    .later = later,
    .hasty = work,
};

static void nothing(struct stint__timer *t)
{
    (void)t;
}

/* It stays once it is started: look for leaked threads after that. */
static void start_timer_thread(void)
{
    struct stint__timer t;
    stint__timer_init(&t, nothing);
    assert_true(stint__timer_arm(&t, stint_time_add(stint_now(), STINT_SECONDS(1000))));
    stint__timer_disarm_wait(&t);
}

/* NNG's threads and descriptors stay as well. */
static void start_nng(void)
{
    struct stint__listener *listener;
    assert_int_equal(stint__listener_new(&listener, "tcp://127.0.0.1:0", NULL), STINT_OK);
    stint__listener_free(listener);
    stint__net_quiesce();
}

void probe_init(struct probe *p)
{
    memset(p, 0, sizeof *p);
    start_timer_thread();
    start_nng();
    p->before = leaks_look();
    event_init(&p->entered);
    event_init(&p->left);
    event_init(&p->gate);
    event_init(&p->ticket_there);
    p->sopts = (stint_server_options){.size = sizeof p->sopts, .workers = 2};
    p->copts = (stint_channel_options){.size = sizeof p->copts};
    p->ops = &ops;
    p->self = p;
}

/* A port that nobody listens on at the moment: NNG's WebSockets need one. */
static unsigned free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return ntohs(addr.sin_port);
}

const char *probe_url(int argc, char **argv, const char *otherwise)
{
    static char url[128];
    if (argc < 2)
        return otherwise;
    const char *scheme = argv[1];
    if (strcmp(scheme, "tcp") == 0 || strcmp(scheme, "nng+tcp") == 0)
        snprintf(url, sizeof url, "%s://127.0.0.1:0", scheme);
    else if (strcmp(scheme, "ws") == 0)
        snprintf(url, sizeof url, "ws://127.0.0.1:%u/probe", free_port());
    else if (strcmp(scheme, "ipc") == 0 || strcmp(scheme, "nng+ipc") == 0)
        snprintf(url, sizeof url, "%s:///tmp/stint-probe-%d", scheme, (int)getpid());
    else
        snprintf(url, sizeof url, "%s://probe", scheme);
    return url;
}

void probe_start(struct probe *p, const char *url)
{
    stint_error err;
    if (stint_server_new(&p->server, &p->sopts, &err) != STINT_OK ||
        probe_v1_probe_register(p->server, p->ops, p->self, &err) != STINT_OK ||
        stint_server_listen(p->server, url, &err) != STINT_OK ||
        stint_server_start(p->server, &err) != STINT_OK ||
        stint_channel_open(&p->ch, stint_server_url(p->server, 0), &p->copts, &err) != STINT_OK)
        fail_msg("probe: %s", err.message);
}

void probe_stop(struct probe *p)
{
    event_raise(&p->gate);
    stint_channel_close(p->ch);
    stint_server_free(p->server);
    stint__net_quiesce();
    leaks_check(&p->before);
    event_fini(&p->entered);
    event_fini(&p->left);
    event_fini(&p->gate);
    event_fini(&p->ticket_there);
}

bool probe_has_control_frames(const struct probe *p)
{
    return (stint__peer_capabilities(p->ch->peer) & STINT__CAN_CANCEL) != 0;
}

Probe__V1__Reply *probe_call(struct probe *p, probe_stub *stub, const stint_ctx *ctx,
                             const Probe__V1__Request *req, stint_code code, stint_error *err)
{
    static const Probe__V1__Request empty = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    stint_error local;
    err = err != NULL ? err : &local;
    stint_code got = stub(ctx, p->ch, req != NULL ? req : &empty, &rep, err);
    if (got != code)
        fail_msg("expected %s, got %s: %s", stint_code_name(code), stint_code_name(got),
                 err->message);
    assert_int_equal(err->code, code);
    assert_true((rep != NULL) == (code == STINT_OK));
    return rep;
}

void probe_free(Probe__V1__Reply *rep)
{
    probe__v1__reply__free_unpacked(rep, NULL);
}

void outcome_init(struct outcome *o)
{
    memset(o, 0, sizeof *o);
    event_init(&o->event);
}

void outcome_fini(struct outcome *o)
{
    probe_free(o->reply);
    event_fini(&o->event);
}

void probe_done(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct outcome *o = arg;
    (void)code;
    o->err = *err;
    o->reply = rep;
    event_raise(&o->event);
}
