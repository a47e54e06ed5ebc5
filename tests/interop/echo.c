/* echo.c - see echo.h. The load's lock guards `idle` of its calls. */
#include "echo.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void insist(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "echo: %s\n", what);
    abort();
}

/* ---- server ---- */

static void *on_opened(void *arg, struct stint__conn *conn)
{
    (void)conn;
    struct echo_server *s = arg;
    atomic_fetch_add(&s->opened, 1);
    return s;
}

static void on_request(void *arg, void *conn_data, struct stint__conn *conn,
                       const struct stint__reply_to *to, const struct stint__incoming *in)
{
    (void)arg;
    struct echo_server *s = conn_data;
    atomic_fetch_add(&s->requests, 1);
    struct stint__envelope e = {
        .kind = STINT__KIND_REPLY,
        .call_id = in->env.call_id,
        .has_payload = in->env.has_payload,
        .payload = in->env.payload,
        .payload_owner = in->owner,
    };
    if (stint__conn_reply(conn, to, &e, NULL) != STINT_OK)
        atomic_fetch_add(&s->replies_refused, 1);
}

static void on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                      const struct stint__reply_to *to)
{
    (void)arg;
    (void)conn;
    (void)to;
    struct echo_server *s = conn_data;
    atomic_fetch_add(&s->cancels, 1);
}

static void on_closed(void *arg, void *conn_data, struct stint__conn *conn)
{
    (void)arg;
    (void)conn;
    struct echo_server *s = conn_data;
    atomic_fetch_add(&s->closed, 1);
}

void echo_server_open(struct echo_server *s, const char *url,
                      const struct stint__transport_options *opts)
{
    *s = (struct echo_server){0};
    struct stint__transport_options o = {0};
    if (opts != NULL)
        o = *opts;
    struct stint__acceptor_events events = {s, on_opened, on_request, on_cancel, on_closed};
    stint_error err;
    stint_code code = stint__acceptor_open(&s->acceptor, url, &o, &events, &err);
    insist(code == STINT_OK, err.message);
    insist(stint__acceptor_start(s->acceptor, &err) == STINT_OK, err.message);
}

void echo_server_close(struct echo_server *s)
{
    stint__acceptor_close(s->acceptor);
    s->acceptor = NULL;
}

/* ---- client ---- */

static void set_idle(struct echo_call *c)
{
    pthread_mutex_lock(&c->load->lock);
    c->idle = true;
    pthread_mutex_unlock(&c->load->lock);
}

static void submit(struct echo_call *c)
{
    static const uint8_t zeros[1 << 20];
    static const uint8_t id[16] = "trace-id-16bytes";
    struct echo_load *l = c->load;
    c->call_id = atomic_fetch_add(&l->last_call_id, 1) + 1;
    struct stint__envelope e = {
        .kind = STINT__KIND_REQUEST,
        .call_id = c->call_id,
        .method = {(const uint8_t *)"bench.Echo/Echo", 15},
        .has_budget = true,
        .budget_us = 1000000,
        .trace_id = id,
        .span_id = id,
        .has_payload = true,
        .payload = {zeros, l->payload_size},
    };
    if (l->latencies_ns != NULL)
        c->sent = stint_now();
    if (stint__peer_submit(l->peer, &c->exchange, &e, NULL) != STINT_OK)
        set_idle(c);
}

static struct echo_call *call_of(struct stint__exchange *x)
{
    return STINT__CONTAINER_OF(x, struct echo_call, exchange);
}

static void on_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    struct echo_call *c = call_of(x);
    struct echo_load *l = c->load;
    unsigned long long n = atomic_fetch_add(&l->replies, 1);
    if (in->env.call_id != c->call_id || in->env.payload.len != l->payload_size)
        atomic_fetch_add(&l->wrong, 1);
    if (l->latencies_ns != NULL && n < l->latencies_max)
        l->latencies_ns[n] = (uint32_t)stint_time_sub(in->read_at, c->sent);
    if (atomic_load(&l->stopped))
        set_idle(c);
    else
        submit(c);
}

static void on_lost(struct stint__exchange *x, const stint_error *error)
{
    struct echo_load *l = call_of(x)->load;
    atomic_fetch_add(&l->losses, 1);
    if (error->not_executed)
        atomic_fetch_add(&l->not_executed, 1);
    set_idle(call_of(x));
}

static void on_ready(void *arg)
{
    struct echo_load *l = arg;
    atomic_fetch_add(&l->connects, 1);
    for (unsigned i = 0; i < l->in_flight && !atomic_load(&l->stopped); i++) {
        struct echo_call *c = &l->calls[i];
        pthread_mutex_lock(&l->lock);
        bool idle = c->idle;
        c->idle = false;
        pthread_mutex_unlock(&l->lock);
        if (idle)
            submit(c);
    }
}

static void on_down(void *arg, const stint_error *error)
{
    (void)error;
    struct echo_load *l = arg;
    atomic_fetch_add(&l->downs, 1);
}

static void on_goaway(void *arg)
{
    struct echo_load *l = arg;
    atomic_fetch_add(&l->goaways, 1);
}

void echo_load_start(struct echo_load *l, const char *url, unsigned in_flight, size_t payload_size,
                     const struct stint__transport_options *opts)
{
    static const struct stint__exchange_ops ops = {on_reply, on_lost};
    pthread_mutex_init(&l->lock, NULL);
    l->in_flight = in_flight;
    l->payload_size = payload_size;
    l->calls = calloc(in_flight, sizeof *l->calls);
    insist(l->calls != NULL, "out of memory");
    for (unsigned i = 0; i < in_flight; i++) {
        l->calls[i].exchange.ops = &ops;
        l->calls[i].load = l;
        l->calls[i].idle = true;
    }
    struct stint__transport_options o = {0};
    if (opts != NULL)
        o = *opts;
    struct stint__peer_events events = {l, on_ready, on_down, on_goaway};
    stint_error err;
    insist(stint__peer_open(&l->peer, url, &o, &events, &err) == STINT_OK, err.message);
}

void echo_load_stop(struct echo_load *l)
{
    atomic_store(&l->stopped, true);
}

void echo_load_close(struct echo_load *l)
{
    echo_load_stop(l);
    stint__peer_close(l->peer);
    pthread_mutex_destroy(&l->lock);
    free(l->calls);
    l->calls = NULL;
}
