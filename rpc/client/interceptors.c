/* interceptors.c - a channel's interceptors around one call: begin in order, end in reverse. */
#include "client_internal.h"

#include "alloc.h"

stint_code stint__layers_begin(struct stint__client_call *call, stint_error *err)
{
    size_t n = call->ch->n_interceptors;
    call->layers = stint__alloc_array(n, sizeof *call->layers);
    if (call->layers == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const stint_interceptor *with = call->ch->opts.interceptors[i];
        struct stint__layer *layer = &call->layers[i];
        layer->seen = (stint_interception){
            .method = call->method->path,
            .peer = call->ch->target,
            .metadata = stint_ctx_metadata(call->ctx),
            .start = call->start,
        };
        if (with->begin != NULL) {
            stint_code code = with->begin(with->self, call->ctx, &layer->seen, &layer->ctx, err);
            if (code != STINT_OK) {
                err->code = code;
                stint_ctx_drop(layer->ctx);
                layer->ctx = NULL;
                return code;
            }
        }
        layer->begun = true;
        if (layer->ctx != NULL) {
            stint_ctx_unref(call->ctx);
            call->ctx = stint_ctx_ref(layer->ctx);
        }
    }
    return STINT_OK;
}

void stint__layers_end(struct stint__client_call *call)
{
    if (call->layers == NULL)
        return;
    for (size_t i = call->ch->n_interceptors; i-- > 0;) {
        const stint_interceptor *with = call->ch->opts.interceptors[i];
        struct stint__layer *layer = &call->layers[i];
        if (!layer->begun)
            continue;
        layer->seen.ledger = call->ledger;
        if (with->end != NULL)
            with->end(with->self, call->ctx, &layer->seen, &call->error);
        stint_ctx_drop(layer->ctx);
    }
}
