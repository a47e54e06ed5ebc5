/* simnode.h - several nodes in one process, over the simulated network, in virtual time.
 *
 *     static void a_call_outlasts_a_slow_network(struct sim *s)
 *     {
 *         struct simnode *n = simnode_new(s, "stock", NULL);
 *         assert_int_equal(shop_v1_stock_register(simnode_server(n), &ops, NULL, NULL), STINT_OK);
 *         simnode_start(n);
 *         stint_channel *ch = sim_channel(s, "stock", NULL);
 *         stint__mem_set_faults("stock", &(struct stint__mem_faults){.delay = STINT_MS(30)});
 *         ...calls take 60 ms, exactly...
 *     }
 *     const struct CMUnitTest tests[] = {SIM_TEST(a_call_outlasts_a_slow_network)};
 *
 * Time passes by itself while everything waits (sim_clock.h). Delays, losses and partitions are set
 * with stint__mem_set_faults (net.h); a test starts without any, and with the same seed. At its end
 * channels and nodes are closed, and nothing may be left of them. */
#ifndef STINT_TESTS_SIMNODE_H
#define STINT_TESTS_SIMNODE_H

#include <stint/channel.h>
#include <stint/server.h>

#include "net.h"
#include "sim_clock.h"
#include "unit.h"

struct sim;
struct simnode;

/* A cmocka test with a simulation of its own. */
struct sim_body {
    void (*run)(struct sim *s);
};
#define SIM_TEST(body)                                                                             \
    {                                                                                              \
#body, sim_run, sim_setup, sim_teardown, &(struct sim_body)                                \
        {                                                                                          \
            body                                                                                   \
        }                                                                                          \
    }
int sim_setup(void **state);
void sim_run(void **state);
int sim_teardown(void **state);

/* A node at mem://NAME with a server that is not started yet; opts may be NULL. Owned by s. */
struct simnode *simnode_new(struct sim *s, const char *name, const stint_server_options *opts);

/* Its server, to register services with. */
stint_server *simnode_server(struct simnode *n);

void simnode_start(struct simnode *n);

/* Stops and frees it, as a program does that ends; its name may be used again. For what the others
 * see of a crash, stint__mem_cut first. */
void simnode_stop(struct simnode *n);

/* Opens a channel to mem://NAME, and waits until it is ready; opts may be NULL. Owned by s. */
stint_channel *sim_channel(struct sim *s, const char *name, const stint_channel_options *opts);

#endif
