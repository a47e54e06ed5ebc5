/* victim.c - tests that are meant to fail, run by cluster_test to see what a failing test leaves
 * behind. victim TEST PUPPET runs one of them. */
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"

static const char *puppet;

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
    node_terminate(n);
}

static void waits_in_vain(struct cluster *c)
{
    start_puppets(c);
    struct node *n = CLUSTER_START(c, "mute", NULL, puppet, "ready", "-");
    node_wait_log(n, "a word", 1);
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

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(asserts),
        CLUSTER_TEST(terminates_a_stubborn_node),
        CLUSTER_TEST(waits_in_vain),
        CLUSTER_TEST(waits_for_the_dead),
        CLUSTER_TEST(runs_what_is_not_there),
    };
    if (argc != 3)
        return 2;
    puppet = argv[2];
    cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
