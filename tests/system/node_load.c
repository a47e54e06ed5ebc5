/* node_load.c - keeps calls in flight to a node, until it is killed.
 *
 *     node_load URL IN_FLIGHT hold|quick */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stint/stint.h>

#include "node/v1/node.stint.h"

struct load {
    stint_channel *ch;
    Node__V1__Request req;
    bool quick;
};

static void begin(struct load *l);

static void again(void *arg, stint_code code, Node__V1__Reply *rep, const stint_error *err)
{
    (void)code, (void)err;
    node__v1__reply__free_unpacked(rep, NULL);
    begin(arg);
}

static void begin(struct load *l)
{
    stint_error err;
    const stint_ctx *ctx = stint_ctx_background();
    stint_code code = l->quick ? node_v1_node_quick_async(ctx, l->ch, &l->req, again, l, &err)
                               : node_v1_node_work_async(ctx, l->ch, &l->req, again, l, &err);
    if (code != STINT_OK) {
        fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.req = NODE__V1__REQUEST__INIT};
    stint_error err;
    if (argc != 4)
        return 2;
    load.quick = strcmp(argv[3], "quick") == 0;
    load.req.hold = !load.quick;
    if (stint_channel_open(&load.ch, argv[1], STINT_CHANNEL_OPTIONS(.wait_for_ready = true),
                           &err) != STINT_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (unsigned long i = strtoul(argv[2], NULL, 10); i > 0; i--)
        begin(&load);
    for (;;)
        pause();
}
