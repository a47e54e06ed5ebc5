/* stop_test.c - a server that stands still (SIGSTOP) while its clients go on calling: when it goes
 * on, nothing runs that lay in its sockets meanwhile and that nobody waits for any more, and what
 * is called then works at once. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "event.h"
#include "node/v1/node.stint.h"

#define ROUNDS 4
#define EACH   25
#define STALE  (ROUNDS * EACH)
#define LIVE   10

struct caller {
    stint_channel *ch;
    struct event ended;
    atomic_uint expired;
};

static void done(void *arg, stint_code code, Node__V1__Reply *rep, const stint_error *err)
{
    struct caller *k = arg;
    (void)err;
    node__v1__reply__free_unpacked(rep, NULL);
    if (code == STINT_DEADLINE_EXCEEDED)
        atomic_fetch_add(&k->expired, 1);
    event_raise(&k->ended);
}

static stint_ctx *named(const char *prefix, unsigned number, stint_duration timeout)
{
    stint_request_info info = stint_request_info_new();
    snprintf(info.request_id, sizeof info.request_id, "%s-%u", prefix, number);
    stint_ctx *parent = stint_ctx_with_request_info(stint_ctx_background(), &info);
    stint_ctx *ctx = stint_ctx_with_timeout(parent, timeout);
    stint_ctx_unref(parent);
    return ctx;
}

static void call_and_succeed(struct caller *k, const char *prefix)
{
    const Node__V1__Request req = NODE__V1__REQUEST__INIT;
    for (unsigned i = 0; i < LIVE; i++) {
        Node__V1__Reply *rep;
        stint_error err;
        stint_ctx *ctx = named(prefix, i, STINT_SECONDS(20));
        stint_code code = node_v1_node_work(ctx, k->ch, &req, &rep, &err);
        if (code != STINT_OK)
            fail_msg("%s-%u: %s: %s", prefix, i, stint_code_name(code), err.message);
        node__v1__reply__free_unpacked(rep, NULL);
        stint_ctx_drop(ctx);
    }
}

struct stale {
    unsigned begun;
    unsigned sent; /* of them, for certain; all of them, unless this machine was too busy */
};

/* Rounds of calls with 50 to 100 ms, each of which has expired when the next begins. Half of them
 * would run where they are read. */
static struct stale call_in_vain(struct caller *k)
{
    const Node__V1__Request req = NODE__V1__REQUEST__INIT;
    struct stale stale = {0};
    for (unsigned i = 0; i < STALE; i++) {
        stint_ctx *ctx = named("stale", i, STINT_MS(50 + 2 * (i % EACH)));
        stint_code code = i % 2 == 0 ? node_v1_node_work_async(ctx, k->ch, &req, done, k, NULL)
                                     : node_v1_node_quick_async(ctx, k->ch, &req, done, k, NULL);
        stale.begun += code == STINT_OK;
        stale.sent += code == STINT_OK && stint_ctx_remaining(ctx) > 0;
        stint_ctx_unref(ctx);
        if (i % EACH == EACH - 1)
            event_wait(&k->ended, stale.begun);
    }
    assert_int_equal(atomic_load(&k->expired), stale.begun);
    return stale;
}

/* The lines of the server's record that begin so: what it executed. */
static unsigned executed(const char *path, const char *prefix)
{
    char line[STINT_REQUEST_ID_MAX + 2];
    unsigned n = 0;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        n += strncmp(line, prefix, strlen(prefix)) == 0;
    fclose(f);
    return n;
}

static Node__V1__Health *look(struct caller *k)
{
    const Node__V1__Nothing req = NODE__V1__NOTHING__INIT;
    Node__V1__Health *health = NULL;
    stint_ctx *ctx = named("look", 0, STINT_SECONDS(20));
    assert_int_equal(node_v1_node_look(ctx, k->ch, &req, &health, NULL), STINT_OK);
    stint_ctx_drop(ctx);
    return health;
}

static void stand_still(struct cluster *c, const char *url)
{
    char log[256];
    struct caller k = {0};
    stint_error err;
    snprintf(log, sizeof log, "%s/executed", cluster_dir(c));
    struct node *n = CLUSTER_START(c, "server", url, PROGRAM_node_server, NODE_URL, "--log", log);
    node_wait_ready(n);
    event_init(&k.ended);
    assert_int_equal(stint_channel_open(&k.ch, node_url(n), NULL, &err), STINT_OK);
    call_and_succeed(&k, "before");
    node_pause(n);
    struct stale stale = call_in_vain(&k);
    node_resume(n);
    call_and_succeed(&k, "after");
    Node__V1__Health *health = look(&k);
    assert_int_equal(executed(log, "before-"), LIVE);
    assert_int_equal(executed(log, "stale-"), 0);
    assert_int_equal(executed(log, "after-"), LIVE);
    /* They did arrive. */
    assert_in_range(health->refused, stale.sent, stale.begun);
    assert_int_equal(health->executed, 2 * LIVE + 1);
    assert_int_equal(health->requests, 2 * LIVE + 1 + health->refused);
    print_message("%u calls lay in the sockets: all of them refused\n", (unsigned)health->refused);
    node__v1__health__free_unpacked(health, NULL);
    stint_channel_close(k.ch);
    event_fini(&k.ended);
    assert_int_equal(node_terminate(n), 0);
}

static void what_lay_in_sockets_does_not_run_ipc(struct cluster *c)
{
    stand_still(c, cluster_ipc_url(c, "s"));
}

static void what_lay_in_sockets_does_not_run_tcp(struct cluster *c)
{
    stand_still(c, "tcp://127.0.0.1:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(what_lay_in_sockets_does_not_run_ipc),
        CLUSTER_TEST(what_lay_in_sockets_does_not_run_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
