/* victim.c - tests that are meant to fail, run by cluster_test to see what a failing test leaves
 * behind. victim TEST PUPPET runs one of them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <stint/ctx.h>

#include "cluster.h"
#include "leak.h"
#include "sim_clock.h"

static const char *puppet;

/* What is waited for from now on never comes. */
static void lose_patience(void)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread reads it
    setenv("STINT_TEST_PATIENCE_MS", "300", 1);
}

static void start_puppets(struct cluster *c)
{
    struct node *ready = CLUSTER_START(c, "steady", "tcp://127.0.0.1:0", puppet, "ready", NODE_URL);
    struct node *stubborn = CLUSTER_START(c, "mule", NULL, puppet, "stubborn");
    struct node *runaway = CLUSTER_START(c, "runaway", NULL, puppet, "runaway");
    node_wait_ready(ready);
    node_wait_log(stubborn, "stubborn", 1);
    node_wait_log(runaway, "child ", 1);
    char *line = node_line_with(runaway, "child ");
    printf("pid %d\npid %d\npid %s\n", (int)node_pid(ready), (int)node_pid(stubborn), line + 6);
    printf("dir %s\nstarted\n", cluster_dir(c));
    fflush(stdout);
    free(line);
}

static void asserts(struct cluster *c)
{
    start_puppets(c);
    assert_true(false);
}

static void terminates_a_stubborn_node(struct cluster *c)
{
    struct node *n = CLUSTER_START(c, "mule", NULL, puppet, "stubborn");
    node_wait_log(n, "stubborn", 1);
    lose_patience();
    node_terminate(n);
}

static void waits_in_vain(struct cluster *c)
{
    start_puppets(c);
    struct node *n = CLUSTER_START(c, "mute", NULL, puppet, "ready", "-");
    lose_patience();
    node_wait_log(n, "a word", 1);
}

static void hangs(struct cluster *c)
{
    start_puppets(c);
    for (;;)
        pause();
}

static void waits_for_the_dead(struct cluster *c)
{
    struct node *n = CLUSTER_START(c, "dead", NULL, puppet, "leave", "3");
    node_wait_ready(n);
}

static void runs_what_is_not_there(struct cluster *c)
{
    CLUSTER_START(c, "ghost", NULL, "/nonexistent/program");
}

static void leaks_a_descriptor(struct cluster *c)
{
    (void)c;
    struct leaks before = leaks_look();
    assert_true(dup(2) > 2);
    lose_patience();
    leaks_check(&before);
}

static void leaks_a_context(struct cluster *c)
{
    (void)c;
    struct leaks before = leaks_look();
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    (void)stint_ctx_err(ctx);
    lose_patience();
    leaks_check(&before);
    stint_ctx_drop(ctx);
}

static void *wait_forever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void leaks_a_thread(struct cluster *c)
{
    (void)c;
    pthread_t thread;
    struct leaks before = leaks_look();
    assert_int_equal(pthread_create(&thread, NULL, wait_forever, NULL), 0);
    lose_patience();
    leaks_check(&before);
}

static void is_stuck_in_a_simulation(struct cluster *c)
{
    (void)c;
    lose_patience();
    sim_clock_start();
    for (;;)
        pause();
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(asserts),
        CLUSTER_TEST(terminates_a_stubborn_node),
        CLUSTER_TEST(waits_in_vain),
        CLUSTER_TEST(hangs),
        CLUSTER_TEST(waits_for_the_dead),
        CLUSTER_TEST(runs_what_is_not_there),
        CLUSTER_TEST(leaks_a_descriptor),
        CLUSTER_TEST(leaks_a_context),
        CLUSTER_TEST(leaks_a_thread),
        CLUSTER_TEST(is_stuck_in_a_simulation),
    };
    if (argc != 3)
        return 2;
    puppet = argv[2];
    cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
