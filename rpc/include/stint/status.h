/* stint/status.h - how everything in Stint says that it failed.
 *
 * There is one error channel: a fallible function returns a stint_code and fills
 * an optional stint_error, which the caller owns and which needs no freeing.
 * Codes and numbers are gRPC's (grpc/doc/statuscodes.md), so that they mean the
 * same to people, dashboards and gateways. */
#ifndef STINT_STATUS_H
#define STINT_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

#include <stint/macros.h>
#include <stint/time.h>

STINT_BEGIN_DECLS

#define STINT_CODES(X)                                                                             \
    X(OK, 0)                                                                                       \
    X(CANCELLED, 1)                                                                                \
    X(UNKNOWN, 2)                                                                                  \
    X(INVALID_ARGUMENT, 3)                                                                         \
    X(DEADLINE_EXCEEDED, 4)                                                                        \
    X(NOT_FOUND, 5)                                                                                \
    X(ALREADY_EXISTS, 6)                                                                           \
    X(PERMISSION_DENIED, 7)                                                                        \
    X(RESOURCE_EXHAUSTED, 8)                                                                       \
    X(FAILED_PRECONDITION, 9)                                                                      \
    X(ABORTED, 10)                                                                                 \
    X(OUT_OF_RANGE, 11)                                                                            \
    X(UNIMPLEMENTED, 12)                                                                           \
    X(INTERNAL, 13)                                                                                \
    X(UNAVAILABLE, 14)                                                                             \
    X(DATA_LOSS, 15)                                                                               \
    X(UNAUTHENTICATED, 16)

typedef enum stint_code {
    STINT_DEFERRED = -1, /* only from a handler that called stint_call_defer */
#define STINT_CODE_MEMBER(name, number) STINT_##name = (number),
    STINT_CODES(STINT_CODE_MEMBER)
#undef STINT_CODE_MEMBER
} stint_code;

/* Who decided the outcome. */
typedef enum stint_origin {
    STINT_ORIGIN_NONE,  /* no error */
    STINT_ORIGIN_LOCAL, /* this process: nothing was sent, or no reply came */
    STINT_ORIGIN_PEER,  /* the server's reply says so */
} stint_origin;

/* Why, where the code alone does not tell. Values travel on the wire: never renumber. */
#define STINT_REASONS(X)                                                                           \
    X(NONE, 0)                                                                                     \
    X(EXPIRED_ON_ARRIVAL, 1)  /* the budget was spent before the server read the request */        \
    X(EXPIRED_IN_QUEUE, 2)    /* it ran out while the request waited for a worker */               \
    X(EXPIRED_IN_HANDLER, 3)  /* it ran out while the handler ran */                               \
    X(EXPIRED_BEFORE_SEND, 4) /* nothing was left when the call was about to be sent */            \
    X(INSUFFICIENT_BUDGET, 5) /* some time is left, but less than the method needs */              \
    X(DOWNSTREAM_TIMEOUT, 6)  /* a service further down timed out; this caller had time left */    \
    X(DRAINING, 7)            /* the server is shutting down */                                    \
    X(QUEUE_FULL, 8)          /* too many calls are waiting or running */                          \
    X(NOT_CONNECTED, 9)       /* no connection to the peer */                                      \
    X(CONNECTION_LOST, 10)    /* the connection broke after the request may have been read */      \
    X(MESSAGE_TOO_LARGE, 11)                                                                       \
    X(MALFORMED, 12) /* bytes that do not decode */                                                \
    X(NO_SUCH_METHOD, 13)                                                                          \
    X(NO_ANSWER, 14) /* the handler returned without an answer */                                  \
    X(CHANNEL_CLOSED, 15)                                                                          \
    X(WOULD_DEADLOCK, 16) /* a blocking call from a thread that must not block */                  \
    X(THROTTLED, 17)      /* not sent: the server pushes back */

typedef enum stint_reason {
#define STINT_REASON_MEMBER(name, number) STINT_REASON_##name = (number),
    STINT_REASONS(STINT_REASON_MEMBER)
#undef STINT_REASON_MEMBER
} stint_reason;

#define STINT_ERROR_MESSAGE_MAX 224 /* bytes of text, with the terminating NUL */

typedef struct stint_error {
    stint_code code;
    stint_origin origin;
    stint_reason reason;
    bool not_executed; /* true: it is certain that no handler ran; safe to try again */
    stint_duration
        pushback; /* the server asks to wait this long before a retry; 0: it did not say */
    char message[STINT_ERROR_MESSAGE_MAX]; /* UTF-8, NUL-terminated, never NULL */
} stint_error;

/* An error that says nothing yet: { STINT_OK, ... }. */
#define STINT_ERROR_INIT                                                                           \
    {                                                                                              \
        STINT_OK, STINT_ORIGIN_NONE, STINT_REASON_NONE, false, 0,                                  \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* Fills *err (which may be NULL) with a local error and a printf-formatted text,
 * cut at a UTF-8 boundary when too long. Returns code, so that
 * `return stint_error_set(err, ...)` reads well. Thread-safe. */
STINT_API stint_code stint_error_set(stint_error *err, stint_code code, const char *fmt, ...)
    STINT_PRINTF(3, 4);
STINT_API stint_code stint_error_vset(stint_error *err, stint_code code, const char *fmt,
                                      va_list args) STINT_PRINTF(3, 0);

/* Makes *err say "no error". NULL is accepted. */
STINT_API void stint_error_clear(stint_error *err);

/* "DEADLINE_EXCEEDED" and so on; "UNKNOWN_CODE" for a number that is none. Static storage. */
STINT_API const char *stint_code_name(stint_code code);
STINT_API const char *stint_reason_name(stint_reason reason);

STINT_END_DECLS

#endif
