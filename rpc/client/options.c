/* options.c - call options, carried by contexts. */
#include <stint/key.h>

#include "alloc.h"
#include "client_internal.h"
#include "options.h"

STINT_KEY_DECLARE(call_options, stint_call_options)
STINT_KEY_DEFINE(call_options);

stint_ctx *stint_ctx_with_call_options(const stint_ctx *parent, const stint_call_options *opts)
{
    stint_call_options *copy = stint__alloc_zeroed(sizeof *copy);
    if (copy == NULL)
        return stint__ctx_exhausted();
    stint_error why;
    if (stint__options_copy(copy, sizeof *copy, opts, "stint_call_options", &why) != STINT_OK) {
        stint__free(copy);
        stint_ctx *done = stint_ctx_with_cancel(parent);
        stint_ctx_cancel(done, why.code, why.message);
        return done;
    }
    return call_options_with_owned(parent, copy, stint__free);
}

void stint__client_empty_reply(const stint_ctx *ctx)
{
    const stint_call_options *given = call_options_of(ctx);
    if (given != NULL && given->reply != NULL && stint__reply_info_take(given->reply))
        stint__reply_info_release(given->reply);
}

stint_call_options stint__client_call_options_of(const stint_ctx *ctx, const stint_channel *ch)
{
    const stint_call_options *given = call_options_of(ctx);
    stint_call_options o = {.size = sizeof o};
    if (given != NULL)
        o = *given;
    o.wait_for_ready = !o.fail_fast && (o.wait_for_ready || ch->opts.wait_for_ready);
    return o;
}
