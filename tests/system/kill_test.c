/* kill_test.c - servers are killed under load and come back, clients are killed with calls in
 * flight: every call ends once, none is executed twice, one that is said not to have been executed
 * was not, and nothing is left in whoever survives. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "event.h"
#include "leak.h"
#include "net.h"
#include "node/v1/node.stint.h"
#include "patience.h"

#define RESTARTS        100 /* of a server, over each kind of address */
#define GENTLE_RESTARTS 30
#define CLIENT_KILLS    500
#define CALLERS         4  /* threads that make one call after the other */
#define ASYNC           32 /* calls in flight beside them */
#define CALL_TIMEOUT    STINT_SECONDS(20)

/* ---- a load that keeps books ---- */

enum ended { NEVER, OK, NOT_EXECUTED, MAYBE_EXECUTED };

#define BOOK_SIZE (1u << 20) /* calls; the load stops before */

struct book {
    stint_channel *ch;    /* its calls wait for the server */
    stint_channel *hasty; /* its calls fail at once when there is none */
    bool gently;          /* servers are drained, not killed */
    atomic_bool stop;
    atomic_uint begun, over, ok, twice;
    _Atomic(uint8_t) *ended; /* by number of the call: enum ended */
    struct event idle;       /* an asynchronous caller stopped */
};

struct async_call {
    struct book *book;
    unsigned number;
};

static stint_ctx *context_of(unsigned number)
{
    stint_request_info info = stint_request_info_new();
    snprintf(info.request_id, sizeof info.request_id, "r%u", number);
    stint_ctx *named = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_ctx *ctx = stint_ctx_with_timeout(named, CALL_TIMEOUT);
    stint_ctx_unref(named);
    return ctx;
}

/* False: the load stops. */
static bool begin(struct book *b, unsigned *ret_number)
{
    if (atomic_load(&b->stop))
        return false;
    *ret_number = atomic_fetch_add(&b->begun, 1);
    if (*ret_number < BOOK_SIZE)
        return true;
    atomic_fetch_sub(&b->begun, 1);
    return false;
}

static void end(struct book *b, unsigned number, stint_code code, const stint_error *err)
{
    enum ended how = code == STINT_OK ? OK : err->not_executed ? NOT_EXECUTED : MAYBE_EXECUTED;
    if (atomic_exchange(&b->ended[number], (uint8_t)how) != NEVER)
        atomic_fetch_add(&b->twice, 1);
    if (code == STINT_OK)
        atomic_fetch_add(&b->ok, 1);
    atomic_fetch_add(&b->over, 1);
}

static void call_on(struct book *b, stint_channel *ch)
{
    static const Node__V1__Request req = NODE__V1__REQUEST__INIT;
    unsigned number;
    while (begin(b, &number)) {
        Node__V1__Reply *rep;
        stint_error err;
        stint_ctx *ctx = context_of(number);
        stint_code code = node_v1_node_work(ctx, ch, &req, &rep, &err);
        node__v1__reply__free_unpacked(rep, NULL);
        end(b, number, code, &err);
        if (code != STINT_OK)
            (void)!stint_channel_wait_ready(ctx, ch, NULL);
        stint_ctx_drop(ctx);
    }
}

static void *call_patiently(void *arg)
{
    struct book *b = arg;
    call_on(b, b->ch);
    return NULL;
}

static void *call_hastily(void *arg)
{
    struct book *b = arg;
    call_on(b, b->hasty);
    return NULL;
}

static void async_next(struct async_call *c);

static void async_done(void *arg, stint_code code, Node__V1__Reply *rep, const stint_error *err)
{
    struct async_call *c = arg;
    node__v1__reply__free_unpacked(rep, NULL);
    end(c->book, c->number, code, err);
    async_next(c);
}

static void async_next(struct async_call *c)
{
    static const Node__V1__Request req = NODE__V1__REQUEST__INIT;
    while (begin(c->book, &c->number)) {
        stint_error err;
        stint_ctx *ctx = context_of(c->number);
        stint_code code =
            c->number % 2 == 0
                ? node_v1_node_quick_async(ctx, c->book->ch, &req, async_done, c, &err)
                : node_v1_node_work_async(ctx, c->book->ch, &req, async_done, c, &err);
        stint_ctx_unref(ctx);
        if (code == STINT_OK)
            return;
        end(c->book, c->number, code, &err);
    }
    event_raise(&c->book->idle);
}

/* ---- servers are restarted ---- */

static void wait_ok(struct book *b, unsigned n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (atomic_load(&b->ok) < n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%u calls were OK, waited for %u", atomic_load(&b->ok), n);
        pause_between_looks();
    }
}

static uint64_t replies_on(const stint_channel *ch)
{
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(ch, &stats);
    return stats.ok;
}

/* Until both channels have talked with the server: one that it does not know it cannot tell to go.
 */
static void wait_both(const struct book *b)
{
    uint64_t one = replies_on(b->ch);
    uint64_t two = replies_on(b->hasty);
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (replies_on(b->ch) == one || replies_on(b->hasty) == two) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("no replies on one of the channels");
        pause_between_looks();
    }
}

static unsigned restarts_of(const struct book *b)
{
    return b->gently ? GENTLE_RESTARTS : RESTARTS;
}

static void restart_again_and_again(struct node *server, struct book *b)
{
    stint_duration worst = 0;
    stint_duration sum = 0;
    unsigned restarts = restarts_of(b);
    for (unsigned i = 0; i < restarts; i++) {
        unsigned before = atomic_load(&b->ok);
        wait_ok(b, before + 1 + i * 37 % 400); /* at another moment each time */
        if (b->gently) {
            wait_both(b);
            assert_int_equal(node_terminate(server), 0);
        } else {
            node_kill(server);
        }
        node_start(server);
        node_wait_ready(server);
        stint_time ready = stint_now();
        wait_ok(b, atomic_load(&b->ok) + 1);
        stint_duration took = stint_time_sub(stint_now(), ready);
        sum += took;
        worst = took > worst ? took : worst;
    }
    print_message("%s: first reply after a restart: %.1f ms on average, %.1f ms at worst\n",
                  node_url(server), (double)sum / restarts / 1e6, (double)worst / 1e6);
}

/* Each executed request is in the log: once, and not if its caller was told otherwise. */
static void check_log(const char *path, const struct book *b)
{
    unsigned begun = atomic_load(&b->begun);
    uint8_t *executed = test_calloc(begun, 1);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char line[STINT_REQUEST_ID_MAX + 2];
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long number = strtoul(line + 1, NULL, 10);
        assert_true(line[0] == 'r' && number < begun);
        executed[number]++;
    }
    fclose(f);
    unsigned kinds[4] = {0};
    for (unsigned i = 0; i < begun; i++) {
        uint8_t how = atomic_load(&b->ended[i]);
        kinds[how]++;
        if (executed[i] > 1)
            fail_msg("call %u was executed %u times", i, executed[i]);
        if (how == OK && executed[i] == 0)
            fail_msg("call %u was answered and not executed", i);
        if (how == NOT_EXECUTED && executed[i] != 0)
            fail_msg("call %u was executed, its caller was told that it was not", i);
    }
    print_message("%u calls: %u OK, %u not executed, %u maybe executed\n", begun, kinds[OK],
                  kinds[NOT_EXECUTED], kinds[MAYBE_EXECUTED]);
    assert_int_equal(kinds[NEVER], 0);
    if (b->gently) /* nobody is left in doubt */
        assert_int_equal(kinds[MAYBE_EXECUTED], 0);
    test_free(executed);
}

static void load_during_restarts(struct node *server, struct book *b)
{
    pthread_t callers[CALLERS];
    struct async_call async[ASYNC];
    for (unsigned i = 0; i < CALLERS; i++)
        assert_int_equal(
            pthread_create(&callers[i], NULL, i % 2 == 0 ? call_patiently : call_hastily, b), 0);
    for (unsigned i = 0; i < ASYNC; i++) {
        async[i].book = b;
        async_next(&async[i]);
    }
    restart_again_and_again(server, b);
    atomic_store(&b->stop, true);
    event_wait(&b->idle, ASYNC);
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
}

static void check_channels(const struct book *b)
{
    stint_channel_stats one = {.size = sizeof one};
    stint_channel_stats two = {.size = sizeof two};
    stint_channel_stats_get(b->ch, &one);
    stint_channel_stats_get(b->hasty, &two);
    assert_int_equal(one.calls + two.calls, atomic_load(&b->begun));
    assert_int_equal(one.ok + two.ok, atomic_load(&b->ok));
    assert_int_equal(one.ok + one.failed, one.calls);
    assert_int_equal(two.ok + two.failed, two.calls);
    assert_int_equal(atomic_load(&b->twice), 0);
    assert_int_equal(atomic_load(&b->over), atomic_load(&b->begun));
    assert_true(one.disconnects + two.disconnects >= restarts_of(b));
}

static void restart(struct cluster *c, const char *url, bool gently)
{
    char log[256];
    snprintf(log, sizeof log, "%s/executed", cluster_dir(c));
    struct node *server =
        CLUSTER_START(c, "server", url, PROGRAM_node_server, NODE_URL, "--log", log);
    node_wait_ready(server);
    struct book b = {.ended = test_calloc(BOOK_SIZE, 1), .gently = gently};
    event_init(&b.idle);
    /* With a channel before, whatever NNG keeps is there when leaks are looked for. */
    stint_channel *warm;
    assert_int_equal(stint_channel_open(&warm, node_url(server), NULL, NULL), STINT_OK);
    assert_int_equal(stint_channel_wait_ready(stint_ctx_background(), warm, NULL), STINT_OK);
    stint_channel_close(warm);
    stint__net_quiesce();
    struct leaks before = leaks_look();
    assert_int_equal(stint_channel_open(&b.hasty, node_url(server), NULL, NULL), STINT_OK);
    assert_int_equal(stint_channel_open(&b.ch, node_url(server),
                                        STINT_CHANNEL_OPTIONS(.wait_for_ready = true), NULL),
                     STINT_OK);
    load_during_restarts(server, &b);
    check_channels(&b);
    stint_channel_close(b.ch);
    stint_channel_close(b.hasty);
    stint__net_quiesce();
    check_log(log, &b);
    assert_int_equal(node_terminate(server), 0);
    leaks_check(&before);
    event_fini(&b.idle);
    test_free(b.ended);
}

static void a_server_is_restarted_under_load_over_ipc(struct cluster *c)
{
    restart(c, cluster_ipc_url(c, "s"), false);
}

static void a_server_is_restarted_under_load_over_tcp(struct cluster *c)
{
    restart(c, "tcp://127.0.0.1:0", false);
}

static void a_server_is_drained_under_load_over_ipc(struct cluster *c)
{
    restart(c, cluster_ipc_url(c, "s"), true);
}

static void a_server_is_drained_under_load_over_tcp(struct cluster *c)
{
    restart(c, "tcp://127.0.0.1:0", true);
}

/* ---- clients are killed ---- */

static Node__V1__Health look_at(stint_channel *ch)
{
    const Node__V1__Nothing nothing = NODE__V1__NOTHING__INIT;
    Node__V1__Health *rep;
    stint_error err;
    if (node_v1_node_look(stint_ctx_background(), ch, &nothing, &rep, &err) != STINT_OK)
        fail_msg("look: %s", err.message);
    Node__V1__Health health = *rep; /* numbers only */
    node__v1__health__free_unpacked(rep, NULL);
    return health;
}

/* Until only we are connected, with this one call. */
static Node__V1__Health wait_alone(stint_channel *ch)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    Node__V1__Health h;
    while (h = look_at(ch), h.connections > 1 || h.inflight > 1) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("%u connections, %u calls in flight", (unsigned)h.connections,
                     (unsigned)h.inflight);
        pause_between_looks();
    }
    return h;
}

static void wait_executed(stint_channel *ch, uint64_t n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (look_at(ch).executed < n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("too few calls were executed");
        pause_between_looks();
    }
}

static void wait_inflight(stint_channel *ch, uint64_t n)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (look_at(ch).inflight < n) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("too few calls are in flight");
        pause_between_looks();
    }
}

/* Every other client dies while 64 handlers hold, the others amid their traffic. */
static void kill_clients(struct cluster *c, struct node *server, stint_channel *ch)
{
    const char *url = node_url(server);
    struct node *holder = CLUSTER_START(c, "hold", url, PROGRAM_node_load, NODE_URL, "64", "hold");
    struct node *busy = CLUSTER_START(c, "quick", url, PROGRAM_node_load, NODE_URL, "64", "quick");
    for (unsigned i = 0; i < CLIENT_KILLS / 2; i++) {
        if (i > 0) {
            node_start(holder);
            node_start(busy);
        }
        wait_inflight(ch, 64);
        wait_executed(ch, look_at(ch).executed + 64 + i * 7 % 500);
        node_kill(holder);
        node_kill(busy);
    }
}

static void clients_are_killed(struct cluster *c, const char *url)
{
    struct node *server =
        CLUSTER_START(c, "server", url, PROGRAM_node_server, NODE_URL, "--workers", "8");
    node_wait_ready(server);
    stint_channel *ch;
    assert_int_equal(stint_channel_open(&ch, node_url(server), NULL, NULL), STINT_OK);
    Node__V1__Health before = wait_alone(ch);
    kill_clients(c, server, ch);
    (void)wait_alone(ch);
    Node__V1__Health after;
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (after = look_at(ch),
           after.descriptors > before.descriptors || after.contexts > before.contexts) {
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("descriptors %u -> %u, contexts %u -> %u", (unsigned)before.descriptors,
                     (unsigned)after.descriptors, (unsigned)before.contexts,
                     (unsigned)after.contexts);
        pause_between_looks();
    }
    assert_true(after.threads <= before.threads);
    stint_channel_close(ch);
    assert_int_equal(node_terminate(server), 0); /* drained */
    assert_int_equal(node_lines_with(server, "drained"), 1);
}

static void clients_are_killed_over_ipc(struct cluster *c)
{
    clients_are_killed(c, cluster_ipc_url(c, "s"));
}

static void clients_are_killed_over_tcp(struct cluster *c)
{
    clients_are_killed(c, "tcp://127.0.0.1:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_server_is_restarted_under_load_over_ipc),
        CLUSTER_TEST(a_server_is_restarted_under_load_over_tcp),
        CLUSTER_TEST(a_server_is_drained_under_load_over_ipc),
        CLUSTER_TEST(a_server_is_drained_under_load_over_tcp),
        CLUSTER_TEST(clients_are_killed_over_ipc),
        CLUSTER_TEST(clients_are_killed_over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
