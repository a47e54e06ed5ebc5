/* envelope_pb.c - envelopes beside what protobuf's own generated code makes of them. */
#include "envelope_pb.h"

#include <string.h>

#include "ledger.h"

static bool same_bytes(struct stint__slice s, const void *data, size_t len)
{
    return s.len == len && (len == 0 || memcmp(s.data, data, len) == 0);
}

static bool same_text(struct stint__slice s, const char *text)
{
    return same_bytes(s, text, text != NULL ? strlen(text) : 0);
}

static bool same_id(const uint8_t *id, protobuf_c_boolean has, ProtobufCBinaryData pb)
{
    return has ? id != NULL && memcmp(id, pb.data, pb.len) == 0 : id == NULL;
}

static bool same_budget(const struct stint__envelope *e, const Stint__Rpc__V1__Envelope *pb)
{
    uint64_t us = pb->budget_us < STINT__BUDGET_US_MAX ? pb->budget_us : STINT__BUDGET_US_MAX;
    return e->has_budget == (pb->has_budget_us != 0) && (!e->has_budget || e->budget_us == us);
}

/* Metadata whose keys the list refuses cannot be compared. */
static bool same_metadata(const struct stint__envelope *e, const Stint__Rpc__V1__Envelope *pb)
{
    if (e->n_metadata != pb->n_metadata)
        return false;
    stint_metadata *md = stint_metadata_new();
    bool same = md != NULL;
    if (same && stint__envelope_metadata(e, md, NULL) == STINT_OK) {
        same = stint_metadata_count(md) == pb->n_metadata;
        for (size_t i = 0; same && i < pb->n_metadata; i++) {
            const stint_metadata_entry *entry = stint_metadata_at(md, i);
            struct stint__slice value = {entry->value, entry->value_len};
            same = strcmp(entry->key, pb->metadata[i]->key) == 0 &&
                   same_bytes(value, pb->metadata[i]->value.data, pb->metadata[i]->value.len);
        }
    }
    stint_metadata_free(md);
    return same;
}

bool ledger_is_sound(struct stint__slice bytes)
{
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem;
    int more;
    stint__ledger_reader_init(&r, bytes);
    while ((more = stint__ledger_next(&r, &raw, &problem)) > 0)
        ;
    return more == 0;
}

/* protobuf-c keeps a state that it does not know. */
static bool same_state(stint_ledger_state state, int pb)
{
    return pb >= 0 && pb <= STINT_LEDGER_UNDER_WAY ? state == (stint_ledger_state)pb
                                                   : state == STINT_LEDGER_OPAQUE;
}

static bool same_span(stint_duration d, uint64_t us)
{
    uint64_t most = STINT__BUDGET_US_MAX / 4;
    return (uint64_t)d == (us < most ? us : most) * 1000;
}

static bool same_had(const stint_ledger_entry *e, const Stint__Rpc__V1__LedgerEntry *pb)
{
    if (pb->has_had_us)
        return same_span(e->had, pb->had_us);
    return e->had == (e->state == STINT_LEDGER_ANSWERED ? STINT_DURATION_FOREVER : 0);
}

static bool same_entry(const struct stint__ledger_raw *raw, const Stint__Rpc__V1__LedgerEntry *pb)
{
    const stint_ledger_entry *e = &raw->entry;
    uint32_t code = pb->code <= STINT_UNAUTHENTICATED ? pb->code : STINT_UNKNOWN;
    return e->depth == pb->depth && same_state(e->state, (int)pb->state) &&
           (uint32_t)e->code == code && same_text(raw->service, pb->service) &&
           same_text(raw->method, pb->method) && same_text(raw->target, pb->target) &&
           same_span(e->start, pb->start_us) && same_span(e->elapsed, pb->elapsed_us) &&
           same_span(e->transit, pb->transit_us) && same_span(e->outbound, pb->outbound_us) &&
           e->retries == pb->retries && same_span(e->backoff, pb->backoff_us) && same_had(e, pb) &&
           same_span(e->queue, pb->queue_us) && same_span(e->handler, pb->handler_us) &&
           same_span(e->reserve, pb->reserve_us) && e->used == e->queue + e->handler;
}

bool ledger_is_same(struct stint__slice bytes, const Stint__Rpc__V1__Ledger *pb)
{
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem;
    int more = 0;
    size_t n = 0;
    stint__ledger_reader_init(&r, bytes);
    while ((more = stint__ledger_next(&r, &raw, &problem)) > 0) {
        if (n == pb->n_entries || !same_entry(&raw, pb->entries[n++]))
            return false;
    }
    return more == 0 && n == pb->n_entries && r.dropped == pb->dropped;
}

/* An empty ledger is as none: it is not encoded. */
static bool same_ledger(const struct stint__envelope *e, const Stint__Rpc__V1__Envelope *pb)
{
    if (pb->ledger == NULL)
        return e->ledger.len == 0;
    return !ledger_is_sound(e->ledger) || ledger_is_same(e->ledger, pb->ledger);
}

const char *envelope_difference(const struct stint__envelope *e, const Stint__Rpc__V1__Envelope *pb)
{
    const struct {
        const char *name;
        bool same;
    } checks[] = {
        {"kind", e->kind == (uint32_t)pb->kind},
        {"call_id", e->call_id == pb->call_id},
        {"features", e->features == pb->features},
        {"method", same_text(e->method, pb->method)},
        {"budget_us", same_budget(e, pb)},
        {"trace_id", same_id(e->trace_id, pb->has_trace_id, pb->trace_id)},
        {"span_id", same_id(e->span_id, pb->has_span_id, pb->span_id)},
        {"request_id", same_text(e->request_id, pb->request_id)},
        {"hop", e->hop == pb->hop},
        {"attempt", e->attempt == pb->attempt},
        {"criticality", e->criticality == (uint32_t)pb->criticality},
        {"sent_boottime_ns", e->sent_boottime_ns == pb->sent_boottime_ns},
        {"boot_domain", e->boot_domain == pb->boot_domain},
        {"max_message", e->max_message == pb->max_message},
        {"want_ledger", e->want_ledger == (pb->want_ledger != 0)},
        {"metadata", same_metadata(e, pb)},
        {"code", e->code == (pb->code <= STINT_UNAUTHENTICATED ? pb->code : STINT_UNKNOWN)},
        {"message", same_text(e->message, pb->message)},
        {"details", same_bytes(e->details, pb->details.data, pb->details.len)},
        {"not_executed", e->not_executed == (pb->not_executed != 0)},
        {"pushback_us", e->pushback_us == pb->pushback_us},
        {"needed_us", e->needed_us == pb->needed_us},
        {"asked_us", e->asked_us == pb->asked_us},
        {"probe", e->probe == (pb->probe != 0)},
        {"reason", e->reason == pb->reason},
        {"ledger", same_ledger(e, pb)},
        {"has_payload", e->has_payload == (pb->has_payload != 0)},
        {"payload", same_bytes(e->payload, pb->payload.data, pb->payload.len)},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (!checks[i].same)
            return checks[i].name;
    }
    return NULL;
}
