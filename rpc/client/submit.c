/* submit.c - getting a call's request to the transport, and back from it.
 *
 * A call is parked in the channel's waiting list while there is no connection, or while the
 * connection's queue is full; it is sent, its remaining time stamped anew, when the transport says
 * ready. Nothing is ever sent twice: a request goes back to the list only if the transport vouches
 * that its bytes were never given to a connection.
 *
 * First come, first sent: while calls wait, or are sent after having waited (`backlog`), new ones
 * go behind them. One thread at a time sends what waited; it ends when nothing waits any more, or
 * when what it tried to send must wait for the next ready event. So whoever puts a call behind
 * others under the mutex knows that somebody will come for it.
 *
 * Who moves a request from place to place:
 *
 *   NOWHERE    -> SUBMITTING by the thread that makes the call
 *   WAITING    -> SUBMITTING by the one that sends what waited; -> NOWHERE by whoever ends the call
 *   SUBMITTING -> SENT, WAITING or NOWHERE by the thread that set it, the submitter. But the
 *                 transport may end the exchange before its submit returns: -> OVER (answered, or
 *                 lost and maybe executed) or -> BOUNCED (lost and certainly unsent), which the
 *                 submitter's compare-and-swap to SENT finds
 *   BOUNCED    -> SUBMITTING by the submitter, which goes on as if there had been no connection
 *   SENT       -> OVER by the reply or the loss. A loss that left it unsent goes on to SUBMITTING,
 *                 and is the submitter then. -> ABANDONED by the claimer, or by a submitter that
 *                 finds the call claimed: never while somebody sends the request again
 *   ABANDONED  -> OVER by a reply or a loss that was on its way already
 *
 * So nobody else sets SUBMITTING before the submitter has left it, and one thread only sends a lost
 * request again. The request's reference goes with the place: to the transport with a submit that
 * succeeds, back to the submitter with BOUNCED.
 *
 * The list, `flushing` and the place WAITING are guarded by the channel's mutex; see
 * client_internal.h for the other places, and for the reference that a request holds on its call
 * from the first attempt to send it until it is over ("the request's reference" below). No lock is
 * held while the transport or a delivery is called. */
#include "client_internal.h"
#include "millis.h"

#include <string.h>

/* Nothing is left to send with. */
static stint_code fail_expired(const struct stint__client_call *call, stint_error *err)
{
    stint_error_set(
        err, STINT_DEADLINE_EXCEEDED, "deadline exceeded after %.1f ms, before %s was sent to %s",
        stint__ms(stint_time_sub(stint_now(), call->start)), call->method->path, call->ch->target);
    err->reason = STINT_REASON_EXPIRED_BEFORE_SEND;
    return STINT_DEADLINE_EXCEEDED;
}

static stint_code envelope_of(struct stint__client_call *call, struct stint__envelope *e,
                              stint_error *err)
{
    *e = (struct stint__envelope){
        .kind = STINT__KIND_REQUEST,
        .call_id = call->call_id,
        .method = {(const uint8_t *)call->method->path, strlen(call->method->path)},
        .trace_id = call->info.trace_id,
        .span_id = call->info.span_id,
        .request_id = {(const uint8_t *)call->info.request_id, strlen(call->info.request_id)},
        .hop = call->info.hop,
        .criticality = (uint32_t)stint_ctx_criticality(call->ctx),
        .want_ledger = call->want_ledger,
        .metadata = stint_ctx_metadata(call->ctx),
        .has_payload = true,
        .payload = call->payload,
        .payload_owner = call->payload_owner,
    };
    stint_duration left = STINT_DURATION_FOREVER;
    if (call->has_deadline) {
        left = stint_time_sub(call->deadline, stint_now());
        if (left < STINT_US(1))
            return fail_expired(call, err);
        e->has_budget = true;
        e->budget_us = (uint64_t)(left / 1000); /* rounded down: never more than there is */
    }
    stint_code code = stint__client_call_admit(call, left, err);
    e->probe = call->probe || stint__ctx_is_probe(call->ctx);
    return code;
}

/* Gives up on the reply of a call that is not PENDING, if its request is SENT. */
static void abandon(struct stint__client_call *call)
{
    int expected = STINT__PLACE_SENT;
    if (!atomic_compare_exchange_strong(&call->place, &expected, STINT__PLACE_ABANDONED))
        return;
    bool cancel = atomic_load(&call->cancel_peer);
    if (stint__peer_abandon(call->ch->peer, &call->exchange, cancel))
        stint__client_call_unref(call);
}

static stint_code fail_not_connected(stint_error *err, const char *why)
{
    stint_error_set(err, STINT_UNAVAILABLE, "%s", why);
    err->reason = STINT_REASON_NOT_CONNECTED;
    return STINT_UNAVAILABLE;
}

/* Hands the request, in place SUBMITTING, to the transport, which takes over its reference. On
 * failure both are the caller's still, or again. */
static stint_code send_now(struct stint__client_call *call, stint_error *err)
{
    struct stint__envelope e;
    stint_code code = envelope_of(call, &e, err);
    if (code == STINT_OK)
        code = stint__peer_submit(call->ch->peer, &call->exchange, &e, err);
    if (code != STINT_OK)
        return code;
    int place = STINT__PLACE_SUBMITTING;
    if (atomic_compare_exchange_strong(&call->place, &place, STINT__PLACE_SENT)) {
        if (atomic_load(&call->state) != STINT__CALL_PENDING)
            abandon(call);
        return STINT_OK;
    }
    if (place != STINT__PLACE_BOUNCED)
        return STINT_OK;
    atomic_store(&call->place, STINT__PLACE_SUBMITTING);
    return fail_not_connected(err, "the connection was lost before the request was written");
}

/* To be called after every change of what it depends on. */
static void note_backlog_locked(stint_channel *ch)
{
    atomic_store(&ch->backlog, ch->flushing || !stint__list_empty(&ch->waiting));
}

/* An attempt to send. */
struct attempt {
    uint64_t epoch; /* of the link, before it */
    bool is_next;   /* has waited already, and comes before all that wait */
    bool in_line;   /* was not made: others come first */
};

static stint_code send_in_turn(struct stint__client_call *call, struct attempt *a, stint_error *err)
{
    a->epoch = atomic_load(&call->ch->link_epoch);
    a->in_line = !a->is_next && atomic_load(&call->ch->backlog);
    if (!a->in_line)
        return send_now(call, err);
    return fail_not_connected(err, "other calls wait");
}

enum parked { PARKED, TRY_AGAIN, MAY_NOT_WAIT };

/* Parks the call, which then keeps the request's reference, after an attempt that came to nothing;
 * TRY_AGAIN if another one may do better. */
static enum parked park(struct stint__client_call *call, const struct attempt *a)
{
    stint_channel *ch = call->ch;
    enum parked result = PARKED;
    pthread_mutex_lock(&ch->mutex);
    bool behind = !a->is_next && atomic_load(&ch->backlog);
    if (atomic_load(&ch->closing) ||
        (atomic_load(&ch->link) == STINT__LINK_FAILING && !call->options.wait_for_ready)) {
        result = MAY_NOT_WAIT;
    } else if (!behind && (a->in_line || atomic_load(&ch->link_epoch) != a->epoch)) {
        result = TRY_AGAIN;
    } else {
        atomic_store(&call->place, STINT__PLACE_WAITING);
        stint__list_push_back(a->is_next ? ch->waiting.next : &ch->waiting, &call->waiting_link);
        note_backlog_locked(ch);
    }
    pthread_mutex_unlock(&ch->mutex);
    return result;
}

/* Puts the reason that a person can act on in place of "not connected". */
static void explain(const struct stint__client_call *call, stint_error *err)
{
    stint_channel *ch = call->ch;
    if (atomic_load(&ch->closing)) {
        stint_error_set(err, STINT_CANCELLED, "the channel to %s was closed", ch->target);
        err->reason = STINT_REASON_CHANNEL_CLOSED;
    } else if (err->reason == STINT_REASON_NOT_CONNECTED) {
        pthread_mutex_lock(&ch->mutex);
        stint_error last = ch->last_error;
        pthread_mutex_unlock(&ch->mutex);
        stint_error_set(err, STINT_UNAVAILABLE, "no connection to %s: %s", ch->target,
                        last.message[0] != '\0' ? last.message : "still connecting");
        err->reason = STINT_REASON_NOT_CONNECTED;
    }
    err->not_executed = true;
}

/* Sends or parks the request, in place SUBMITTING. False: neither; the request's reference is the
 * caller's again, the place is NOWHERE, and *err says why. *ret_parked tells which. */
static bool send_or_park(struct stint__client_call *call, bool is_next, bool *ret_parked,
                         stint_error *err)
{
    struct attempt a = {.is_next = is_next};
    *ret_parked = false;
    for (bool again = false;; again = true) {
        if (send_in_turn(call, &a, err) == STINT_OK) {
            if (again)
                stint_error_clear(err);
            return true;
        }
        bool later =
            err->reason == STINT_REASON_NOT_CONNECTED || err->reason == STINT_REASON_QUEUE_FULL;
        enum parked parked = later ? park(call, &a) : MAY_NOT_WAIT;
        if (parked == TRY_AGAIN)
            continue;
        if (parked == PARKED) {
            /* A claimer that came before it was parked has left it to us. */
            if (atomic_load(&call->state) != STINT__CALL_PENDING)
                (void)stint__client_call_detach(call);
            stint_error_clear(err);
            *ret_parked = true;
            return true;
        }
        atomic_store(&call->place, STINT__PLACE_NOWHERE);
        explain(call, err);
        return false;
    }
}

/* Ends a call that could not be sent, if nothing else has ended it. */
static void end_unsent(struct stint__client_call *call, const stint_error *why)
{
    if (!stint__client_call_claim(call))
        return;
    call->error = *why;
    stint__client_call_finish(call);
}

stint_code stint__client_call_submit(struct stint__client_call *call, stint_error *err)
{
    bool parked;
    stint__client_call_ref(call); /* the request's */
    stint__client_call_ref(call); /* ours: the reply may come before we are done */
    atomic_store(&call->place, STINT__PLACE_SUBMITTING);
    bool ok = send_or_park(call, false, &parked, err);
    stint_code code = ok ? STINT_OK : err->code;
    if (!ok)
        stint__client_call_unref(call);
    stint__client_call_unref(call);
    return code;
}

/* False: another thread is at it. It will see what made this one come. */
static bool begin_flush(stint_channel *ch)
{
    pthread_mutex_lock(&ch->mutex);
    bool ours = !ch->flushing;
    ch->flushing = true;
    note_backlog_locked(ch);
    pthread_mutex_unlock(&ch->mutex);
    return ours;
}

/* The next call to send. NULL, and no longer flushing: nothing waits, or (`stuck`: the last one had
 * to wait again) the link has not become ready since *epoch, which is brought up to date. */
static struct stint__client_call *take_waiting(stint_channel *ch, bool stuck, uint64_t *epoch)
{
    struct stint__client_call *call = NULL;
    pthread_mutex_lock(&ch->mutex);
    uint64_t before = *epoch;
    *epoch = atomic_load(&ch->link_epoch);
    struct stint__list *link = NULL;
    if (!stuck || *epoch != before)
        link = stint__list_pop_front(&ch->waiting);
    if (link != NULL) {
        call = STINT__CONTAINER_OF(link, struct stint__client_call, waiting_link);
        atomic_store(&call->place, STINT__PLACE_SUBMITTING);
        stint__client_call_ref(call); /* ours */
    }
    ch->flushing = call != NULL;
    note_backlog_locked(ch);
    pthread_mutex_unlock(&ch->mutex);
    return call;
}

void stint__channel_flush_waiting(stint_channel *ch)
{
    struct stint__client_call *call;
    uint64_t epoch = 0;
    bool parked = false;
    if (!begin_flush(ch))
        return;
    while ((call = take_waiting(ch, parked, &epoch)) != NULL) {
        stint_error err;
        if (!send_or_park(call, true, &parked, &err)) {
            end_unsent(call, &err);
            stint__client_call_unref(call);
        }
        stint__client_call_unref(call);
    }
}

void stint__channel_fail_waiting(stint_channel *ch, const stint_error *why, bool all)
{
    struct stint__list failed;
    stint__list_init(&failed);
    pthread_mutex_lock(&ch->mutex);
    STINT_LIST_FOREACH (link, &ch->waiting) {
        struct stint__client_call *call =
            STINT__CONTAINER_OF(link, struct stint__client_call, waiting_link);
        if (!all && call->options.wait_for_ready)
            continue;
        stint__list_unlink(link);
        stint__list_push_back(&failed, link);
        atomic_store(&call->place, STINT__PLACE_NOWHERE);
    }
    note_backlog_locked(ch);
    pthread_mutex_unlock(&ch->mutex);
    struct stint__list *link;
    while ((link = stint__list_pop_front(&failed)) != NULL) {
        struct stint__client_call *call =
            STINT__CONTAINER_OF(link, struct stint__client_call, waiting_link);
        stint_error err = *why;
        if (!all)
            err.reason = STINT_REASON_NOT_CONNECTED;
        explain(call, &err);
        end_unsent(call, &err);
        stint__client_call_unref(call);
    }
}

bool stint__client_call_detach(struct stint__client_call *call)
{
    bool waited = false;
    if (atomic_load(&call->place) == STINT__PLACE_WAITING) {
        pthread_mutex_lock(&call->ch->mutex);
        if (atomic_load(&call->place) == STINT__PLACE_WAITING) {
            stint__list_unlink(&call->waiting_link);
            note_backlog_locked(call->ch);
            atomic_store(&call->place, STINT__PLACE_NOWHERE);
            waited = true;
        }
        pthread_mutex_unlock(&call->ch->mutex);
    }
    if (waited)
        stint__client_call_unref(call);
    else
        abandon(call);
    return waited;
}

static struct stint__client_call *call_of(struct stint__exchange *x)
{
    return STINT__CONTAINER_OF(x, struct stint__client_call, exchange);
}

static void on_reply(struct stint__exchange *x, const struct stint__incoming *in)
{
    struct stint__client_call *call = call_of(x);
    atomic_store(&call->place, STINT__PLACE_OVER);
    stint__client_call_learn(call, in);
    if (stint__client_call_claim(call)) {
        stint__client_call_take_reply(call, in);
        stint__client_call_finish(call);
    } else {
        atomic_fetch_add_explicit(&call->ch->counters.late_replies, 1, memory_order_relaxed);
    }
    stint__client_call_unref(call);
}

/* Takes the request of a lost exchange out of its place, which is returned: SENT, SUBMITTING or
 * ABANDONED. */
static int take_back(struct stint__client_call *call, bool bounce)
{
    int place = STINT__PLACE_SENT;
    int to = STINT__PLACE_OVER;
    while (!atomic_compare_exchange_strong(&call->place, &place, to))
        to = bounce && place == STINT__PLACE_SUBMITTING ? STINT__PLACE_BOUNCED : STINT__PLACE_OVER;
    return place;
}

/* The connection broke. What was never given to it may go over the next one; if the submitter is
 * not done yet, that is for it to see to, with the reference that it gave away. */
static void on_lost(struct stint__exchange *x, const stint_error *error)
{
    struct stint__client_call *call = call_of(x);
    bool unsent = error->not_executed;
    int place = take_back(call, unsent);
    if (unsent && place == STINT__PLACE_SUBMITTING)
        return; /* where the call may be gone by now */
    stint_error err = *error;
    if (unsent && place == STINT__PLACE_SENT && !atomic_load(&call->ch->closing) &&
        atomic_load(&call->state) == STINT__CALL_PENDING) {
        bool parked;
        stint__client_call_ref(call);
        atomic_store(&call->place, STINT__PLACE_SUBMITTING);
        bool again = send_or_park(call, false, &parked, &err);
        stint__client_call_unref(call);
        if (again)
            return;
    }
    if (err.reason == STINT_REASON_CHANNEL_CLOSED)
        err.code = STINT_CANCELLED;
    end_unsent(call, &err);
    stint__client_call_unref(call);
}

const struct stint__exchange_ops stint__client_call_exchange_ops = {on_reply, on_lost};
