/* stint/handler.h - what a handler can do with the call it answers.
 *
 * A synchronous handler fills its reply and returns a code. What the reply points to must live
 * until the handler returns: take it from the call (alloc, strdup, printf) and it is freed with the
 * call.
 *
 * A deferred handler takes a ticket, returns STINT_DEFERRED, and finishes the ticket once, later,
 * from any thread. If nobody has by the deadline, the library answers DEADLINE_EXCEEDED; the ticket
 * stays valid until it is finished. */
#ifndef STINT_HANDLER_H
#define STINT_HANDLER_H

#include <stddef.h>

#include <stint/ctx.h>
#include <stint/metadata.h>
#include <stint/service.h>
#include <stint/status.h>

STINT_BEGIN_DECLS

typedef struct stint_ticket stint_ticket;

/* Memory that lives as long as the call; zeroed and aligned for anything. NULL when out of memory
 * or past the call's limit. For the handler's thread only. */
STINT_API void *stint_call_alloc(stint_call *call, size_t n);
STINT_API char *stint_call_strdup(stint_call *call, const char *s);
STINT_API char *stint_call_printf(stint_call *call, const char *fmt, ...) STINT_PRINTF(2, 3);

/* Sets the text that goes with a status other than OK, and returns code: `return
 * stint_call_fail(call, STINT_NOT_FOUND, "no %s", sku);` */
STINT_API stint_code stint_call_fail(stint_call *call, stint_code code, const char *fmt, ...)
    STINT_PRINTF(3, 4);

/* Fails with what a downstream call failed with, under this hop's name: keeps the code, except that
 * a DEADLINE_EXCEEDED from below, while this call still has time (more than some reply reserves),
 * becomes UNAVAILABLE with reason DOWNSTREAM_TIMEOUT: it is not this caller's deadline that passed.
 * One that was decided here with INSUFFICIENT_BUDGET stays what it is: this caller did not give
 * enough. */
STINT_API stint_code stint_call_fail_from(stint_call *call, const stint_error *cause);

/* Attaches bytes to the status (a packed message, usually), copied. Errors: RESOURCE_EXHAUSTED. */
STINT_API STINT_NODISCARD stint_code stint_call_set_details(stint_call *call, const void *data,
                                                            size_t len);

/* What the request carried; NULL if nothing. Lives as long as the call. */
STINT_API const stint_metadata *stint_call_metadata(const stint_call *call);

/* Adds to what the reply will carry. Errors as stint_metadata_add. */
STINT_API STINT_NODISCARD stint_code stint_call_add_metadata(stint_call *call, const char *key,
                                                             const void *value, size_t value_len,
                                                             stint_error *err);

/* "package.Service/Method", and the peer's address; live as long as the call. */
STINT_API const char *stint_call_method(const stint_call *call);
STINT_API const char *stint_call_peer(const stint_call *call);

/* When the request's bytes were read: the deadline counts from here. */
STINT_API stint_time stint_call_arrival(const stint_call *call);

/* Turns the call into a deferred one. The ticket owns the call from now on; the handler must return
 * STINT_DEFERRED. ctx and the request live until the ticket is finished. Errors:
 * FAILED_PRECONDITION (deferred already), RESOURCE_EXHAUSTED (memory for a timer). */
STINT_API STINT_NODISCARD stint_code stint_call_defer(stint_call *call, stint_ticket **ret_ticket,
                                                      stint_error *err);

/* The call behind a ticket, for its memory, metadata and text; and its context. */
STINT_API stint_call *stint_ticket_call(stint_ticket *ticket);
STINT_API const stint_ctx *stint_ticket_ctx(const stint_ticket *ticket);

/* Answers and frees the ticket: exactly once for each ticket, from any thread, also when the
 * deadline has passed (then nothing is sent). `rep` may be NULL unless code is STINT_OK; it is
 * packed before this returns. `message` (may be NULL) goes with a failure. Generated code wraps it
 * with a typed reply. */
STINT_API void stint_ticket_finish(stint_ticket *ticket, stint_code code,
                                   const ProtobufCMessage *rep, const char *message);

STINT_END_DECLS

#endif
