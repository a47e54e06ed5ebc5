/* reply.c - what comes back: the status, the message, and what was carried beside it. */
#include "client_internal.h"

#include <string.h>

#include "alloc.h"
#include "ledger_list.h"
#include "message.h"

/* A decoded message may take this many times the size limit of its bytes: protobuf-c spends up to
 * two orders of magnitude more memory than it reads on hostile input. */
#define MEMORY_FACTOR 16
#define MEMORY_SLACK  ((size_t)64 * 1024)

struct stint_reply_info {
    atomic_bool busy; /* a call under way will fill it */
    stint_metadata *metadata;
    void *details;
    size_t details_len;
    stint_ledger *ledger; /* kept for the next call */
    bool has_ledger;
};

stint_reply_info *stint_reply_info_new(void)
{
    return stint__alloc_zeroed(sizeof(stint_reply_info));
}

static void info_clear(stint_reply_info *info)
{
    stint_metadata_free(info->metadata);
    stint__free(info->details);
    info->metadata = NULL;
    info->details = NULL;
    info->details_len = 0;
    info->has_ledger = false;
}

bool stint__reply_info_take(stint_reply_info *info)
{
    if (atomic_exchange(&info->busy, true))
        return false;
    info_clear(info);
    return true;
}

void stint__reply_info_release(stint_reply_info *info)
{
    atomic_store(&info->busy, false);
}

void stint_reply_info_free(stint_reply_info *info)
{
    if (info == NULL)
        return;
    info_clear(info);
    stint__ledger_free(info->ledger);
    stint__free(info);
}

const stint_metadata *stint_reply_info_metadata(const stint_reply_info *info)
{
    return info->metadata;
}

const void *stint_reply_info_details(const stint_reply_info *info, size_t *ret_len)
{
    *ret_len = info->details_len;
    return info->details;
}

const stint_ledger *stint_reply_info_ledger(const stint_reply_info *info)
{
    return info != NULL && info->has_ledger ? info->ledger : NULL;
}

stint_ledger *stint__reply_info_own_ledger(stint_reply_info *info)
{
    if (info->ledger == NULL)
        info->ledger = stint__ledger_new(STINT_LEDGER_MAX);
    else
        stint__ledger_clear(info->ledger);
    info->has_ledger = info->ledger != NULL;
    return info->ledger;
}

static stint_code info_fill(stint_reply_info *info, const struct stint__envelope *e,
                            stint_error *err)
{
    if (e->details.len > 0) {
        info->details = stint__alloc(e->details.len);
        if (info->details == NULL)
            return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for a reply");
        memcpy(info->details, e->details.data, e->details.len);
        info->details_len = e->details.len;
    }
    if (e->n_metadata == 0)
        return STINT_OK;
    info->metadata = stint_metadata_new();
    if (info->metadata == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for a reply");
    return stint__envelope_metadata(e, info->metadata, err);
}

/* It is the reply that is wrong, not the request: INVALID_ARGUMENT would blame the caller. */
static void blame_the_reply(stint_error *err)
{
    if (err->code == STINT_INVALID_ARGUMENT)
        err->code = STINT_INTERNAL;
    err->origin = STINT_ORIGIN_LOCAL;
}

/* A failure that the peer reports. */
static void take_failure(const struct stint__envelope *e, stint_error *err)
{
    stint_error_set(err, (stint_code)e->code, "%.*s", (int)e->message.len,
                    (const char *)e->message.data);
    err->origin = STINT_ORIGIN_PEER;
    err->reason = (stint_reason)e->reason;
    err->not_executed = e->not_executed;
    uint64_t pushback = e->pushback_us < STINT__BUDGET_US_MAX ? e->pushback_us : 0;
    err->pushback = STINT_US(pushback);
}

void stint__client_call_take_reply(struct stint__client_call *call,
                                   const struct stint__incoming *in)
{
    const struct stint__envelope *e = &in->env;
    stint_error *err = &call->error;
    if (e->needed_us > 0 && e->needed_us < STINT__BUDGET_US_MAX)
        call->needed = STINT_US((stint_duration)e->needed_us);
    /* A reply that was read by the deadline beats it, even when it is looked at later. */
    if (call->has_deadline && stint_time_before(call->deadline, in->read_at)) {
        stint__client_say_late(call, stint_time_sub(in->read_at, call->deadline));
        return;
    }
    stint_error_clear(err);
    if (call->want_ledger)
        stint__client_ledger_read(call, in->read_at, e->ledger);
    if (call->options.reply != NULL && info_fill(call->options.reply, e, err) != STINT_OK) {
        blame_the_reply(err);
        return;
    }
    if (e->code != STINT_OK) {
        take_failure(e, err);
        stint__client_say_after(call, err);
        return;
    }
    size_t memory = call->ch->opts.max_message * MEMORY_FACTOR + MEMORY_SLACK;
    call->reply = stint__message_unpack(call->method->reply, e->payload, memory, err);
    if (call->reply == NULL)
        blame_the_reply(err);
}
