/* stint_roles.c - A, B and C of W6, as a user of Stint would write them: blocking handlers,
 * generated stubs, default options. The one exception is C's single worker, which is what W6 is
 * about. */
#include "stint_bench.h"

#include <stdlib.h>
#include <string.h>

/* Answers with what the next hop has answered. */
static stint_code pass_reply(stint_call *call, const Bench__Msg *from, Bench__Msg *rep)
{
    if (from == NULL)
        return stint_call_fail(call, STINT_FAILED_PRECONDITION, "there is no next hop");
    size_t len = from->payload.len;
    rep->payload.data = stint_call_alloc(call, len);
    if (rep->payload.data == NULL && len > 0)
        return stint_call_fail(call, STINT_RESOURCE_EXHAUSTED, "no memory for the reply");
    if (len > 0)
        memcpy(rep->payload.data, from->payload.data, len);
    rep->payload.len = len;
    return STINT_OK;
}

/* A and B: one call to the next hop. */
static stint_code forward(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                          stint_call *call)
{
    const struct role *role = self;
    Bench__Msg *reply = NULL;
    stint_error err;
    if (bench_chain_call(ctx, role->next[0], req, &reply, &err) != STINT_OK)
        return stint_call_fail_from(call, &err);
    stint_code code = pass_reply(call, reply, rep);
    bench__msg__free_unpacked(reply, NULL);
    return code;
}

/* A of the tree: a call to each of the next hops at once. */
static stint_code fan(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                      stint_call *call)
{
    const struct role *role = self;
    Bench__Msg *reply[FAN_MAX] = {NULL};
    stint_error err;
    stint_group *group = stint_group_new(ctx, 0);
    for (int i = 0; i < role->n_next; i++)
        bench_chain_call_group(group, role->next[i], req, &reply[i]);
    stint_code code = stint_group_wait(group, &err);
    if (code == STINT_OK)
        code = pass_reply(call, reply[0], rep);
    else
        code = stint_call_fail_from(call, &err);
    for (int i = 0; i < role->n_next; i++)
        bench__msg__free_unpacked(reply[i], NULL);
    return code;
}

/* C: works, unless nobody waits any more. Its server has one worker, so one at a time. */
static stint_code burn(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                       stint_call *call)
{
    struct role *role = self;
    stat_add(&role->stats->arrived, 1);
    if (stint_ctx_err(ctx) != STINT_OK) {
        stat_add(&role->stats->skipped, 1);
        return stint_call_fail(call, STINT_CANCELLED, "gone");
    }
    burn_call(role->stats, req->burn_us > 0 ? (int)req->burn_us : role->burn_us,
              req->client_deadline);
    rep->payload = req->payload;
    return STINT_OK;
}

/* ---- W7 ---- */

static stint_code answer(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                         stint_call *call)
{
    (void)self, (void)ctx, (void)call;
    rep->payload = req->payload;
    return STINT_OK;
}

/* Works without CPU: what is left to be seen is what calls cost that wait for it. */
static stint_code nap(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                      stint_call *call)
{
    const struct role *role = self;
    (void)call;
    rep->payload = req->payload;
    return stint_ctx_sleep(ctx, STINT_US(role->burn_us));
}

/* Keeps its worker for as long as the caller has time. */
static stint_code occupy(void *self, const stint_ctx *ctx, const Bench__Msg *req, Bench__Msg *rep,
                         stint_call *call)
{
    (void)self, (void)req, (void)rep, (void)call;
    return stint_ctx_sleep(ctx, STINT_DURATION_FOREVER);
}

/* ---- setting up ---- */

static const struct role_kind {
    const char *name;
    bench_chain_ops ops;
    uint32_t workers, max_queue; /* 0: the default */
    bool calls, burns;
} kinds[] = {
    {"forward", {.call = forward}, .calls = true},
    {"fan", {.call = fan}, .calls = true},
    {"burn", {.call = burn}, .workers = 1, .burns = true},
    {"answer", {.call = answer}, .workers = 0},
    {"nap", {.call = nap}, .workers = 1},
    {"full", {.call = occupy}, .workers = 1, .max_queue = 1},
};

static void connect_next(struct role *role, const struct opts *o)
{
    char list[FAN_MAX * ADDR_URL_MAX], url[ADDR_URL_MAX], *rest = list, *addr;
    stint_error err;
    STINT_AUTO_CTX ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(5));
    if (o->next == NULL || strlen(o->next) >= sizeof list)
        die(o->role, "--next is needed");
    memcpy(list, o->next, strlen(o->next) + 1);
    while ((addr = strsep(&rest, ",")) != NULL && role->n_next < FAN_MAX) {
        addr_url(url, strcmp(o->kind, "sock") == 0 ? "nng+" : "", addr);
        stint_channel **ch = &role->next[role->n_next++];
        if (stint_channel_open(ch, url, NULL, &err) != STINT_OK ||
            stint_channel_wait_ready(ctx, *ch, &err) != STINT_OK)
            die(url, err.message);
    }
}

void role_init(struct role *role, const struct opts *o)
{
    role->options.size = sizeof role->options;
    role->burn_us = o->burn_us;
    if (strcmp(o->role, "echo") == 0)
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(o->role, kinds[i].name) == 0)
            role->kind = &kinds[i];
    if (role->kind == NULL)
        die("no such role", o->role);
    role->options.workers = role->kind->workers;
    role->options.max_queue = role->kind->max_queue;
    if (role->kind->burns)
        role->stats = chain_stats_map(o->stats);
    if (role->kind->calls)
        connect_next(role, o);
}

stint_code role_register(struct role *role, stint_server *server, stint_error *err)
{
    const struct role_kind *kind = role->kind;
    return kind == NULL ? STINT_OK : bench_chain_register(server, &kind->ops, role, err);
}

void role_fini(struct role *role)
{
    for (int i = 0; i < role->n_next; i++)
        stint_channel_close(role->next[i]);
}
