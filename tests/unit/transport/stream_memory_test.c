/* stream_memory_test.c - each allocation in turn fails once: what cannot be done says so, nothing
 * is lost for good, nothing leaks. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "cluster.h"
#include "leak.h"
#include "patience.h"
#include "transport.h"

#define PAYLOAD 100000 /* larger than the buffers, so that it gets memory of its own */

/* ---- the gate: installed once, armed for each round ---- */

static atomic_long until_failure; /* allocations before the one that fails; below 0: none fails */

static bool gate(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return atomic_fetch_sub(&until_failure, 1) != 0;
}

/* ---- one call, with both ends in this process ---- */

struct round {
    struct stint__acceptor *acceptor;
    struct stint__peer *peer;
    struct stint__exchange x;
    atomic_uint replies, losses;
};

static void *on_opened(void *arg, struct stint__conn *conn)
{
    (void)conn;
    return arg;
}

static void on_request(void *arg, void *conn_data, struct stint__conn *conn,
                       const struct stint__reply_to *to, const struct stint__incoming *in)
{
    (void)arg, (void)conn_data;
    struct stint__envelope e = {.kind = STINT__KIND_REPLY,
                                .call_id = in->env.call_id,
                                .has_payload = true,
                                .payload = in->env.payload,
                                .payload_owner = in->owner};
    stint_error err;
    while (stint__conn_reply(conn, to, &e, &err) == STINT_RESOURCE_EXHAUSTED)
        ; /* it fails once */
}

static void on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                      const struct stint__reply_to *to)
{
    (void)arg, (void)conn_data, (void)conn, (void)to;
}

static void on_closed(void *arg, void *conn_data, struct stint__conn *conn)
{
    (void)arg, (void)conn_data, (void)conn;
}

static void on_nothing(void *arg)
{
    (void)arg;
}

static void on_down(void *arg, const stint_error *error)
{
    (void)arg;
    (void)error;
}

static void on_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    struct round *r = STINT__CONTAINER_OF(x, struct round, x);
    if (in->env.payload.len != PAYLOAD)
        abort();
    atomic_fetch_add(&r->replies, 1);
}

static void on_lost(struct stint__exchange *x, const stint_error *error)
{
    (void)error;
    atomic_fetch_add(&STINT__CONTAINER_OF(x, struct round, x)->losses, 1);
}

/* Calls until there is a reply: a call may be lost, and a connection made again. */
static void call(struct round *r)
{
    static const struct stint__exchange_ops ops = {on_reply, on_lost};
    static const uint8_t zeros[PAYLOAD];
    struct timespec deadline = deadline_in_ms(patience_ms());
    bool waiting = false;
    for (unsigned lost = 0; atomic_load(&r->replies) == 0;) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("no reply");
        if (waiting && atomic_load(&r->losses) == lost) {
            pause_between_looks();
            continue;
        }
        lost = atomic_load(&r->losses);
        r->x.ops = &ops;
        struct stint__envelope e = {.kind = STINT__KIND_REQUEST,
                                    .call_id = 1,
                                    .has_payload = true,
                                    .payload = {zeros, PAYLOAD}};
        waiting = stint__peer_submit(r->peer, &r->x, &e, NULL) == STINT_OK;
        if (!waiting)
            pause_between_looks();
    }
}

/* True if it came as far as calling. */
static bool run_round(struct round *r, const char *url)
{
    static const struct stint__transport_options opts;
    struct stint__acceptor_events server = {r, on_opened, on_request, on_cancel, on_closed};
    struct stint__peer_events client = {r, on_nothing, on_down, on_nothing};
    stint_error err;
    if (stint__acceptor_open(&r->acceptor, url, &opts, &server, &err) != STINT_OK ||
        stint__acceptor_start(r->acceptor, &err) != STINT_OK ||
        stint__peer_open(&r->peer, url, &opts, &client, &err) != STINT_OK) {
        assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(err.message, "memory"));
        return false;
    }
    call(r);
    return true;
}

static void one_allocation_after_the_other_fails(struct cluster *c)
{
    const char *url = cluster_ipc_url(c, "s");
    struct leaks before = {0};
    unsigned refused = 0;
    unsigned called = 0;
    stint__alloc_set_gate(gate, NULL);
    for (long n = 0;; n++) {
        struct round r = {0};
        atomic_store(&until_failure, n);
        bool came_to_call = run_round(&r, url);
        bool failed = atomic_exchange(&until_failure, -1) < 0;
        stint__peer_close(r.peer);
        stint__acceptor_close(r.acceptor);
        refused += !came_to_call;
        called += came_to_call;
        if (n == 20)
            before = leaks_look(); /* NNG has its threads by now */
        if (n > 20)
            leaks_check(&before);
        if (!failed)
            break;
    }
    stint__alloc_set_gate(NULL, NULL);
    assert_in_range(refused, 3, 12);
    assert_in_range(called, 8, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(one_allocation_after_the_other_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
