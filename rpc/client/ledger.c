/* ledger.c - the ledger of a call: what the server's reply says of itself and of what is below it,
 * and what the client itself knows.
 *
 * It is put together in the reply info, if the caller gave one, else in memory of the call's own;
 * from there it goes to the served call that this one is part of, and to the interceptors. A ledger
 * that cannot be read does not spoil its reply: the first entry says OPAQUE then, and the channel
 * counts it. Only whoever has claimed the call, or made it, comes here. */
#include <string.h>

#include "client_internal.h"
#include "ledger.h"
#include "ledger_list.h"

bool stint__client_ledger_wanted(const struct stint__client_call *call)
{
    uint32_t one_in = call->ch->opts.ledger_one_in;
    return call->options.ledger || (one_in > 0 && call->call_id % one_in == 0) ||
           stint__record_wants_ledger(call->ctx);
}

/* Where to put it together; NULL: nobody would see it, or out of memory. */
static stint_ledger *ledger_of(struct stint__client_call *call)
{
    if (call->ledger != NULL)
        return call->ledger;
    if (call->options.reply != NULL)
        call->ledger = stint__reply_info_own_ledger(call->options.reply);
    else if (call->record != NULL || call->ch->n_interceptors > 0)
        call->ledger = call->own_ledger = stint__ledger_new(STINT_LEDGER_MAX);
    return call->ledger;
}

static void add(stint_ledger *l, struct stint__ledger_raw *raw)
{
    raw->entry.service = stint__ledger_text(l, raw->service);
    raw->entry.method = stint__ledger_text(l, raw->method);
    raw->entry.target = stint__ledger_text(l, raw->target);
    stint__ledger_add(l, &raw->entry);
}

void stint__client_ledger_read(struct stint__client_call *call, stint_time at,
                               struct stint__slice bytes)
{
    call->replied = true;
    call->replied_at = at;
    stint_ledger *l = bytes.len > 0 ? ledger_of(call) : NULL;
    if (l == NULL)
        return;
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem = NULL;
    int more;
    stint__ledger_reader_init(&r, bytes);
    while ((more = stint__ledger_next(&r, &raw, &problem)) > 0)
        add(l, &raw);
    if (more == 0) {
        l->dropped += r.dropped < UINT32_MAX - l->dropped ? r.dropped : 0;
        return;
    }
    stint__ledger_clear(l);
    atomic_fetch_add_explicit(&call->ch->counters.bad_ledgers, 1, memory_order_relaxed);
    stint__log_write(&call->ch->logger, stint_now(), STINT_LOG_WARN,
                     "%s: the ledger of %s cannot be read: %s", call->ch->target,
                     call->method->path, problem);
}

static stint_ledger_state state_of(const struct stint__client_call *call)
{
    if (call->replied)
        return STINT_LEDGER_OPAQUE;
    return call->error.not_executed ? STINT_LEDGER_NOT_SENT : STINT_LEDGER_NO_REPLY;
}

static stint_duration between(stint_duration low, stint_duration d, stint_duration high)
{
    return d < low ? low : d > high ? high : d;
}

/* What the client knows, into the first entry. */
static void complete(struct stint__client_call *call, stint_ledger *l, stint_time ended)
{
    if (l->count == 0)
        stint__ledger_add(l, &(stint_ledger_entry){.state = state_of(call)});
    stint_ledger_entry *e = &l->entries[0];
    const char *target = stint__ledger_copy(l, call->ch->target);
    e->method = call->method->path;
    e->target = target != NULL ? target : "";
    e->code = call->error.code;
    e->start = 0;
    e->elapsed = between(0, stint_time_sub(ended, call->start), INT64_MAX);
    if (e->state != STINT_LEDGER_ANSWERED)
        return;
    e->transit = between(0, e->elapsed - e->used, e->elapsed);
    e->outbound = e->outbound > 0 ? between(0, e->outbound, e->transit) : e->transit / 2;
}

void stint__client_ledger_finish(struct stint__client_call *call)
{
    stint_ledger *l = ledger_of(call);
    if (l == NULL)
        return;
    complete(call, l, call->replied ? call->replied_at : stint_now());
    if (call->record != NULL)
        stint__record_add(call->record, l, call->start);
}
