/* harness.c - see harness.h.
 *
 * File-scope state: the monitor, which everything shares, and a counter for call IDs. Callbacks
 * never fail the test themselves (they may run in any thread): they count violations. */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define VIRTUAL_PATIENCE STINT_SECONDS(600)

const struct scheme *scheme;

struct stint__transport_options test_options = {
    .max_message = MAX_MESSAGE,
    .backoff_min = STINT_MS(1),
    .backoff_max = STINT_MS(20),
    .max_queued = 4 * MAX_MESSAGE,
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_once_t once;
    stint_time virtual_limit;
    bool virtual_clock;
} monitor = {.mutex = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static atomic_uint_least64_t last_call_id;

/* NNG is not built with ThreadSanitizer, which therefore does not see the atomics that its messages
 * and streams are counted with, and takes some of its frees for races. Accesses made by libraries
 * that are not instrumented are left out; their locks still count. */
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl51-cpp,readability-identifier-naming)
STINT_API const char *__tsan_default_options(void);

STINT_API const char *__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1";
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl51-cpp,readability-identifier-naming)

/* ---- the monitor ---- */

static void monitor_init(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&monitor.changed, &attr);
    pthread_condattr_destroy(&attr);
}

void monitor_enter(void)
{
    pthread_once(&monitor.once, monitor_init);
    pthread_mutex_lock(&monitor.mutex);
}

void monitor_leave(void)
{
    pthread_mutex_unlock(&monitor.mutex);
}

void monitor_changed(void)
{
    pthread_cond_broadcast(&monitor.changed);
}

void monitor_use_virtual_clock(bool use)
{
    monitor.virtual_clock = use;
    monitor.virtual_limit = stint_time_add(stint_now(), VIRTUAL_PATIENCE);
}

/* Inside: waits until something changes. False: patience, or virtual time, is over. */
static bool monitor_wait(const struct timespec *deadline)
{
    if (!monitor.virtual_clock)
        return pthread_cond_timedwait(&monitor.changed, &monitor.mutex, deadline) == 0;
    monitor_leave();
    bool stepped = stint__vclock_step(monitor.virtual_limit);
    monitor_enter();
    return stepped;
}

struct await await_begin(const char *what)
{
    monitor_enter();
    return (struct await){what, deadline_in_ms(patience_ms())};
}

bool await_end(const struct await *w, bool holds)
{
    bool more = !holds && monitor_wait(&w->deadline);
    if (more)
        return false;
    monitor_leave();
    if (!holds)
        fail_msg("never came true: %s", w->what);
    return true;
}

/* ---- the server ---- */

/* What a server keeps for a connection. */
struct conn_data {
    struct server *server;
    bool inside, closed;
};

/* Marks the start of a callback for a connection. Inside the monitor. */
static void conn_enter(struct conn_data *d)
{
    if (d->inside || d->closed || !stint__transport_in_callback())
        d->server->violations++;
    d->inside = true;
}

static void conn_leave(struct conn_data *d)
{
    monitor_enter();
    d->inside = false;
    monitor_leave();
}

static void *on_opened(void *arg, struct stint__conn *conn)
{
    struct server *s = arg;
    struct conn_data *d = calloc(1, sizeof *d);
    (void)conn;
    monitor_enter();
    d->server = s;
    s->opened++;
    if (!stint__transport_in_callback())
        s->violations++;
    monitor_changed();
    monitor_leave();
    return d;
}

static stint_code send_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                             uint64_t call_id, struct stint__slice payload)
{
    struct stint__envelope e = {
        .kind = STINT__KIND_REPLY, .call_id = call_id, .has_payload = true, .payload = payload};
    return stint__conn_reply(conn, to, &e, NULL);
}

static void hold_request(struct server *s, struct stint__conn *conn,
                         const struct stint__reply_to *to, const struct stint__incoming *in)
{
    struct held *grown = realloc(s->held, (s->n_held + 1) * sizeof *grown);
    s->held = grown;
    struct held *h = &grown[s->n_held++];
    *h = (struct held){.conn = stint__conn_ref(conn),
                       .to = *to,
                       .call_id = in->env.call_id,
                       .payload = malloc(in->env.payload.len + 1),
                       .len = in->env.payload.len};
    memcpy(h->payload, in->env.payload.data, h->len);
}

static void on_request(void *arg, void *conn_data, struct stint__conn *conn,
                       const struct stint__reply_to *to, const struct stint__incoming *in)
{
    struct server *s = arg;
    monitor_enter();
    conn_enter(conn_data);
    if (stint__conn_data(conn) != conn_data || in->read_at.ns > stint_now().ns)
        s->violations++;
    s->requests++;
    enum behaviour behaviour = s->behaviour;
    if (behaviour == HOLD)
        hold_request(s, conn, to, in);
    monitor_changed();
    monitor_leave();
    if (behaviour == ECHO) /* UNAVAILABLE: the client is gone already */
        (void)send_reply(conn, to, in->env.call_id, in->env.payload);
    else if (behaviour == DROP)
        stint__conn_drop(conn, to);
    conn_leave(conn_data);
}

static bool same_reply_to(const struct stint__reply_to *a, const struct stint__reply_to *b)
{
    return a->stack.len == b->stack.len &&
           memcmp(a->stack.bytes, b->stack.bytes, a->stack.len) == 0;
}

static void on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                      const struct stint__reply_to *to)
{
    struct server *s = arg;
    monitor_enter();
    conn_enter(conn_data);
    s->cancels++;
    for (size_t i = 0; i < s->n_held; i++) {
        if (s->held[i].conn == conn && same_reply_to(&s->held[i].to, to))
            s->held[i].cancelled = true;
    }
    monitor_changed();
    monitor_leave();
    conn_leave(conn_data);
}

static void on_closed(void *arg, void *conn_data, struct stint__conn *conn)
{
    struct server *s = arg;
    struct conn_data *d = conn_data;
    (void)conn;
    monitor_enter();
    conn_enter(d);
    s->closed++;
    monitor_changed();
    monitor_leave();
    free(d);
}

static void on_log(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    struct server *s = arg;
    (void)suppressed;
    monitor_enter();
    if (level >= STINT_LOG_WARN && text[0] != '\0')
        s->log_lines++;
    monitor_changed();
    monitor_leave();
}

void server_open(struct server *s, const char *url, enum behaviour behaviour)
{
    char fresh[URL_SIZE];
    stint_error err = STINT_ERROR_INIT;
    stint_code code = STINT_ALREADY_EXISTS;
    memset(s, 0, sizeof *s);
    s->behaviour = behaviour;
    struct stint__acceptor_events events = {s, on_opened, on_request, on_cancel, on_closed};
    struct stint__transport_options opts = test_options;
    opts.log = (stint_log){on_log, s};
    /* A port that was free a moment ago may be taken by now. */
    for (int i = 0; i < 10 && code == STINT_ALREADY_EXISTS; i++) {
        if (url == NULL)
            scheme->new_url(fresh);
        code = stint__acceptor_open(&s->acceptor, url == NULL ? fresh : url, &opts, &events, &err);
    }
    if (code != STINT_OK)
        fail_msg("%s", err.message);
    snprintf(s->url, sizeof s->url, "%s", stint__acceptor_url(s->acceptor));
    if (stint__acceptor_start(s->acceptor, &err) != STINT_OK)
        fail_msg("%s", err.message);
}

void server_close(struct server *s)
{
    stint__acceptor_close(s->acceptor);
    s->acceptor = NULL;
    for (size_t i = 0; i < s->n_held; i++) {
        struct held *h = &s->held[i];
        if (!h->answered)
            stint__conn_drop(h->conn, &h->to);
        stint__conn_unref(h->conn);
        free(h->payload);
    }
    free(s->held);
    s->held = NULL;
    s->n_held = 0;
    assert_int_equal(s->violations, 0);
    assert_int_equal(s->opened, s->closed);
}

stint_code server_reply(struct server *s, size_t index)
{
    monitor_enter();
    struct held h = s->held[index];
    s->held[index].answered = true;
    monitor_leave();
    return send_reply(h.conn, &h.to, h.call_id, (struct stint__slice){h.payload, h.len});
}

void server_drop(struct server *s, size_t index)
{
    monitor_enter();
    struct held h = s->held[index];
    s->held[index].answered = true;
    monitor_leave();
    stint__conn_drop(h.conn, &h.to);
}

struct stint__transport_stats server_stats(const struct server *s)
{
    struct stint__transport_stats stats;
    stint__acceptor_stats(s->acceptor, &stats);
    return stats;
}

/* ---- the client ---- */

static void on_ready(void *arg)
{
    struct client *c = arg;
    monitor_enter();
    c->ready++;
    c->up = true;
    monitor_changed();
    monitor_leave();
}

static void on_down(void *arg, const stint_error *error)
{
    struct client *c = arg;
    monitor_enter();
    c->down++;
    c->up = false;
    c->outstanding_at_down = c->outstanding;
    c->last_down = *error;
    monitor_changed();
    monitor_leave();
}

static void on_goaway(void *arg)
{
    struct client *c = arg;
    monitor_enter();
    c->goaway++;
    monitor_changed();
    monitor_leave();
}

void client_open(struct client *c, const char *url)
{
    stint_error err = STINT_ERROR_INIT;
    memset(c, 0, sizeof *c);
    struct stint__peer_events events = {c, on_ready, on_down, on_goaway};
    if (stint__peer_open(&c->peer, url, &test_options, &events, &err) != STINT_OK)
        fail_msg("%s", err.message);
}

void client_connect(struct client *c, const char *url)
{
    client_open(c, url);
    AWAIT(c->ready > 0);
}

void client_close(struct client *c)
{
    stint__peer_close(c->peer);
    c->peer = NULL;
}

struct stint__transport_stats client_stats(const struct client *c)
{
    struct stint__transport_stats stats;
    stint__peer_stats(c->peer, &stats);
    return stats;
}

static struct call *call_of(struct stint__exchange *x)
{
    return STINT__CONTAINER_OF(x, struct call, x);
}

static void on_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    struct call *k = call_of(x);
    monitor_enter();
    k->replies++;
    k->client->outstanding--;
    if (in->env.call_id == k->id && k->payload == NULL) {
        k->len = in->env.payload.len;
        k->payload = malloc(k->len + 1);
        memcpy(k->payload, in->env.payload.data, k->len);
    }
    monitor_changed();
    monitor_leave();
}

static void on_lost(struct stint__exchange *x, const stint_error *error)
{
    struct call *k = call_of(x);
    monitor_enter();
    k->losts++;
    k->client->outstanding--;
    k->error = *error;
    monitor_changed();
    monitor_leave();
}

static const struct stint__exchange_ops call_ops = {on_reply, on_lost};

stint_code call_start(struct call *k, struct client *c, const void *payload, size_t len,
                      stint_error *err)
{
    static const char method[] = "conformance.Echo/Echo";
    stint_error own = STINT_ERROR_INIT;
    stint_error *e = err == NULL ? &own : err;
    memset(k, 0, sizeof *k);
    k->x.ops = &call_ops;
    k->client = c;
    k->id = atomic_fetch_add(&last_call_id, 1) + 1;
    for (;;) {
        struct stint__envelope env = {
            .kind = STINT__KIND_REQUEST,
            .call_id = k->id,
            .method = {(const uint8_t *)method, sizeof method - 1},
            .has_payload = true,
            .payload = {payload, len},
        };
        monitor_enter();
        unsigned ready = c->ready;
        c->outstanding++;
        monitor_leave();
        stint_code code = stint__peer_submit(c->peer, &k->x, &env, e);
        if (code == STINT_OK)
            return code;
        monitor_enter();
        c->outstanding--;
        monitor_leave();
        if (code != STINT_RESOURCE_EXHAUSTED || e->reason != STINT_REASON_QUEUE_FULL)
            return code;
        AWAIT(c->ready > ready);
    }
}

void call_begin(struct call *k, struct client *c, const void *payload, size_t len)
{
    stint_error err = STINT_ERROR_INIT;
    if (call_start(k, c, payload, len, &err) != STINT_OK)
        fail_msg("submit: %s", err.message);
}

bool call_ended(const struct call *k)
{
    return k->replies + k->losts > 0;
}

void call_free(struct call *k)
{
    free(k->payload);
    k->payload = NULL;
}

void check_echo(struct client *c, const void *payload, size_t len)
{
    struct call k;
    call_begin(&k, c, payload, len);
    AWAIT(call_ended(&k));
    if (k.losts > 0)
        fail_msg("lost: %s", k.error.message);
    assert_int_equal(k.replies, 1);
    assert_non_null(k.payload);
    assert_int_equal(k.len, len);
    if (len > 0)
        assert_memory_equal(k.payload, payload, len);
    call_free(&k);
}

void await_echo(struct client *c)
{
    struct call k = {.replies = 0};
    while (k.replies == 0) {
        AWAIT(c->up);
        if (call_start(&k, c, "again", 5, NULL) == STINT_OK)
            AWAIT(call_ended(&k));
    }
    call_free(&k);
}
