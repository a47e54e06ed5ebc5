/* stint/service.h - the tables that generated code hands to the library. Not for use by hand. */
#ifndef STINT_SERVICE_H
#define STINT_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <stint/ctx.h>
#include <stint/status.h>

STINT_BEGIN_DECLS

typedef struct stint_call stint_call;

typedef enum stint_method_flags {
    STINT_METHOD_IDEMPOTENT = 1 << 0, /* running it twice is as good as once */
    STINT_METHOD_SHORT =
        1 << 1, /* never blocks, some microseconds: runs where the request was read */
} stint_method_flags;

/* One method. Static storage. */
typedef struct stint_method {
    const char *path; /* "package.Service/Method", without a leading slash */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *reply;
    uint32_t flags;         /* of stint_method_flags */
    stint_duration timeout; /* for calls whose context leaves more; 0: none declared */
    stint_duration minimum; /* a call with less left is not begun; 0: none declared */
    stint_duration reserve; /* of the time a call comes with, for answering it: kept back from its
                               handler's deadline, if the server itself keeps less */
} stint_method;

/* Calls the typed handler of one method. */
typedef stint_code (*stint_dispatch_fn)(void *self, const void *ops, const stint_ctx *ctx,
                                        const ProtobufCMessage *req, ProtobufCMessage *rep,
                                        stint_call *call);

/* One service. Static storage. */
typedef struct stint_service {
    const char *name; /* "package.Service" */
    size_t n_methods;
    const stint_method *methods;
    const stint_dispatch_fn *dispatch; /* as many as methods */
} stint_service;

STINT_END_DECLS

#endif
