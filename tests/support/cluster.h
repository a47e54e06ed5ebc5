/* cluster.h - a test's nodes, and the directory in which they meet.
 *
 *     static void a_node_answers(struct cluster *c)
 *     {
 *         struct node *echo = CLUSTER_START(c, "echo", cluster_ipc_url(c, "echo"),
 *                                           PROGRAM_echo, "--listen", NODE_URL);
 *         node_wait_ready(echo);
 *         ...
 *     }
 *     const struct CMUnitTest tests[] = {CLUSTER_TEST(a_node_answers)};
 *
 * However the test ends, no process that it started, nor one that such a process started, is left,
 * and the directory is gone. When it fails, the nodes' logs are printed. */
#ifndef STINT_TESTS_CLUSTER_H
#define STINT_TESTS_CLUSTER_H

#include "node.h"
#include "unit.h"

struct cluster;

/* A cmocka test with a cluster of its own. */
struct cluster_body {
    void (*run)(struct cluster *c);
};
#define CLUSTER_TEST(body)                                                                         \
    {                                                                                              \
#body, cluster_run, cluster_setup, cluster_teardown, &(struct cluster_body)                \
        {                                                                                          \
            body                                                                                   \
        }                                                                                          \
    }
int cluster_setup(void **state);
void cluster_run(void **state);
int cluster_teardown(void **state);

/* Where files of the cluster go: a new, short path under /tmp. */
const char *cluster_dir(const struct cluster *c);

/* "ipc://DIR/NAME"; owned by the cluster. */
const char *cluster_ipc_url(struct cluster *c, const char *name);

/* Makes and starts a node (see node_new). Owned by the cluster. */
struct node *cluster_start(struct cluster *c, const char *name, const char *url,
                           const char *const argv[]);
#define CLUSTER_START(c, name, url, ...)                                                           \
    cluster_start((c), (name), (url), (const char *const[]){__VA_ARGS__, NULL})

/* Kills every process that outlived the node which started it, and returns how many there were.
 * The teardown does so too. The test must have no other children of its own. */
unsigned cluster_kill_strays(struct cluster *c);

#endif
