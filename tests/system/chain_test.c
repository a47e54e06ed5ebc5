/* chain_test.c - three processes in a row: what ends at the caller ends everywhere, a process that
 * stands still costs its callers no more than their deadlines, and one that dies takes its calls
 * with it in both directions. Times are printed, not judged. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "event.h"
#include "node/v1/node.stint.h"
#include "patience.h"

#define CANCELS 20
#define HELD    16
#define FAN     3 /* no more than the workers that a node has at least */

struct chain {
    struct node *first, *middle, *last;
    stint_channel *ch;
};

static void chain_open(struct chain *k, struct cluster *c)
{
    k->last = CLUSTER_START(c, "last", cluster_ipc_url(c, "last"), PROGRAM_node_server, NODE_URL);
    node_wait_ready(k->last);
    k->middle = CLUSTER_START(c, "middle", "tcp://127.0.0.1:0", PROGRAM_node_server, NODE_URL,
                              "--next", node_url(k->last));
    node_wait_ready(k->middle);
    k->first = CLUSTER_START(c, "first", cluster_ipc_url(c, "first"), PROGRAM_node_server, NODE_URL,
                             "--next", node_url(k->middle));
    node_wait_ready(k->first);
    assert_int_equal(stint_channel_open(&k->ch, node_url(k->first), NULL, NULL), STINT_OK);
}

/* Each of them finishes what it does, within its own limit. */
static void chain_close(struct chain *k)
{
    stint_channel_close(k->ch);
    assert_int_equal(node_terminate(k->first), 0);
    assert_int_equal(node_terminate(k->middle), 0);
    assert_int_equal(node_terminate(k->last), 0);
}

/* ---- calls ---- */

struct held {
    struct event event;
    stint_error err;
};

static void held_done(void *arg, stint_code code, Node__V1__Reply *rep, const stint_error *err)
{
    struct held *h = arg;
    (void)code;
    node__v1__reply__free_unpacked(rep, NULL);
    h->err = *err;
    event_raise(&h->event);
}

static stint_ctx *named(const stint_ctx *parent, const char *id)
{
    stint_request_info info = stint_request_info_new();
    snprintf(info.request_id, sizeof info.request_id, "%s", id);
    return stint_ctx_with_request_info(parent, &info);
}

/* A call (a fan of calls from the first node on) that holds in the last node, if it gets there. */
static void begin(struct chain *k, const stint_ctx *ctx, const char *id, unsigned fan,
                  struct held *h)
{
    Node__V1__Request req = NODE__V1__REQUEST__INIT;
    stint_error late; /* on a busy machine the time can be over before it is sent */
    req.hold = req.announce = true;
    req.fan = fan;
    event_init(&h->event);
    stint_ctx *own = named(ctx, id);
    stint_code code = node_v1_node_work_async(own, k->ch, &req, held_done, h, &late);
    stint_ctx_unref(own);
    if (code != STINT_OK)
        held_done(h, code, NULL, &late);
}

/* The same, with time enough: the last node has been entered when this returns. */
static void begin_held(struct chain *k, const stint_ctx *ctx, const char *id, unsigned fan,
                       struct held *h)
{
    char entered[STINT_REQUEST_ID_MAX + 16];
    begin(k, ctx, id, fan, h);
    snprintf(entered, sizeof entered, "entered %s", id);
    node_wait_log(k->last, entered, fan > 0 ? fan : 1);
}

/* When the node's handler noticed; its line is "left ID CODE NS". */
static int64_t left_at(struct node *n, const char *id, const char *code)
{
    char text[STINT_REQUEST_ID_MAX + 32];
    snprintf(text, sizeof text, "left %s %s ", id, code);
    node_wait_log(n, text, 1);
    char *line = node_line_with(n, text);
    int64_t at = strtoll(strrchr(line, ' ') + 1, NULL, 10);
    free(line);
    return at;
}

static void expect_calls_succeed(struct chain *k)
{
    const Node__V1__Request req = NODE__V1__REQUEST__INIT;
    stint_ctx *patient = stint_ctx_with_call_options(stint_ctx_background(),
                                                     STINT_CALL_OPTIONS(.wait_for_ready = true));
    stint_ctx *ctx = stint_ctx_with_timeout(patient, STINT_SECONDS(20));
    for (int i = 0; i < 10; i++) {
        Node__V1__Reply *rep;
        stint_error err;
        stint_code code = node_v1_node_work(ctx, k->ch, &req, &rep, &err);
        if (code != STINT_OK)
            fail_msg("%s: %s", stint_code_name(code), err.message);
        node__v1__reply__free_unpacked(rep, NULL);
    }
    stint_ctx_drop(ctx);
    stint_ctx_drop(patient);
}

/* ---- cancellation ---- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_hop(const struct node *n, int64_t took[CANCELS])
{
    qsort(took, CANCELS, sizeof took[0], by_size);
    int64_t median = took[CANCELS / 2];
    print_message("| %-6s | %9.0f us | %8.0f us |\n", node_name(n), (double)median / 1e3,
                  (double)took[CANCELS - 1] / 1e3);
}

/* When the handler returned, no call of its own was in flight. */
static void expect_joined(struct node *n, const char *id)
{
    char text[STINT_REQUEST_ID_MAX + 16];
    snprintf(text, sizeof text, "joined %s 0", id);
    node_wait_log(n, text, 1);
}

static void a_cancel_reaches_every_hop(struct cluster *c)
{
    struct chain k;
    int64_t took[3][CANCELS];
    chain_open(&k, c);
    struct node *const hops[] = {k.first, k.middle, k.last};
    for (int i = 0; i < CANCELS; i++) {
        struct held h;
        char id[32];
        snprintf(id, sizeof id, "c%d", i);
        stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
        begin_held(&k, ctx, id, 0, &h);
        int64_t cancelled = stint_now().ns;
        stint_ctx_cancel(ctx, STINT_CANCELLED, "enough");
        event_wait(&h.event, 1);
        assert_int_equal(h.err.code, STINT_CANCELLED);
        for (int hop = 0; hop < 3; hop++)
            took[hop][i] = left_at(hops[hop], id, "CANCELLED") - cancelled;
        expect_joined(k.first, id);
        expect_joined(k.middle, id);
        stint_ctx_drop(ctx);
        event_fini(&h.event);
    }
    print_message(
        "from cancel to the handler of each hop\n| hop    |    median    |    worst    |\n");
    for (int hop = 0; hop < 3; hop++)
        print_hop(hops[hop], took[hop]);
    expect_calls_succeed(&k);
    chain_close(&k);
}

static void a_cancel_ends_a_whole_fan(struct cluster *c)
{
    struct chain k;
    struct held h;
    chain_open(&k, c);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    begin_held(&k, ctx, "fan", FAN, &h);
    stint_ctx_cancel(ctx, STINT_CANCELLED, "enough");
    event_wait(&h.event, 1);
    assert_int_equal(h.err.code, STINT_CANCELLED);
    node_wait_log(k.last, "left fan CANCELLED", FAN);
    node_wait_log(k.middle, "left fan CANCELLED", FAN);
    node_wait_log(k.first, "left fan CANCELLED", 1);
    expect_joined(k.first, "fan");
    event_fini(&h.event);
    stint_ctx_drop(ctx);
    expect_calls_succeed(&k);
    chain_close(&k);
}

/* ---- deadlines ---- */

/* Whether the call had got to the last node when it expired. Otherwise a hop above may also have
 * found that there was too little time for those below. */
static bool expires_at_last(struct chain *k, const char *id, stint_duration timeout)
{
    struct held h;
    char entered[STINT_REQUEST_ID_MAX + 16];
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), timeout);
    begin(k, ctx, id, 0, &h);
    event_wait(&h.event, 1);
    snprintf(entered, sizeof entered, "entered %s", id);
    bool got_there = node_lines_with(k->last, entered) > 0;
    if (got_there)
        assert_int_equal(h.err.code, STINT_DEADLINE_EXCEEDED);
    event_fini(&h.event);
    stint_ctx_drop(ctx);
    return got_there;
}

static void a_deadline_ends_every_hop_by_itself(struct cluster *c)
{
    struct chain k;
    chain_open(&k, c);
    stint_duration timeout = STINT_MS(200);
    char id[32] = "d0";
    for (int i = 1; !expires_at_last(&k, id, timeout); i++) { /* a busy machine needs more */
        assert_true(timeout < STINT_MS(patience_ms()));
        timeout *= 2;
        snprintf(id, sizeof id, "d%d", i);
    }
    (void)left_at(k.last, id, "DEADLINE_EXCEEDED");
    expect_calls_succeed(&k);
    chain_close(&k);
}

/* ---- a node that stands still ---- */

static void pause_one(struct chain *k, struct node *n)
{
    struct held held[HELD];
    node_pause(n);
    const Node__V1__Request req = NODE__V1__REQUEST__INIT;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(200));
    stint_time begun = stint_now();
    for (int i = 0; i < HELD; i++) {
        event_init(&held[i].event);
        stint_error late; /* on a busy machine the time can be over before it is sent */
        stint_code code = node_v1_node_work_async(ctx, k->ch, &req, held_done, &held[i], &late);
        if (code != STINT_OK)
            held_done(&held[i], code, NULL, &late);
    }
    stint_error err;
    Node__V1__Reply *rep;
    assert_int_equal(node_v1_node_work(ctx, k->ch, &req, &rep, &err), STINT_DEADLINE_EXCEEDED);
    double sync_ms = (double)stint_time_sub(stint_now(), begun) / 1e6;
    for (int i = 0; i < HELD; i++) {
        event_wait(&held[i].event, 1);
        assert_int_equal(held[i].err.code, STINT_DEADLINE_EXCEEDED);
    }
    print_message("%s stands still: calls with 200 ms ended after %.1f ms\n", node_name(n),
                  sync_ms);
    node_resume(n);
    expect_calls_succeed(k);
    for (int i = 0; i < HELD; i++) {
        assert_int_equal(event_count(&held[i].event), 1);
        event_fini(&held[i].event);
    }
    stint_ctx_drop(ctx);
}

static void a_node_that_stands_still_costs_no_more_than_the_deadline(struct cluster *c)
{
    struct chain k;
    chain_open(&k, c);
    expect_calls_succeed(&k);
    pause_one(&k, k.first);
    pause_one(&k, k.last);
    chain_close(&k);
}

/* ---- a node that dies ---- */

static void a_death_in_the_middle_is_felt_on_both_sides(struct cluster *c)
{
    struct chain k;
    struct held h;
    chain_open(&k, c);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    begin_held(&k, ctx, "m", 0, &h);
    int64_t killed = stint_now().ns;
    node_kill(k.middle);
    event_wait(&h.event, 1);
    assert_int_equal(h.err.code, STINT_UNAVAILABLE);
    assert_int_equal(h.err.origin, STINT_ORIGIN_PEER); /* the first node says so */
    assert_false(h.err.not_executed);
    double took_us = (double)(left_at(k.last, "m", "CANCELLED") - killed) / 1e3;
    print_message("from the death of the middle to the last hop's handler: %.0f us\n", took_us);
    event_fini(&h.event);
    node_start(k.middle);
    node_wait_ready(k.middle);
    expect_calls_succeed(&k);
    stint_ctx_drop(ctx);
    chain_close(&k);
}

static void the_death_of_the_last_is_heard_at_the_first(struct cluster *c)
{
    struct chain k;
    struct held h;
    chain_open(&k, c);
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    begin_held(&k, ctx, "l", 0, &h);
    node_kill(k.last);
    event_wait(&h.event, 1);
    assert_int_equal(h.err.code, STINT_UNAVAILABLE);
    assert_false(h.err.not_executed);
    event_fini(&h.event);
    node_start(k.last);
    node_wait_ready(k.last);
    expect_calls_succeed(&k);
    stint_ctx_drop(ctx);
    chain_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_cancel_reaches_every_hop),
        CLUSTER_TEST(a_cancel_ends_a_whole_fan),
        CLUSTER_TEST(a_deadline_ends_every_hop_by_itself),
        CLUSTER_TEST(a_node_that_stands_still_costs_no_more_than_the_deadline),
        CLUSTER_TEST(a_death_in_the_middle_is_felt_on_both_sides),
        CLUSTER_TEST(the_death_of_the_last_is_heard_at_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
