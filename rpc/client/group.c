/* group.c - calls that begin together and end as one.
 *
 * The mutex guards pending, error, abandoned and each member's result until the group is over. The
 * group is freed by whoever finds it over: the waiter, or, after a wait that was refused, the last
 * member to end. */
#include "client_internal.h"

#include <string.h>

#include <stint/budget.h>
#include <stint/group.h>

#include "alloc.h"

struct stint_group {
    stint_ctx *ctx;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t pending;
    stint_error error; /* the first failure */
    bool abandoned;    /* nobody waits: results go nowhere */
};

struct member {
    stint_group *group;
    const stint_method *method;
    const stint_channel *ch; /* outlives its calls */
    void *ret_reply;         /* a pointer to a pointer to the reply's own type: see group.h */
};

/* What stands in for a group that could not be made. */
static stint_group *exhausted(void)
{
    static stint_group none;
    return &none;
}

stint_group *stint_group_new(const stint_ctx *ctx, stint_duration reserve)
{
    stint_group *g = stint__alloc_zeroed(sizeof *g);
    stint_ctx *own = g != NULL ? stint_ctx_with_reserve(ctx, reserve) : stint__ctx_exhausted();
    if (own == stint__ctx_exhausted())
        stint__client_empty_reply(ctx); /* the calls, which all fail, do not know of it */
    if (g == NULL)
        return exhausted();
    g->ctx = own;
    pthread_mutex_init(&g->mutex, NULL);
    stint__cond_init(&g->changed);
    return g;
}

const stint_ctx *stint_group_ctx(const stint_group *g)
{
    return g->ctx != NULL ? g->ctx : stint__ctx_exhausted();
}

static void group_free(stint_group *g)
{
    stint_ctx_drop(g->ctx);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->mutex);
    stint__free(g);
}

/* The failure, with a text that says whose it is. What the library writes here names the method
 * already; what comes from a server seldom does. */
static stint_error failure_of(const struct member *m, const stint_error *err)
{
    stint_error named = *err;
    if (strstr(err->message, m->method->path) != NULL)
        return named;
    stint_error text;
    stint_error_set(&text, err->code, "%s at %s: %s", m->method->path, m->ch->target, err->message);
    memcpy(named.message, text.message, sizeof named.message);
    return named;
}

/* Drops one of what the group waits for. */
static void one_less(stint_group *g)
{
    pthread_mutex_lock(&g->mutex);
    bool last = --g->pending == 0;
    bool free_it = last && g->abandoned;
    if (last)
        pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->mutex);
    if (free_it)
        group_free(g);
}

/* One member ended (or never began). Stores its result, or passes it to nobody. */
static void member_over(const struct member *m, ProtobufCMessage *reply, const stint_error *err)
{
    stint_group *g = m->group;
    pthread_mutex_lock(&g->mutex);
    bool keep = !g->abandoned;
    if (keep && reply != NULL)
        memcpy(m->ret_reply, &reply, sizeof(void *));
    bool first_failure = err->code != STINT_OK && g->error.code == STINT_OK;
    if (first_failure)
        g->error = failure_of(m, err);
    pthread_mutex_unlock(&g->mutex);

    if (!keep && reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    if (first_failure)
        stint_ctx_cancel(g->ctx, STINT_CANCELLED, "another call of the group failed");
    one_less(g);
}

static void member_thunk(const stint_done *done)
{
    struct member *m = done->arg;
    member_over(m, done->reply, done->err);
    stint__free(m);
}

void stint_group_invoke(stint_group *g, stint_channel *ch, const stint_method *method,
                        const ProtobufCMessage *req, void *ret_reply)
{
    stint_error err;
    memset(ret_reply, 0, sizeof(void *)); /* NULL, on every machine that POSIX knows */
    if (g == exhausted())
        return;
    pthread_mutex_lock(&g->mutex);
    g->pending++;
    pthread_mutex_unlock(&g->mutex);
    const struct member here = {g, method, ch, ret_reply};
    struct member *m = stint__alloc(sizeof *m);
    if (m == NULL) {
        stint__client_empty_reply(g->ctx);
        stint_error_set(&err, STINT_RESOURCE_EXHAUSTED, "out of memory");
        member_over(&here, NULL, &err);
        return;
    }
    *m = here;
    const stint_completion then = {member_thunk, NULL, m};
    stint_code code = stint_invoke_async(g->ctx, ch, method, req, &then, &err);
    if (code == STINT_OK)
        return;
    stint__free(m);
    member_over(&here, NULL, &err);
}

/* Nobody may wait here: the calls are cancelled, and the last one frees the group. */
static stint_code refuse_wait(stint_group *g, stint_error *err)
{
    pthread_mutex_lock(&g->mutex);
    g->abandoned = true;
    g->pending++; /* ours, so that the group outlives the cancellation */
    pthread_mutex_unlock(&g->mutex);
    stint_error_set(err, STINT_FAILED_PRECONDITION,
                    "waiting for a group in a thread that must not block");
    err->reason = STINT_REASON_WOULD_DEADLOCK;
    stint_ctx_cancel(g->ctx, STINT_CANCELLED, "nobody waits for the group");
    one_less(g);
    return STINT_FAILED_PRECONDITION;
}

stint_code stint_group_wait(stint_group *g, stint_error *err)
{
    stint_error local;
    err = err != NULL ? err : &local;
    stint_error_clear(err);
    if (g == exhausted())
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for a group of calls");
    if (stint__client_must_not_block())
        return refuse_wait(g, err);
    pthread_mutex_lock(&g->mutex);
    while (g->pending > 0)
        pthread_cond_wait(&g->changed, &g->mutex);
    *err = g->error;
    pthread_mutex_unlock(&g->mutex);
    stint_code code = err->code;
    group_free(g);
    return code;
}
