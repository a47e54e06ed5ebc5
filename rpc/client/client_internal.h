/* client_internal.h - channels and calls, as the files of rpc/client share them.
 *
 * The life of a call (struct stint__client_call), by its two variables:
 *
 * `state` goes from PENDING to CLAIMED to DONE. The one compare-and-swap out of PENDING decides how
 * the call ends: reply, deadline, cancellation, loss. Whoever wins it (the claimer) writes the
 * outcome, detaches the other sources and delivers; the others only drop their reference.
 *
 * `place` is where its request is: NOWHERE, WAITING (in the channel's list), SUBMITTING (some
 * thread is handing it to the transport), BOUNCED (the transport has given it back, unsent, before
 * that thread could say SENT), SENT (the transport holds the exchange), ABANDONED (nobody wants the
 * reply any more), OVER (the transport has let go of it). submit.c says who moves it from where to
 * where.
 *
 * A claimer that finds the place SUBMITTING or BOUNCED leaves the exchange to the submitting
 * thread, which looks at the state after it has set SENT or WAITING: with sequentially consistent
 * atomics at least one sees the other.
 *
 * References: one for the caller (sync) or for the delivery of the outcome (async); one while the
 * exchange is WAITING, SUBMITTING, BOUNCED or SENT, or ABANDONED in vain; one while the timer is
 * armed or its function runs. */
#ifndef STINT_CLIENT_CLIENT_INTERNAL_H
#define STINT_CLIENT_CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <stint/channel.h>
#include <stint/request.h>

#include "buf.h"
#include "clock.h"
#include "ctx_internal.h"
#include "known.h"
#include "list.h"
#include "logger.h"
#include "record.h"
#include "transport.h"

#define STINT__END_OF_TIME ((stint_time){INT64_MAX})

struct stint__channel_counters {
    atomic_uint_fast64_t calls, ok, failed, deadline_exceeded, cancelled, connection_lost, not_sent,
        refused, late_replies, bad_ledgers, shed, probes, pushed_back;
};

enum stint__link_state {
    STINT__LINK_CONNECTING, /* nothing known yet, or just lost: calls wait for the attempt's outcome
                             */
    STINT__LINK_READY,
    STINT__LINK_FAILING, /* the last attempt failed: calls fail at once, unless they wait for ready
                          */
};

struct stint_channel {
    char *target;
    stint_channel_options opts; /* with the defaults filled in */
    size_t n_interceptors;
    struct stint__peer *peer;
    struct stint__logger logger;
    struct stint__channel_counters counters;
    atomic_uint_fast64_t next_call_id;
    atomic_uint_fast32_t inflight; /* calls that have not ended */
    atomic_uint_fast32_t refs;     /* each call until its memory is freed, and the owner */
    struct stint__timer
        delivery; /* always armed, at the end of time unless something is undelivered */
    atomic_bool closing;
    atomic_bool backlog; /* calls wait, or are sent after having waited: others go behind them;
                            written under the mutex */
    atomic_int link;     /* enum stint__link_state; written under the mutex */
    atomic_uint_fast64_t link_epoch; /* counts the ready events; written under the mutex */

    struct stint__knowledge knowledge;

    pthread_mutex_t mutex;          /* guards what follows */
    pthread_cond_t changed;         /* link, unused */
    struct stint__list waiting;     /* calls in place WAITING, oldest first */
    struct stint__list undelivered; /* ended calls, for the delivery timer */
    stint_error last_error;         /* why the last attempt failed */
    bool flushing;                  /* some thread is sending what waited */
    bool unused;                    /* refs has reached zero */
};

enum stint__call_state { STINT__CALL_PENDING, STINT__CALL_CLAIMED, STINT__CALL_DONE };

enum stint__call_place {
    STINT__PLACE_NOWHERE,
    STINT__PLACE_WAITING,
    STINT__PLACE_SUBMITTING,
    STINT__PLACE_BOUNCED,
    STINT__PLACE_SENT,
    STINT__PLACE_ABANDONED,
    STINT__PLACE_OVER,
};

/* One interceptor's part in one call. */
struct stint__layer {
    stint_interception seen;
    stint_ctx *ctx; /* what begin derived, or NULL */
    bool begun;
};

struct stint__client_call {
    struct stint__exchange exchange;
    /* In the channel's lists, guarded by its mutex. Two links: a call can be on its way out of the
     * first list when it enters the second. */
    struct stint__list waiting_link, undelivered_link;
    stint_channel *ch; /* held by the call's memory */
    const stint_method *method;
    const stint_ctx *ctx; /* what the call runs under; referenced */
    stint_call_options options;
    stint_time start, deadline; /* the latter if has_deadline */
    stint_request_info info;
    uint64_t call_id;
    struct stint__slice payload; /* in `payload_owner`, or behind this struct */
    struct stint__buf *payload_owner;
    struct stint__record *record; /* of the served call that this is part of, or NULL; lives as
                                     long as ctx */
    struct stint__record_call recorded;
    stint_duration needed; /* what the server said the method needs; -1: it did not say */

    atomic_uint refs;
    atomic_int state;
    atomic_int place;
    atomic_bool cancel_peer; /* set by the claimer before it looks at the place */

    bool has_deadline;
    bool hooked; /* set before the call can end */
    bool want_ledger;
    bool probe;               /* is sent although it has too little time; for whoever submits it, */
    uint_fast32_t generation; /* of the channel's knowledge, when it was last admitted: as well */
    stint_hook hook;
    struct stint__timer timer; /* async only: the deadline */

    /* The outcome, written by the claimer before DONE. */
    stint_error error;
    ProtobufCMessage *reply;
    bool replied;             /* the server's, not ours; */
    stint_time replied_at;    /* read then */
    stint_ledger *ledger;     /* NULL: none */
    stint_ledger *own_ledger; /* the same, unless the reply info has it */

    /* How it is delivered: a thunk (async), or to the thread that waits (sync). */
    stint_done_thunk *thunk;
    void (*fn)(void);
    void *arg;
    pthread_mutex_t mutex; /* sync only: guards the transition to DONE */
    pthread_cond_t done;

    struct stint__layer *layers; /* n_interceptors of them, or NULL */
};

/* ---- channel.c ---- */

/* Enters a call: counts it and holds the channel. Fails, which is counted, when closing or full. */
stint_code stint__channel_enter(stint_channel *ch, stint_error *err);
/* The call has ended, and counts no longer. */
void stint__channel_leave(stint_channel *ch);
/* Gives back what enter holds: nobody looks at the channel for this call any more. */
void stint__channel_unref(stint_channel *ch);
void stint__channel_count(stint_channel *ch, const stint_error *outcome);

/* ---- submit.c ---- */

/* Sends the call's request, or parks it until there is a connection. On failure the call was not
 * sent and *err says why; it stays PENDING and NOWHERE. */
stint_code stint__client_call_submit(struct stint__client_call *call, stint_error *err);
/* Sends what waits; ends what may not wait any longer. */
void stint__channel_flush_waiting(stint_channel *ch);
/* Ends the waiting calls that do not wait for ready. */
void stint__channel_fail_waiting(stint_channel *ch, const stint_error *why, bool all);
/* Takes the request back from wherever it is, for the claimer. True: it waited, and is never sent.
 */
bool stint__client_call_detach(struct stint__client_call *call);

extern const struct stint__exchange_ops stint__client_call_exchange_ops;

/* ---- admit.c ---- */

/* Whether a call with so much time left is worth sending now; `left` is STINT_DURATION_FOREVER if
 * it has no deadline. Errors: DEADLINE_EXCEEDED (INSUFFICIENT_BUDGET): the method needs more;
 * RESOURCE_EXHAUSTED (THROTTLED): the server has asked for less. */
STINT_NODISCARD stint_code stint__client_call_admit(struct stint__client_call *call,
                                                    stint_duration left, stint_error *err);
/* What the call's reply teaches, even if it comes too late for the call. */
void stint__client_call_learn(const struct stint__client_call *call,
                              const struct stint__incoming *in);

/* ---- call.c ---- */

void stint__client_call_ref(struct stint__client_call *call);
void stint__client_call_unref(struct stint__client_call *call);
bool stint__client_call_claim(struct stint__client_call *call);
/* The channel's delivery timer: delivers the undelivered. */
void stint__client_call_deliver_pending(struct stint__timer *t);
/* For the claimer, with call->error and call->reply set: detaches, and delivers. */
void stint__client_call_finish(struct stint__client_call *call);

/* True in a thread that must not block: a transport's, or one that runs a `done` function. */
bool stint__client_must_not_block(void);

/* ---- account.c ---- */

/* What the served call that this one is part of is told, if there is one: once that it begins, and
 * once, with call->error set, that it has ended. */
void stint__client_account_begin(struct stint__client_call *call);
void stint__client_account_end(struct stint__client_call *call);

/* ---- expired.c: DEADLINE_EXCEEDED in words ---- */

/* The call's own deadline has passed: sets call->error. By the claimer, before it detaches. */
void stint__client_say_expired(struct stint__client_call *call);
/* The same where the reply was read `late`. */
void stint__client_say_late(struct stint__client_call *call, stint_duration late);
/* Puts what the call took in place of what it took the hop below, in a text of that hop's. */
void stint__client_say_after(const struct stint__client_call *call, stint_error *err);

/* ---- ledger.c ---- */

/* Whether the reply is asked for its ledger, once the call's context and options are known. */
bool stint__client_ledger_wanted(const struct stint__client_call *call);
/* A reply was read then, with this ledger (which may be empty). */
void stint__client_ledger_read(struct stint__client_call *call, stint_time at,
                               struct stint__slice bytes);
/* The call has ended, with call->error: adds what the client knows, and tells the record. */
void stint__client_ledger_finish(struct stint__client_call *call);

/* ---- interceptors.c ---- */

/* Runs begin in order; on refusal runs end for those begun and returns the code. *ctx is replaced
 * by what they derived, owned by the layers. */
stint_code stint__layers_begin(struct stint__client_call *call, stint_error *err);
void stint__layers_end(struct stint__client_call *call);

/* ---- reply.c ---- */

/* Fills call->error, call->needed and call->reply from a decoded reply. */
void stint__client_call_take_reply(struct stint__client_call *call,
                                   const struct stint__incoming *in);

/* Empties the info and takes it for one call. False: another call has it. */
bool stint__reply_info_take(stint_reply_info *info);
void stint__reply_info_release(stint_reply_info *info);
/* An empty ledger that the info owns and shows from now on; NULL: out of memory. */
stint_ledger *stint__reply_info_own_ledger(stint_reply_info *info);

/* What comes first in every call under ctx: its reply info, if it has one and no other call is
 * filling it, shows nothing of the call before, even if this one is refused at once. */
void stint__client_empty_reply(const stint_ctx *ctx);

/* The options that ctx carries, the channel's defaults filled in. */
stint_call_options stint__client_call_options_of(const stint_ctx *ctx, const stint_channel *ch);

#endif
