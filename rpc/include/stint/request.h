/* stint/request.h - who a piece of work belongs to: trace, span and request IDs.
 *
 * Trace and span IDs are W3C Trace Context's (w3.org/TR/trace-context): all zero means none. The
 * request ID is the user's own name for the request; it stays the same over all hops. A call made
 * under a context without request info gets fresh IDs; each call gets a span of its own. */
#ifndef STINT_REQUEST_H
#define STINT_REQUEST_H

#include <stdint.h>

#include <stint/ctx.h>

STINT_BEGIN_DECLS

#define STINT_REQUEST_ID_MAX 63 /* bytes, printable ASCII without space */

typedef struct stint_request_info {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    char request_id[STINT_REQUEST_ID_MAX + 1]; /* NUL-terminated; "" means none */
    uint32_t hop; /* calls between the edge, where the request began, and here; 0 at the edge */
} stint_request_info;

/* Fresh random IDs; the request ID is 16 hexadecimal digits. Not for secrets. Thread-safe. */
STINT_API stint_request_info stint_request_info_new(void);

/* A child with this info (copied). An invalid request ID (too long, not printable) is replaced by
 * "": never refused. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_request_info(const stint_ctx *parent,
                                                                 const stint_request_info *info);

/* The nearest info, owned by the context, or NULL. */
STINT_API const stint_request_info *stint_ctx_request_info(const stint_ctx *ctx);

#define STINT_TRACE_ID_TEXT 33 /* 32 digits and a NUL */

/* The trace ID as 32 hexadecimal digits; "" if there is none. Returns text. */
STINT_API const char *stint_trace_id_format(const stint_request_info *info,
                                            char text[STINT_TRACE_ID_TEXT]);

STINT_END_DECLS

#endif
