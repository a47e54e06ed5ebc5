/* stint_bench.h - what the files of Stint's own two programs share. */
#ifndef STINT_BENCH_H
#define STINT_BENCH_H

#include <stint/stint.h>

#include "bench.h"
#include "echo.stint.h"

/* ---- the server: its role (stint_roles.c) ---- */

#define FAN_MAX 4

struct role {
    stint_server_options options;
    const struct role_kind *kind; /* NULL: the echo service alone */
    stint_channel *next[FAN_MAX]; /* forward: one; fan: several */
    int n_next;
    int burn_us;
    struct chain_stats *stats; /* burn */
};

/* Sets up what `o` names, connected to the next hops; ends the program if it cannot. */
void role_init(struct role *role, const struct opts *o);
stint_code role_register(struct role *role, stint_server *server, stint_error *err);
void role_fini(struct role *role);

/* One line on stderr, after `name`, of what became of the server's calls (stint_counters.c). */
void print_counters(stint_server *server, const char *name);

/* ---- the client ---- */

/* A channel to o->addr, connected; the caller closes it (stint_client.c). */
stint_channel *dial(const struct opts *o);

/* o->size bytes, for the caller to free (stint_client.c). */
uint8_t *payload_new(const struct opts *o);

/* W6; returns the exit status (stint_chain.c). */
int open_loop(const struct opts *o, uint8_t *payload);

/* W7; returns the exit status (stint_refuse.c). */
int refusals(const struct opts *o, uint8_t *payload);

#endif
