/* call.c - one call from its beginning to the delivery of its outcome.
 *
 * See client_internal.h for the states, places and references. A synchronous call is ended by its
 * own waiting thread when the deadline comes; an asynchronous one by its timer. Cancellation comes
 * through a hook on the context, in a thread that may hold any lock of its caller's: there an
 * asynchronous outcome goes through the channel's delivery timer instead of being delivered on the
 * spot.
 *
 * The order of a launch matters: first the hook, then the request, last the timer. Whoever ends the
 * call finds a hook that is whole; and a timer that was armed too late is disarmed by the launcher
 * itself, which looks at the state once more after arming it. */
#include "client_internal.h"

#include <string.h>

#include "alloc.h"
#include "ledger_list.h"
#include "random.h"

/* Payloads up to this size are packed behind the call, without a buffer of their own. */
#define INLINE_PAYLOAD_MAX ((size_t)1024)

bool stint__client_must_not_block(void)
{
    return stint__transport_in_callback(); /* `deliver` counts as one */
}

void stint__client_call_ref(struct stint__client_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

void stint__client_call_unref(struct stint__client_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (call->thunk == NULL) {
        pthread_cond_destroy(&call->done);
        pthread_mutex_destroy(&call->mutex);
    }
    stint_channel *ch = call->ch;
    stint_ctx_unref(call->ctx);
    stint__buf_unref(call->payload_owner);
    stint__free(call->layers);
    stint__ledger_free(call->own_ledger);
    stint__free(call);
    stint__channel_unref(ch);
}

bool stint__client_call_claim(struct stint__client_call *call)
{
    int expected = STINT__CALL_PENDING;
    return atomic_compare_exchange_strong(&call->state, &expected, STINT__CALL_CLAIMED);
}

/* ---- delivery ---- */

/* The interceptors hear of the end while the reply info, whose ledger they see, is still the
 * call's; whoever hears of it next may use it again. */
static void end_layers(struct stint__client_call *call)
{
    stint__layers_end(call);
    if (call->options.reply != NULL)
        stint__reply_info_release(call->options.reply);
}

/* The last act of an asynchronous call: leaves the channel and consumes the delivery's reference.
 */
static void deliver(struct stint__client_call *call)
{
    const stint_done done = {call->fn, call->arg, call->error.code, call->reply, &call->error};
    stint__transport_enter();
    end_layers(call);
    call->thunk(&done);
    stint__transport_leave();
    stint__channel_leave(call->ch);
    stint__client_call_unref(call);
}

/* The caller of this holds a reference: the waiter's may be gone before it returns. */
static void wake_waiter(struct stint__client_call *call)
{
    pthread_mutex_lock(&call->mutex);
    atomic_store(&call->state, STINT__CALL_DONE);
    pthread_mutex_unlock(&call->mutex);
    /* After the mutex, or the waiter would wake only to wait for it. */
    pthread_cond_signal(&call->done);
}

/* What every outcome goes through before it is delivered. */
static void settle(struct stint__client_call *call)
{
    if (stint__client_call_detach(call))
        call->error.not_executed = true;
    if (call->hooked)
        stint_hook_stop(&call->hook);
    if (call->thunk != NULL && stint__timer_disarm(&call->timer))
        stint__client_call_unref(call);
    stint__client_account_end(call);
    stint__channel_count(call->ch, &call->error);
}

void stint__client_call_finish(struct stint__client_call *call)
{
    settle(call);
    if (call->thunk == NULL)
        wake_waiter(call);
    else
        deliver(call);
}

/* The same where the thread may hold its caller's locks. */
static void finish_elsewhere(struct stint__client_call *call)
{
    stint_channel *ch = call->ch;
    settle(call);
    if (call->thunk == NULL) {
        wake_waiter(call);
        return;
    }
    pthread_mutex_lock(&ch->mutex);
    stint__list_push_back(&ch->undelivered, &call->undelivered_link);
    /* Under the mutex: once the call can be delivered the channel may go. The timer is armed
     * already, so that moving it cannot fail, except when memory ran out just as it had fired: then
     * a delivery here is better than none. */
    bool armed = stint__timer_arm(&ch->delivery, stint_now());
    if (!armed)
        stint__list_unlink(&call->undelivered_link);
    pthread_mutex_unlock(&ch->mutex);
    if (!armed)
        deliver(call);
}

void stint__client_call_deliver_pending(struct stint__timer *t)
{
    stint_channel *ch = STINT__CONTAINER_OF(t, stint_channel, delivery);
    struct stint__list calls, *link;
    stint__list_init(&calls);
    /* Armed again before anything is delivered: the place in the timers that it had is still free,
     * unless somebody else took it; see finish_elsewhere. */
    (void)!stint__timer_arm(t, STINT__END_OF_TIME);
    pthread_mutex_lock(&ch->mutex);
    stint__list_splice(&calls, &ch->undelivered);
    pthread_mutex_unlock(&ch->mutex);
    while ((link = stint__list_pop_front(&calls)) != NULL)
        deliver(STINT__CONTAINER_OF(link, struct stint__client_call, undelivered_link));
}

/* ---- the other ways to end: deadline and cancellation ---- */

static void on_timer(struct stint__timer *t)
{
    struct stint__client_call *call = STINT__CONTAINER_OF(t, struct stint__client_call, timer);
    if (stint__client_call_claim(call)) {
        stint__client_say_expired(call);
        stint__client_call_finish(call);
    }
    stint__client_call_unref(call); /* the armed timer's */
}

static void on_cancel(void *arg)
{
    struct stint__client_call *call = arg;
    if (!stint__client_call_claim(call))
        return;
    stint__client_call_ref(call); /* alive so far, because nobody ends a call while its hook runs */
    stint_ctx_cause(call->ctx, &call->error);
    /* At its deadline the server gives up by itself; one that is given up earlier must be told. */
    if (call->has_deadline && !stint_time_before(stint_now(), call->deadline))
        stint__client_say_expired(call);
    else
        atomic_store(&call->cancel_peer, true);
    finish_elsewhere(call);
    stint__client_call_unref(call);
}

/* ---- beginning ---- */

/* Ends the call after `timeout` at the latest; none if it is not positive. */
static void limit(struct stint__client_call *call, stint_duration timeout)
{
    if (timeout <= 0)
        return;
    stint_time end = stint_time_add(call->start, timeout);
    call->deadline = call->has_deadline ? stint_time_min(call->deadline, end) : end;
    call->has_deadline = true;
}

static void set_deadline(struct stint__client_call *call)
{
    call->has_deadline = stint_ctx_deadline(call->ctx, &call->deadline);
    if (!call->has_deadline)
        limit(call, call->ch->opts.default_timeout);
    limit(call, call->method->timeout);
}

static stint_code set_info(struct stint__client_call *call, stint_error *err)
{
    const stint_request_info *info = stint_ctx_request_info(call->ctx);
    call->info = info != NULL ? *info : stint_request_info_new();
    uint64_t span = stint__random();
    memcpy(call->info.span_id, &span, sizeof span);
    if (call->info.hop >= STINT__HOP_MAX) /* before it is counted on: hops may be the user's own */
        return stint_error_set(
            err, STINT_FAILED_PRECONDITION,
            "%s would be hop %llu of this request: do services call in a circle?",
            call->method->path, (unsigned long long)call->info.hop + 1);
    call->info.hop++;
    return STINT_OK;
}

static stint_code check_ctx(const stint_ctx *ctx, const stint_method *method, stint_error *err)
{
    stint_code code = stint_ctx_err(ctx);
    if (code == STINT_OK)
        return STINT_OK;
    stint_error cause;
    stint_ctx_cause(ctx, &cause);
    stint_error_set(err, code, "%s was not sent: %s", method->path, cause.message);
    err->reason = cause.reason;
    if (cause.reason == STINT_REASON_NONE && code == STINT_DEADLINE_EXCEEDED)
        err->reason = STINT_REASON_EXPIRED_BEFORE_SEND;
    return code;
}

/* Makes the call with its payload packed, in state PENDING, with one reference; synchronous if
 * `then` is NULL. */
static struct stint__client_call *call_new(stint_channel *ch, const stint_method *method,
                                           const ProtobufCMessage *req,
                                           const stint_completion *then, stint_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(req);
    if (size > ch->opts.max_message) {
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                        "the request to %s has %zu bytes; the channel's limit is %zu", method->path,
                        size, ch->opts.max_message);
        err->reason = STINT_REASON_MESSAGE_TOO_LARGE;
        return NULL;
    }
    bool inside = size <= INLINE_PAYLOAD_MAX;
    struct stint__client_call *call = stint__alloc(sizeof *call + (inside ? size : 0));
    struct stint__buf *owner = inside ? NULL : stint__buf_new(size);
    if (call == NULL || (!inside && owner == NULL)) {
        stint__free(call);
        stint__buf_unref(owner);
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    memset(call, 0, sizeof *call);
    uint8_t *payload = inside ? (uint8_t *)(call + 1) : owner->data;
    call->payload_owner = owner;
    call->payload = (struct stint__slice){payload, protobuf_c_message_pack(req, payload)};
    call->exchange.ops = &stint__client_call_exchange_ops;
    stint__list_init(&call->waiting_link);
    stint__list_init(&call->undelivered_link);
    call->ch = ch;
    call->method = method;
    call->start = stint_now();
    call->needed = -1;
    call->call_id = atomic_fetch_add_explicit(&ch->next_call_id, 1, memory_order_relaxed);
    atomic_init(&call->refs, 1);
    if (then == NULL) {
        pthread_mutex_init(&call->mutex, NULL);
        stint__cond_init(&call->done);
        return call;
    }
    call->thunk = then->thunk;
    call->fn = then->fn;
    call->arg = then->arg;
    stint__timer_init(&call->timer, on_timer);
    return call;
}

/* Fills in what the context says, and lets the interceptors speak. */
static stint_code call_prepare(struct stint__client_call *call, const stint_ctx *ctx,
                               stint_error *err)
{
    call->ctx = stint_ctx_ref(ctx);
    stint_code code = STINT_OK;
    if (call->ch->n_interceptors > 0)
        code = stint__layers_begin(call, err);
    if (code != STINT_OK)
        return code;
    stint__client_account_begin(call);
    stint_call_options options = stint__client_call_options_of(call->ctx, call->ch);
    if (options.reply != NULL && !stint__reply_info_take(options.reply))
        return stint_error_set(err, STINT_FAILED_PRECONDITION,
                               "the stint_reply_info for %s is in use by another call",
                               call->method->path);
    call->options = options; /* from here on the reply info is ours to release */
    call->want_ledger = stint__client_ledger_wanted(call);
    set_deadline(call);
    return set_info(call, err);
}

/* Undoes a call that its caller is told about by the return value. */
static stint_code call_refuse(struct stint__client_call *call, stint_error *err)
{
    err->not_executed = true;
    if (err->origin == STINT_ORIGIN_NONE)
        err->origin = STINT_ORIGIN_LOCAL;
    call->error = *err;
    stint__client_account_end(call);
    end_layers(call);
    stint__channel_count(call->ch, err);
    stint__channel_leave(call->ch);
    stint__client_call_unref(call);
    return err->code;
}

/* Arms the deadline of an asynchronous call that has been sent. */
static void arm_timer(struct stint__client_call *call)
{
    if (!call->has_deadline || atomic_load(&call->state) != STINT__CALL_PENDING)
        return;
    stint__client_call_ref(call);
    if (stint__timer_arm(&call->timer, call->deadline)) {
        if (atomic_load(&call->state) != STINT__CALL_PENDING && stint__timer_disarm(&call->timer))
            stint__client_call_unref(call);
        return;
    }
    stint__client_call_unref(call);
    if (stint__client_call_claim(call)) {
        atomic_store(&call->cancel_peer, true);
        stint_error_set(&call->error, STINT_RESOURCE_EXHAUSTED,
                        "out of memory for the deadline of %s", call->method->path);
        finish_elsewhere(call);
    }
}

/* Watches for cancellation, and sends. From then on the outcome comes through the call; or, when a
 * code other than OK is returned, the call is claimed by us and has not begun. */
static stint_code launch(struct stint__client_call *call, stint_error *err)
{
    stint_code code = STINT_OK;
    call->hooked = !stint__ctx_is_eternal(call->ctx);
    if (call->hooked && !stint__ctx_after_cancel(call->ctx, &call->hook, on_cancel, call)) {
        call->hooked = false;
        code = check_ctx(call->ctx, call->method, err);
    }
    if (code == STINT_OK)
        code = stint__client_call_submit(call, err);
    if (code == STINT_OK)
        return STINT_OK;
    if (!stint__client_call_claim(call)) { /* something else has ended it and will deliver */
        stint_error_clear(err);
        return STINT_OK;
    }
    if (call->hooked)
        stint_hook_stop(&call->hook);
    return code;
}

/* Refuses a call that has not been made yet. */
static struct stint__client_call *refuse_early(stint_channel *ch, stint_error *err)
{
    err->not_executed = true;
    stint__channel_count(ch, err);
    return NULL;
}

/* Makes a call that is ready to be launched. NULL: refused, and *err says why. */
static struct stint__client_call *call_begin(const stint_ctx *ctx, stint_channel *ch,
                                             const stint_method *method,
                                             const ProtobufCMessage *req,
                                             const stint_completion *then, stint_error *err)
{
    stint_error_clear(err);
    stint__client_empty_reply(ctx);
    atomic_fetch_add_explicit(&ch->counters.calls, 1, memory_order_relaxed);
    if (check_ctx(ctx, method, err) != STINT_OK)
        return refuse_early(ch, err);
    if (stint__channel_enter(ch, err) != STINT_OK)
        return NULL;
    struct stint__client_call *call = call_new(ch, method, req, then, err);
    if (call == NULL) {
        refuse_early(ch, err);
        stint__channel_leave(ch);
        stint__channel_unref(ch);
        return NULL;
    }
    if (call_prepare(call, ctx, err) == STINT_OK)
        return call;
    call_refuse(call, err);
    return NULL;
}

/* ---- the two forms ---- */

stint_code stint_invoke_async(const stint_ctx *ctx, stint_channel *ch, const stint_method *method,
                              const ProtobufCMessage *req, const stint_completion *then,
                              stint_error *err)
{
    stint_error local;
    err = err != NULL ? err : &local;
    struct stint__client_call *call = call_begin(ctx, ch, method, req, then, err);
    if (call == NULL)
        return err->code;
    stint__client_call_ref(call); /* ours: the call may end before we are done with it */
    stint_code code = launch(call, err);
    if (code == STINT_OK)
        arm_timer(call);
    else
        call_refuse(call, err);
    stint__client_call_unref(call);
    return code;
}

/* Sleeps until the call is done; ends it itself when the deadline comes first. */
static void await(struct stint__client_call *call)
{
    stint_time until = call->has_deadline ? call->deadline : STINT__END_OF_TIME;
    pthread_mutex_lock(&call->mutex);
    while (atomic_load(&call->state) != STINT__CALL_DONE) {
        if (stint__cond_wait_until(&call->done, &call->mutex, until))
            continue;
        pthread_mutex_unlock(&call->mutex);
        until = STINT__END_OF_TIME; /* whoever has claimed it meanwhile is about to finish it */
        if (stint__client_call_claim(call)) {
            stint__client_say_expired(call);
            stint__client_call_finish(call);
        }
        pthread_mutex_lock(&call->mutex);
    }
    pthread_mutex_unlock(&call->mutex);
}

stint_code stint_invoke(const stint_ctx *ctx, stint_channel *ch, const stint_method *method,
                        const ProtobufCMessage *req, ProtobufCMessage **ret_reply, stint_error *err)
{
    stint_error local;
    err = err != NULL ? err : &local;
    *ret_reply = NULL;
    if (stint__client_must_not_block()) {
        stint__client_empty_reply(ctx);
        stint_error_set(err, STINT_FAILED_PRECONDITION,
                        "blocking call of %s in a thread that must not block: use the async stub",
                        method->path);
        err->reason = STINT_REASON_WOULD_DEADLOCK;
        err->not_executed = true;
        return STINT_FAILED_PRECONDITION;
    }
    struct stint__client_call *call = call_begin(ctx, ch, method, req, NULL, err);
    if (call == NULL)
        return err->code;
    stint_code code = launch(call, err);
    if (code != STINT_OK)
        return call_refuse(call, err);
    await(call);
    end_layers(call);
    code = call->error.code;
    *err = call->error;
    *ret_reply = call->reply;
    stint__channel_leave(ch);
    stint__client_call_unref(call);
    return code;
}
