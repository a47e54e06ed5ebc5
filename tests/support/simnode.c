/* simnode.c - see the header. All of it belongs to the test's thread. */
#include "simnode.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "leak.h"
#include "patience.h"

#define MAX_NODES    16
#define MAX_CHANNELS 64
#define SEED         1

struct simnode {
    stint_server *server; /* NULL: stopped */
};

struct sim {
    void (*body)(struct sim *s);
    struct leaks before;
    struct simnode nodes[MAX_NODES];
    size_t n_nodes;
    stint_channel *channels[MAX_CHANNELS];
    size_t n_channels;
};

static void expect_ok(stint_code code, const stint_error *err)
{
    if (code != STINT_OK)
        fail_msg("%s: %s", stint_code_name(code), err->message);
}

/* ---- the test's frame ---- */

int sim_setup(void **state)
{
    const struct sim_body *body = *state;
    struct sim *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -1;
    s->body = body->run;
    stint__mem_reset();
    stint__mem_set_seed(SEED);
    sim_clock_start();
    s->before = leaks_look();
    *state = s;
    return 0;
}

static bool close_everything(struct sim *s)
{
    stint__mem_reset();    /* a partition must not hold up the end */
    while (s->n_nodes > 0) /* first: their handlers call by the channels */
        simnode_stop(&s->nodes[--s->n_nodes]);
    while (s->n_channels > 0)
        stint_channel_close(s->channels[--s->n_channels]);
    stint__net_quiesce();
    return sim_clock_run_out();
}

void sim_run(void **state)
{
    struct sim *s = *state;
    s->body(s);
    if (!close_everything(s))
        fail_msg("%zu timers are left, though everything is closed", stint__timer_count());
    leaks_check(&s->before);
}

int sim_teardown(void **state)
{
    struct sim *s = *state;
    (void)close_everything(s); /* what a failed test has left */
    sim_clock_stop();
    free(s);
    return 0;
}

/* ---- nodes and channels ---- */

static const char *url_of(char *buf, size_t size, const char *name)
{
    snprintf(buf, size, "mem://%s", name);
    return buf;
}

struct simnode *simnode_new(struct sim *s, const char *name, const stint_server_options *opts)
{
    char url[64];
    stint_error err;
    assert_true(s->n_nodes < MAX_NODES);
    struct simnode *n = &s->nodes[s->n_nodes++];
    n->server = NULL;
    expect_ok(stint_server_new(&n->server, opts, &err), &err);
    expect_ok(stint_server_listen(n->server, url_of(url, sizeof url, name), &err), &err);
    return n;
}

stint_server *simnode_server(struct simnode *n)
{
    return n->server;
}

void simnode_start(struct simnode *n)
{
    stint_error err;
    expect_ok(stint_server_start(n->server, &err), &err);
}

void simnode_stop(struct simnode *n)
{
    stint_server_free(n->server);
    n->server = NULL;
}

stint_channel *sim_channel(struct sim *s, const char *name, const stint_channel_options *opts)
{
    char url[64];
    stint_error err;
    assert_true(s->n_channels < MAX_CHANNELS);
    stint_channel **ch = &s->channels[s->n_channels];
    expect_ok(stint_channel_open(ch, url_of(url, sizeof url, name), opts, &err), &err);
    s->n_channels++;
    expect_ok(stint_channel_wait_ready(stint_ctx_background(), *ch, &err), &err);
    return *ch;
}
