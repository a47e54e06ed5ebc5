/* run.c - running a call: the last look at its time, the interceptors, the request's decoding, the
 * handler.
 *
 * In this order: nothing is decoded for a call that nobody waits for any more, or that an
 * interceptor does not let in. */
#include <string.h>

#include "alloc.h"
#include "message.h"
#include "server_internal.h"

void stint__call_ref(stint_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

void stint__call_unref(stint_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint_server *s = call->server;
    if (call->admitted)
        stint__make_room(s, call->sc);
    stint__buf_unref(call->payload_owner);
    stint_metadata_free(call->metadata);
    stint_metadata_free(call->reply_metadata);
    stint__server_layers_free(call);
    stint_ctx_unref(call->own);
    stint__server_conn_unref(call->sc);
    stint__arena_fini(&call->arena);
    stint__free(call);
    stint__server_unref(s);
}

void stint__call_watch(stint_call *call)
{
    if (atomic_load(&call->listed))
        return;
    const char *unwanted = stint__conn_list_call(call);
    if (unwanted != NULL)
        stint__call_abandon(call, unwanted);
}

/* Whether it is still to be run: it may have been ended while it waited. Its time was looked at
 * when it was taken from the queue. */
static bool is_wanted(stint_call *call)
{
    if (atomic_load(&call->server->state) == STINT__SERVER_STOPPED) {
        /* before stint__server_refuse_all comes to it */
        stint__call_refuse(call, &stint__server_stopped, STINT__REFUSED_DRAINING);
        return false;
    }
    if (stint_ctx_err(call->own) == STINT_OK)
        return true;
    stint_error cause;
    stint_ctx_cause(call->own, &cause);
    bool expired = cause.code == STINT_DEADLINE_EXCEEDED;
    if (expired)
        cause.reason = STINT_REASON_EXPIRED_IN_QUEUE;
    stint__call_refuse(call, &cause, expired ? STINT__EXPIRED_QUEUE : STINT__REFUSED_OTHER);
    return false;
}

/* Decodes the request and makes an empty reply, both in the arena. NULL and *err on failure. */
static ProtobufCMessage *decode(stint_call *call, ProtobufCMessage **ret_reply, stint_error *err)
{
    const stint_method *m = call->entry->method;
    ProtobufCMessage *req =
        stint__message_unpack_arena(m->request, call->payload, &call->arena, err);
    if (req == NULL)
        return NULL;
    ProtobufCMessage *rep = stint__arena_alloc(&call->arena, m->reply->sizeof_message);
    if (rep == NULL) {
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for the reply of %s",
                        m->path);
        return NULL;
    }
    m->reply->message_init(rep);
    *ret_reply = rep;
    return req;
}

/* What the handler's thread spent on a call after it was cancelled. */
static void count_cpu_after_cancel(stint_call *call)
{
    int64_t then = atomic_load(&call->cancelled_cpu);
    if (then == 0)
        return;
    int64_t now = stint__clock_cpu_ns(call->cpu_clock);
    if (now > then)
        atomic_fetch_add_explicit(&call->entry->state->cpu_after_cancel, (uint64_t)(now - then),
                                  memory_order_relaxed);
}

void stint__call_run(stint_call *call)
{
    const struct stint__method_entry *e = call->entry;
    stint_error err;
    ProtobufCMessage *rep = NULL;
    if (!is_wanted(call))
        return;
    if (call->server->n_interceptors > 0 && stint__server_layers_begin(call, &err) != STINT_OK) {
        stint__call_refuse(call, &err, STINT__REFUSED_OTHER);
        return;
    }
    ProtobufCMessage *req = decode(call, &rep, &err);
    if (req == NULL) {
        stint__call_refuse(call, &err, STINT__REFUSED_OTHER);
        return;
    }
    call->cpu_clock = stint__clock_of_thread();
    unsigned waiting = 0;
    if (!atomic_compare_exchange_strong(&call->progress, &waiting, STINT__CALL_STARTED))
        return; /* answered meanwhile, with the word that nothing ran */
    stint__tell(call->server, e, STINT__EXECUTED);
    stint__tally_add(&e->state->queue, stint_time_sub(call->run_at, call->arrival));
    stint_code code = e->dispatch(e->self, e->ops, call->ctx, req, rep, call);
    count_cpu_after_cancel(call);
    if (call->deferred)
        return; /* its ticket answers, whatever the handler returned */
    stint__call_answer(call, code, rep);
}
