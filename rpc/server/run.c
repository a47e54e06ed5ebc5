/* run.c - running a call: the last look at its time, the request's decoding, the handler.
 *
 * In this order, and nothing is decoded for a call that nobody waits for any more. */
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
    stint__buf_unref(call->payload_owner);
    stint_metadata_free(call->metadata);
    stint_metadata_free(call->reply_metadata);
    stint__server_layers_free(call);
    stint_ctx_unref(call->own);
    stint__conn_unref(call->conn);
    stint__arena_fini(&call->arena);
    stint__free(call);
    stint__server_unref(s);
}

void stint__call_watch(stint_call *call)
{
    if (call->registered || stint__conn_list_call(call->sc, call))
        return;
    stint_ctx_cancel(call->own, STINT_CANCELLED, "the caller's connection was lost");
    if (stint__call_answer_nothing(call))
        stint__count(&call->server->counters.cancelled);
}

/* Sheds a call whose time ran out, or that was cancelled, before its handler could start. */
static void shed(stint_call *call, stint_code code)
{
    struct stint__refusal why = {code, STINT_REASON_NONE, "cancelled before its handler ran", true};
    if (code == STINT_DEADLINE_EXCEEDED) {
        why.reason = STINT_REASON_EXPIRED_IN_QUEUE;
        why.text = "the deadline passed while the request waited for a worker";
    }
    if (stint__call_answer_refusal(call, &why))
        stint__count(code == STINT_DEADLINE_EXCEEDED ? &call->server->counters.expired_queue
                                                     : &call->server->counters.cancelled);
}

static void refuse(stint_call *call, const stint_error *err)
{
    const struct stint__refusal why = {err->code, err->reason, err->message, true};
    if (stint__call_answer_refusal(call, &why))
        stint__count(&call->server->counters.refused_other);
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

void stint__call_run(stint_call *call)
{
    stint_error err;
    ProtobufCMessage *rep = NULL;
    stint_code code = stint_ctx_err(call->own);
    if (code != STINT_OK) {
        shed(call, code);
        return;
    }
    ProtobufCMessage *req = decode(call, &rep, &err);
    if (req == NULL ||
        (call->server->n_interceptors > 0 && stint__server_layers_begin(call, &err) != STINT_OK)) {
        refuse(call, &err);
        return;
    }
    const struct stint__method_entry *e = call->entry;
    stint__count(&call->server->counters.executed);
    code = e->dispatch(e->self, e->ops, call->ctx, req, rep, call);
    if (call->deferred)
        return; /* its ticket answers, whatever the handler returned */
    stint__call_answer(call, code, rep);
}
