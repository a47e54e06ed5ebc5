/* stint/interceptor.h - code around every call, on both sides: logging, metrics, authentication.
 *
 * A channel's or server's interceptors form a stack: `begin` runs in order, `end` in reverse order,
 * once for each begin that returned OK. */
#ifndef STINT_INTERCEPTOR_H
#define STINT_INTERCEPTOR_H

#include <stint/ctx.h>
#include <stint/ledger.h>
#include <stint/metadata.h>
#include <stint/status.h>

STINT_BEGIN_DECLS

/* What an interceptor sees of a call; valid until `end` returns. */
typedef struct stint_interception {
    const char *method;             /* "package.Service/Method" */
    const char *peer;               /* client: the target; server: the peer's address */
    const stint_metadata *metadata; /* what the request carries; may be NULL */
    stint_time start;               /* client: the call began; server: the request was read */
    void *scratch;                  /* one pointer for this interceptor from begin to end */
    const stint_ledger *ledger;     /* client, in end: where the time went; NULL: nobody asked */
} stint_interception;

typedef struct stint_interceptor {
    void *self;
    /* May refuse the call by returning a code and filling err: nothing is sent, or no handler runs.
     * May return a context derived from ctx in *ret_ctx (left NULL otherwise), under which the rest
     * of the call proceeds; the library releases it after `end`. Must not block. May be NULL. */
    stint_code (*begin)(void *self, const stint_ctx *ctx, stint_interception *call,
                        stint_ctx **ret_ctx, stint_error *err);
    /* The outcome, before the caller or the peer learns of it. At a client never in the thread that
     * cancels a context, which may hold locks. At a server, OK is what the handler answered: should
     * that turn out to be more than the connection can send, the caller is told so instead, and it
     * is logged. Must not block. May be NULL. */
    void (*end)(void *self, const stint_ctx *ctx, stint_interception *call,
                const stint_error *outcome);
} stint_interceptor;

STINT_END_DECLS

#endif
