/* socket.c - the transport over stock NNG sockets: inproc://, ws://, nng+tcp://, nng+ipc://.
 *
 * It is for what SP over byte streams does not reach, and to meet stock sockets on their own
 * ground. Only unary calls: a REQ socket sends nothing but requests and a REP socket nothing but
 * replies, so there is no CANCEL, no GOAWAY, no heartbeat, and no feature is announced.
 *
 * This file has no state but the helper that closes sockets. */
#include "socket_impl.h"

#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "clock.h"

#define CLOSE_LIMIT STINT_SECONDS(5)
#define MAX_HOPS    15

/* Where a busy pipe must not be closed: how long one has to become idle. */
#define IDLE_PAUSE_MS 20

/* ---- URLs ---- */

static bool accepts(const char *url)
{
    static const char *const prefixes[] = {"inproc://", "ws://", "nng+tcp://", "nng+ipc://"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncasecmp(url, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

const char *stint__socket_nng_url(const char *url)
{
    static const char prefix[] = "nng+";
    return strncasecmp(url, prefix, sizeof prefix - 1) == 0 ? url + sizeof prefix - 1 : url;
}

stint_code stint__socket_check_url(const char *url, stint_error *err)
{
    nng_url *parsed;
    if (strncasecmp(url, "ws://", 5) != 0 && strncasecmp(url, "nng+tcp://", 10) != 0)
        return STINT_OK;
    if (nng_url_parse(&parsed, stint__socket_nng_url(url)) != 0)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: not a URL", url);
    char *end = NULL;
    unsigned long port = strtoul(parsed->u_port, &end, 10);
    bool good = *end == '\0' && port <= UINT16_MAX;
    nng_url_free(parsed);
    if (!good)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: no such port", url);
    return STINT_OK;
}

/* See STINT__CAN_CHURN. */
static bool can_churn(const char *url)
{
    return strncasecmp(url, "inproc://", 9) == 0;
}

unsigned stint__socket_capabilities(const char *url)
{
    return STINT__CAN_SEE_LOSS | (can_churn(url) ? (unsigned)STINT__CAN_CHURN : 0);
}

/* ---- messages ---- */

stint_code stint__socket_encode(nng_msg **ret, struct stint__envelope *e, size_t max_message,
                                stint_error *err)
{
    e->features = 0;
    e->sent_boottime_ns = (uint64_t)stint__clock_boottime_ns();
    e->boot_domain = stint__clock_boot_domain();
    size_t header = stint__envelope_header_size(e);
    stint_code code = stint__outgoing_check(e, header, max_message, err);
    if (code != STINT_OK)
        return code;
    size_t payload = e->has_payload ? e->payload.len : 0;
    nng_msg *msg;
    if (nng_msg_alloc(&msg, header + payload) != 0)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for a message");
    uint8_t *end = stint__envelope_encode_header(e, nng_msg_body(msg));
    if (payload > 0)
        memcpy(end, e->payload.data, payload);
    *ret = msg;
    return STINT_OK;
}

stint_code stint__socket_decode(struct stint__incoming *ret, nng_msg *msg, enum stint__kind kind,
                                size_t max_message, stint_error *err)
{
    struct stint__slice body = {nng_msg_body(msg), nng_msg_len(msg)};
    if (body.len > max_message + STINT__HEADER_MAX)
        return stint__transport_error(err, STINT_INVALID_ARGUMENT, STINT_REASON_MALFORMED,
                                      "a frame of %zu bytes; at most %zu are taken", body.len,
                                      max_message + STINT__HEADER_MAX);
    stint_code code = stint__incoming_decode(ret, body, NULL, stint_now(), err);
    if (code == STINT_OK && ret->env.kind != (uint32_t)kind)
        code = stint__transport_error(err, STINT_INVALID_ARGUMENT, STINT_REASON_MALFORMED,
                                      "an envelope of kind %u where kind %u belongs",
                                      (unsigned)ret->env.kind, (unsigned)kind);
    return code;
}

/* ---- sockets ---- */

int stint__socket_configure(nng_socket s, const struct stint__transport_options *opts,
                            nng_pipe_cb on_pipe, void *arg)
{
    static const nng_pipe_ev events[] = {NNG_PIPE_EV_ADD_PRE, NNG_PIPE_EV_ADD_POST,
                                         NNG_PIPE_EV_REM_POST};
    /* With NNG's own four bytes of request ID. */
    int rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, opts->max_message + STINT__HEADER_MAX + 4);
    if (rv == 0)
        rv = nng_socket_set_int(s, NNG_OPT_MAXTTL, MAX_HOPS);
    for (size_t i = 0; rv == 0 && i < sizeof events / sizeof events[0]; i++)
        rv = nng_pipe_notify(s, events[i], on_pipe, arg);
    return rv;
}

/* A close that may outlive the one who asked for it; freed by whoever is done with it last. */
struct closing {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    nng_socket socket;
    bool pause; /* first, so that what is under way is over */
    bool closed, given_up;
};

static void closing_free(struct closing *c)
{
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    stint__free(c);
}

static void *close_main(void *arg)
{
    struct closing *c = arg;
    if (c->pause)
        nng_msleep(IDLE_PAUSE_MS);
    nng_close(c->socket);
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    bool last = c->given_up;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (last) /* nobody joins us, nobody looks at c any more */
        closing_free(c);
    return NULL;
}

static bool wait_closed(struct closing *c)
{
    stint_time limit = stint_time_add(stint_now(), CLOSE_LIMIT);
    pthread_mutex_lock(&c->lock);
    while (!c->closed && stint__cond_wait_until(&c->changed, &c->lock, limit))
        ;
    bool closed = c->closed;
    c->given_up = !closed;
    pthread_mutex_unlock(&c->lock);
    return closed;
}

static struct closing *closing_new(nng_socket s, bool pause)
{
    struct closing *c = stint__alloc_zeroed(sizeof *c);
    if (c == NULL)
        return NULL;
    c->socket = s;
    c->pause = pause;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        stint__free(c);
        return NULL;
    }
    if (stint__cond_init(&c->changed) != 0) {
        pthread_mutex_destroy(&c->lock);
        stint__free(c);
        return NULL;
    }
    return c;
}

bool stint__socket_close(nng_socket s, const char *url)
{
    pthread_t thread;
    struct closing *c = closing_new(s, !can_churn(url));
    if (c == NULL || pthread_create(&thread, NULL, close_main, c) != 0) {
        if (c != NULL)
            closing_free(c);
        nng_close(s);
        return true;
    }
    bool closed = wait_closed(c);
    if (!closed) {
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    closing_free(c);
    return true;
}

const struct stint__transport_ops stint__socket_transport = {
    .name = "socket",
    .accepts = accepts,
    .peer_open = stint__socket_peer_open,
    .peer_submit = stint__socket_peer_submit,
    .peer_abandon = stint__socket_peer_abandon,
    .peer_capabilities = stint__socket_peer_capabilities,
    .peer_stats = stint__socket_peer_stats,
    .peer_stop = stint__socket_peer_stop,
    .peer_close = stint__socket_peer_close,
    .acceptor_open = stint__socket_acceptor_open,
    .acceptor_start = stint__socket_acceptor_start,
    .acceptor_url = stint__socket_acceptor_url,
    .acceptor_capabilities = stint__socket_acceptor_capabilities,
    .acceptor_stats = stint__socket_acceptor_stats,
    .acceptor_drain = stint__socket_acceptor_drain,
    .acceptor_flush = stint__socket_acceptor_flush,
    .acceptor_close = stint__socket_acceptor_close,
    .conn_reply = stint__socket_conn_reply,
    .conn_drop = stint__socket_conn_drop,
    .conn_fail = stint__socket_conn_fail,
    .conn_ref = stint__socket_conn_ref,
    .conn_unref = stint__socket_conn_unref,
    .conn_peer = stint__socket_conn_peer,
    .conn_is_leaving = stint__socket_conn_is_leaving,
    .conn_data = stint__socket_conn_data,
};
