/* stint/channel.h - a client's way to a service, and the calls made over it. */
#ifndef STINT_CHANNEL_H
#define STINT_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include <stint/ctx.h>
#include <stint/interceptor.h>
#include <stint/ledger.h>
#include <stint/log.h>
#include <stint/metadata.h>
#include <stint/service.h>
#include <stint/status.h>

STINT_BEGIN_DECLS

typedef struct stint_channel stint_channel;

/* Zero means the default everywhere. */
typedef struct stint_channel_options {
    size_t size; /* sizeof(stint_channel_options); STINT_CHANNEL_OPTIONS sets it */
    stint_duration default_timeout; /* for calls whose context has no deadline; default: none */
    size_t max_message;             /* bytes of one message, both ways; default 4 MiB */
    uint32_t max_inflight;          /* calls not yet ended; default 65536 */
    bool wait_for_ready; /* calls wait for a connection, up to their deadline, instead of failing */
    stint_duration backoff_min; /* before the first retry of a connection; default 10 ms */
    stint_duration backoff_max; /* default 2 s */
    stint_duration heartbeat;   /* silence after which the peer is asked whether it lives;
                                   default 10 s; negative: never */
    const stint_interceptor *const *interceptors; /* NULL-terminated; must outlive the channel */
    stint_log log;
    uint32_t ledger_one_in; /* asks for the ledger of one call in so many: 1 of all; default: only
                               of those whose options or whose caller ask for it */
} stint_channel_options;

#define STINT_CHANNEL_OPTIONS(...) STINT_TEMPORARY(stint_channel_options, __VA_ARGS__)

/* Opens a channel to `target`, a URL: tcp://host:port, ipc:///path, inproc://name,
 * ws://host:port/path, nng+tcp://, nng+ipc://, mem://name. Connects in the background and again
 * whenever the connection is lost; nobody needs to be there yet. opts may be NULL. Errors:
 * INVALID_ARGUMENT (a target that no transport understands), RESOURCE_EXHAUSTED. */
STINT_API STINT_NODISCARD stint_code stint_channel_open(stint_channel **ret_channel,
                                                        const char *target,
                                                        const stint_channel_options *opts,
                                                        stint_error *err);

/* Fails what is still in flight with CANCELLED (CHANNEL_CLOSED), waits until every `done` has
 * returned, and frees. No call may be started on it any more. Not from a `done` function or a short
 * handler. NULL is accepted. */
STINT_API void stint_channel_close(stint_channel *ch);

/* Waits until there is a connection. Errors: ctx's code, with the last connection error as text. */
STINT_API STINT_NODISCARD stint_code stint_channel_wait_ready(const stint_ctx *ctx,
                                                              stint_channel *ch, stint_error *err);

typedef struct stint_channel_stats {
    size_t size;     /* set by the caller to sizeof(stint_channel_stats) */
    uint64_t calls;  /* begun */
    uint64_t ok;     /* ended OK */
    uint64_t failed; /* ended otherwise; the next five are parts of it */
    uint64_t deadline_exceeded;
    uint64_t cancelled;
    uint64_t connection_lost; /* lost with the connection: maybe executed */
    uint64_t not_sent;        /* refused here: no time left, no connection, too large, too many */
    uint64_t refused;         /* the server vouches that no handler ran */
    uint64_t late_replies;    /* came after the call had ended; dropped */
    uint64_t connects;        /* connections made */
    uint64_t disconnects;     /* connections lost */
    uint64_t malformed;       /* connections closed because the peer sent garbage */
    uint64_t bad_ledgers;     /* ledgers that could not be read; their replies stood */
    uint64_t shed;        /* part of not_sent: less time was left than the method needs, by what it
                             declares or by what the server last said */
    uint64_t probes;      /* sent although less was left than the server last said */
    uint64_t pushed_back; /* part of not_sent: the server had asked for less */
} stint_channel_stats;

/* A snapshot of the counters. Thread-safe. */
STINT_API void stint_channel_stats_get(const stint_channel *ch, stint_channel_stats *stats);

/* What a reply carried beside its message. */
typedef struct stint_reply_info stint_reply_info;
STINT_API STINT_NODISCARD stint_reply_info *stint_reply_info_new(void); /* NULL: out of memory */
STINT_API void stint_reply_info_free(stint_reply_info *info);           /* NULL is accepted */
/* The reply's metadata; NULL if it had none. Owned by info. */
STINT_API const stint_metadata *stint_reply_info_metadata(const stint_reply_info *info);
/* The bytes a handler attached to its status (stint_call_set_details); NULL and 0 if none. */
STINT_API const void *stint_reply_info_details(const stint_reply_info *info, size_t *ret_len);

/* Where the time of the call went (stint/ledger.h), also when it failed; NULL if nobody asked, or
 * the call never began. Owned by info. */
STINT_API const stint_ledger *stint_reply_info_ledger(const stint_reply_info *info);

/* Options for the calls under a context; zero means "as the channel says". */
typedef struct stint_call_options {
    size_t size;
    bool wait_for_ready;
    bool fail_fast;          /* the opposite, for channels whose calls wait */
    stint_reply_info *reply; /* emptied when a call begins, or is refused, and filled before it
                                ends; must live until then. For one call at a time: a second one is
                                refused with FAILED_PRECONDITION */
    bool ledger;             /* asks for the ledger, for `reply` and for interceptors */
} stint_call_options;

#define STINT_CALL_OPTIONS(...) STINT_TEMPORARY(stint_call_options, __VA_ARGS__)

/* A child whose calls have these options (copied), instead of those that the parent's calls have.
 * Options whose size is not set give a context that is done with INVALID_ARGUMENT. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_call_options(const stint_ctx *parent,
                                                                 const stint_call_options *opts);

/* ---- what generated stubs call ---- */

/* Makes one call and waits for its end. The deadline is the earliest of ctx's, now + the method's
 * timeout, and, where ctx has none, now + the channel's default. On STINT_OK *ret_reply is a
 * message that the caller frees with protobuf_c_message_free_unpacked(reply, NULL); otherwise it is
 * NULL. Fails with FAILED_PRECONDITION (WOULD_DEADLOCK) in a thread that must not block: inside a
 * `done` function or a short handler. Thread-safe. */
STINT_API STINT_NODISCARD stint_code stint_invoke(const stint_ctx *ctx, stint_channel *ch,
                                                  const stint_method *method,
                                                  const ProtobufCMessage *req,
                                                  ProtobufCMessage **ret_reply, stint_error *err);

/* How an asynchronous call ended. `reply` is set on STINT_OK and then belongs to the callee; err is
 * valid during the callback. */
typedef struct stint_done {
    void (*fn)(void); /* the user's function, to be cast back by the thunk */
    void *arg;
    stint_code code;
    ProtobufCMessage *reply;
    const stint_error *err;
} stint_done;

typedef void stint_done_thunk(const stint_done *done);

/* Whom to tell about the end of an asynchronous call: thunk({fn, arg, ...}). */
typedef struct stint_completion {
    stint_done_thunk *thunk;
    void (*fn)(void);
    void *arg;
} stint_completion;

/* Begins a call. On STINT_OK the thunk runs exactly once, later: never inside this function, never
 * under a lock of the library, in a transport or timer thread. It must not block. Otherwise the
 * call never began and the thunk does not run. req is packed, and `then` copied, before this
 * returns. Thread-safe. */
STINT_API STINT_NODISCARD stint_code stint_invoke_async(const stint_ctx *ctx, stint_channel *ch,
                                                        const stint_method *method,
                                                        const ProtobufCMessage *req,
                                                        const stint_completion *then,
                                                        stint_error *err);

STINT_END_DECLS

#endif
