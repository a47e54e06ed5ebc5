/* layers.c - a server's interceptors around one call: begin in order, end in reverse.
 *
 * A call can be answered by another thread (its cancellation, the server's end) while its begins
 * run. layers_state settles who runs the ends: the beginner moves it from NONE to BEGUN when all
 * begins are through; the answerer moves it to OVER, and runs the ends if it was BEGUN. A beginner
 * that finds OVER runs them itself. */
#include "alloc.h"
#include "server_internal.h"

enum { LAYERS_NONE, LAYERS_BEGUN, LAYERS_OVER };

static void run_ends(stint_call *call, const stint_error *outcome)
{
    for (size_t i = call->server->n_interceptors; i-- > 0;) {
        const stint_interceptor *with = call->server->opts.interceptors[i];
        struct stint__server_layer *layer = &call->layers[i];
        if (layer->begun && with->end != NULL)
            with->end(with->self, call->ctx, &layer->seen, outcome);
    }
}

static stint_code begin_one(stint_call *call, const stint_interceptor *with,
                            struct stint__server_layer *layer, stint_error *err)
{
    layer->seen = (stint_interception){
        .method = call->entry->method->path,
        .peer = stint__conn_peer(call->sc->conn),
        .metadata = call->metadata,
        .start = call->arrival,
    };
    stint_error_clear(err);
    if (with->begin != NULL) {
        stint_code code = with->begin(with->self, call->ctx, &layer->seen, &layer->ctx, err);
        if (code != STINT_OK) {
            err->code = code;
            return code;
        }
    }
    layer->begun = true;
    if (layer->ctx != NULL)
        call->ctx = layer->ctx;
    return STINT_OK;
}

stint_code stint__server_layers_begin(stint_call *call, stint_error *err)
{
    size_t n = call->server->n_interceptors;
    call->layers = stint__alloc_array(n, sizeof *call->layers);
    if (call->layers == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < n; i++) {
        stint_code code =
            begin_one(call, call->server->opts.interceptors[i], &call->layers[i], err);
        if (code != STINT_OK) {
            run_ends(call, err);
            return code;
        }
    }
    int expected = LAYERS_NONE;
    if (atomic_compare_exchange_strong(&call->layers_state, &expected, LAYERS_BEGUN))
        return STINT_OK;
    stint_ctx_cause(call->own, err);
    run_ends(call, err);
    return STINT_CANCELLED;
}

void stint__server_layers_end(stint_call *call, const stint_error *outcome)
{
    if (atomic_exchange(&call->layers_state, LAYERS_OVER) == LAYERS_BEGUN)
        run_ends(call, outcome);
}

void stint__server_layers_free(stint_call *call)
{
    for (size_t i = call->server->n_interceptors; call->layers != NULL && i-- > 0;)
        stint_ctx_drop(call->layers[i].ctx);
    stint__free(call->layers);
}
