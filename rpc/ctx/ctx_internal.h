/* ctx_internal.h - what the client and the server need of contexts beyond the public header. */
#ifndef STINT_CTX_CTX_INTERNAL_H
#define STINT_CTX_CTX_INTERNAL_H

#include <stint/ctx.h>
#include <stint/metadata.h>
#include <stint/request.h>

/* As stint_ctx_after, but for cancellation only: arms no timer, so that a caller which watches the
 * deadline by itself pays nothing for it. fn also runs if somebody else's waiting finds the
 * deadline. */
STINT_NODISCARD bool stint__ctx_after_cancel(const stint_ctx *ctx, stint_hook *hook,
                                             void (*fn)(void *arg), void *arg);

/* True if ctx can never be done: nobody needs to watch it. */
bool stint__ctx_is_eternal(const stint_ctx *ctx);

/* Cancels with why->code (not OK), reason and message; the code and the reason are kept even when
 * there is no memory for the text. */
void stint__ctx_cancel_with(stint_ctx *ctx, const stint_error *why);

/* A context that is done at `deadline` even if that is later than parent's, and also when parent or
 * what is above it is cancelled; see extend.c. Inherits what parent carries. */
STINT_NODISCARD stint_ctx *stint__ctx_extended(const stint_ctx *parent, stint_time deadline);

/* The shared context that constructors return when out of memory. */
stint_ctx *stint__ctx_exhausted(void);

/* The root of an incoming call: a deadline and request info in one allocation. */
STINT_NODISCARD stint_ctx *stint__ctx_new_call(stint_time deadline, const stint_request_info *info);

#endif
