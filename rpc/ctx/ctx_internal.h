/* ctx_internal.h - what the client and the server need of contexts beyond the public header. */
#ifndef STINT_CTX_CTX_INTERNAL_H
#define STINT_CTX_CTX_INTERNAL_H

#include <stdatomic.h>

#include <stint/criticality.h>
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

/* Where a layer above keeps what is gathered while a call is served: empty until it puts something
 * there, and destroyed with the call's context. */
struct stint__slot {
    void *_Atomic content;
    void (*_Atomic destroy)(void *content);
    /* Set, if at all, before anybody else knows of the context: */
    bool ledger;      /* the caller wants to know where the time goes, */
    stint_time since; /* counted from here */
};

/* The slot of the served call that ctx is part of; NULL if it is part of none. Lives as long as
 * ctx. */
struct stint__slot *stint__ctx_slot(const stint_ctx *ctx);

/* Whether ctx is of a call that may have too little time, and is made to learn whether it has: no
 * hop refuses it for that. */
bool stint__ctx_is_probe(const stint_ctx *ctx);

/* The root of an incoming call, in one allocation: a deadline, request info, criticality (CRITICAL
 * unless it is one of the levels) and an empty slot. */
STINT_NODISCARD stint_ctx *stint__ctx_new_call(stint_time deadline, const stint_request_info *info,
                                               uint32_t criticality, bool probe);

#endif
