/* envelope.c - the envelope, to protobuf bytes and back.
 *
 * Written by hand because it is on the path of every call: no allocation, no copy of the payload,
 * every bound checked while reading. Two lists must agree with envelope.proto: encode(), and the
 * table `specs` that decoding follows.
 *
 * Invariants: encode() visits the fields in the order of their numbers, so the payload is last;
 * with the same envelope it counts exactly as many bytes as it writes. A decoded envelope was
 * within every limit of envelope.h. There is no state here. */
#include "envelope.h"

#include <string.h>

#include <stint/request.h>

#include "field.h"
#include "ledger.h"
#include "malformed.h"
#include "writer.h"

enum number {
    METADATA = 16,
    PAYLOAD = 100,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
};

#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE  8

/* ---- encoding ---- */

static struct writer put_entry(struct writer w, const stint_metadata_entry *entry)
{
    w = put_bytes(w, ENTRY_KEY, entry->key, strlen(entry->key));
    return put_bytes(w, ENTRY_VALUE, entry->value, entry->value_len);
}

static struct writer put_metadata(struct writer w, const stint_metadata *md)
{
    size_t count = stint_metadata_count(md);
    for (size_t i = 0; i < count; i++) {
        const stint_metadata_entry *entry = stint_metadata_at(md, i);
        w = put_tag(w, METADATA, STINT__WIRE_LEN);
        w = put_varint(w, put_entry((struct writer){0}, entry).n);
        w = put_entry(w, entry);
    }
    return w;
}

WRITER struct writer encode(struct writer w, const struct stint__envelope *e)
{
    w = put_uint(w, 1, e->kind != 0, e->kind);
    w = put_uint(w, 2, e->call_id != 0, e->call_id);
    w = put_uint(w, 3, e->features != 0, e->features);
    w = put_slice(w, 4, e->method);
    w = put_uint(w, 5, e->has_budget, e->budget_us);
    w = put_bytes(w, 6, e->trace_id, TRACE_ID_SIZE);
    w = put_bytes(w, 7, e->span_id, SPAN_ID_SIZE);
    w = put_slice(w, 8, e->request_id);
    w = put_uint(w, 9, e->hop != 0, e->hop);
    w = put_uint(w, 10, e->attempt != 0, e->attempt);
    w = put_uint(w, 11, e->criticality != 0, e->criticality);
    w = put_fixed64(w, 12, e->sent_boottime_ns);
    w = put_fixed64(w, 13, e->boot_domain);
    w = put_uint(w, 14, e->max_message != 0, e->max_message);
    w = put_uint(w, 15, e->want_ledger, 1);
    if (e->metadata != NULL)
        w = put_metadata(w, e->metadata);
    w = put_uint(w, 17, e->probe, 1);
    w = put_uint(w, 20, e->code != 0, e->code);
    w = put_slice(w, 21, e->message);
    w = put_slice(w, 22, e->details);
    w = put_uint(w, 23, e->not_executed, 1);
    w = put_uint(w, 24, e->pushback_us != 0, e->pushback_us);
    w = put_uint(w, 25, e->needed_us != 0, e->needed_us);
    w = put_uint(w, 26, e->reason != 0, e->reason);
    w = put_slice(w, 27, e->ledger);
    w = put_uint(w, 28, e->asked_us != 0, e->asked_us);
    if (e->has_payload)
        w = put_varint(put_tag(w, PAYLOAD, STINT__WIRE_LEN), e->payload.len);
    return w;
}

size_t stint__envelope_header_size(const struct stint__envelope *e)
{
    return encode((struct writer){0}, e).n;
}

uint8_t *stint__envelope_encode_header(const struct stint__envelope *e, uint8_t *out)
{
    return out + encode((struct writer){.out = out}, e).n;
}

/* ---- decoding ---- */

enum form {
    FORM_UINT32,
    FORM_UINT64,
    FORM_BOOL,
    FORM_BUDGET,
    FORM_ID,
    FORM_TEXT,
    FORM_BYTES,
    FORM_ENTRY,
};

/* How a field is read, and into which member. */
struct spec {
    const char *name; /* NULL: not a field of ours */
    size_t offset;
    uint32_t limit; /* of its bytes; for an ID, exactly */
    enum form form;
    enum stint__wire_type wire_type;
};

#define SPEC(member_, wire_, form_, limit_)                                                        \
    {                                                                                              \
        .name = #member_, .offset = offsetof(struct stint__envelope, member_), .limit = (limit_),  \
        .form = FORM_##form_, .wire_type = STINT__WIRE_##wire_                                     \
    }

static const struct spec specs[PAYLOAD + 1] = {
    [1] = SPEC(kind, VARINT, UINT32, 0),
    [2] = SPEC(call_id, VARINT, UINT64, 0),
    [3] = SPEC(features, VARINT, UINT32, 0),
    [4] = SPEC(method, LEN, TEXT, STINT__METHOD_MAX),
    [5] = SPEC(budget_us, VARINT, BUDGET, 0),
    [6] = SPEC(trace_id, LEN, ID, TRACE_ID_SIZE),
    [7] = SPEC(span_id, LEN, ID, SPAN_ID_SIZE),
    [8] = SPEC(request_id, LEN, TEXT, STINT_REQUEST_ID_MAX),
    [9] = SPEC(hop, VARINT, UINT32, 0),
    [10] = SPEC(attempt, VARINT, UINT32, 0),
    [11] = SPEC(criticality, VARINT, UINT32, 0),
    [12] = SPEC(sent_boottime_ns, I64, UINT64, 0),
    [13] = SPEC(boot_domain, I64, UINT64, 0),
    [14] = SPEC(max_message, VARINT, UINT64, 0),
    [15] = SPEC(want_ledger, VARINT, BOOL, 0),
    [METADATA] = SPEC(metadata, LEN, ENTRY, 0),
    [17] = SPEC(probe, VARINT, BOOL, 0),
    [20] = SPEC(code, VARINT, UINT32, 0),
    [21] = SPEC(message, LEN, TEXT, STINT__MESSAGE_MAX),
    [22] = SPEC(details, LEN, BYTES, STINT__DETAILS_MAX),
    [23] = SPEC(not_executed, VARINT, BOOL, 0),
    [24] = SPEC(pushback_us, VARINT, UINT64, 0),
    [25] = SPEC(needed_us, VARINT, UINT64, 0),
    [26] = SPEC(reason, VARINT, UINT32, 0),
    [27] = SPEC(ledger, LEN, BYTES, STINT__LEDGER_BYTES_MAX),
    [28] = SPEC(asked_us, VARINT, UINT64, 0),
    [PAYLOAD] = SPEC(payload, LEN, BYTES, INT32_MAX),
};

struct decoder {
    struct stint__envelope *e;
    stint_error *err;
    uint64_t seen; /* bit n: field n was there; the payload ends decoding and needs none */
    size_t metadata_bytes;
};

static stint_code entry_error(stint_error *err, const char *what)
{
    stint__malformed(err, "envelope: a metadata entry %s", what);
    return STINT_INVALID_ARGUMENT;
}

/* Splits a metadata entry; its key is checked for length only. */
static stint_code decode_entry(struct stint__slice bytes, struct stint__slice *ret_key,
                               struct stint__slice *ret_value, stint_error *err)
{
    *ret_key = *ret_value = (struct stint__slice){0};
    struct stint__reader r;
    stint__reader_init(&r, bytes.data, bytes.len);
    while (stint__reader_left(&r) > 0) {
        struct stint__field in;
        const char *problem = stint__field_read(&r, &in);
        if (problem != NULL)
            return entry_error(err, problem);
        if (in.number != ENTRY_KEY && in.number != ENTRY_VALUE)
            continue;
        struct stint__slice *part = in.number == ENTRY_KEY ? ret_key : ret_value;
        if (in.wire_type != STINT__WIRE_LEN || part->data != NULL)
            return entry_error(err, "has a key or value of a wrong wire type, or two of them");
        *part = in.bytes;
    }
    if (ret_key->len == 0 || ret_key->len > STINT_METADATA_MAX_KEY)
        return entry_error(err, "has no key or one that is too long");
    return STINT_OK;
}

static stint_code count_entry(struct decoder *d, struct stint__slice bytes)
{
    struct stint__slice key;
    struct stint__slice value;
    stint_code code = decode_entry(bytes, &key, &value, d->err);
    if (code != STINT_OK)
        return code;
    if (!stint__utf8_valid(key))
        return entry_error(d->err, "has a key that is not UTF-8 or holds a NUL");
    d->e->n_metadata++;
    d->metadata_bytes += key.len + value.len;
    if (d->e->n_metadata > STINT_METADATA_MAX_ENTRIES ||
        d->metadata_bytes > STINT_METADATA_MAX_BYTES)
        return stint__malformed(d->err, "envelope: more than %d entries or %d bytes of metadata",
                                STINT_METADATA_MAX_ENTRIES, STINT_METADATA_MAX_BYTES);
    return STINT_OK;
}

static stint_code store_uint32(const struct spec *s, uint32_t *member, uint64_t value,
                               stint_error *err)
{
    if (value > UINT32_MAX)
        return stint__malformed(err, "envelope: %s is out of range", s->name);
    *member = (uint32_t)value;
    return STINT_OK;
}

static stint_code store_bytes(const struct spec *s, struct stint__slice *member,
                              struct stint__slice bytes, stint_error *err)
{
    if (bytes.len > s->limit)
        return stint__malformed(err, "envelope: %s has %zu bytes; at most %u are accepted", s->name,
                                bytes.len, s->limit);
    if (s->form == FORM_TEXT && !stint__utf8_valid(bytes))
        return stint__malformed(err, "envelope: %s is not UTF-8 or holds a NUL", s->name);
    *member = bytes;
    return STINT_OK;
}

static stint_code store(struct decoder *d, const struct spec *s, const struct stint__field *in)
{
    void *member = (char *)d->e + s->offset;
    switch (s->form) {
    case FORM_UINT32:
        return store_uint32(s, member, in->value, d->err);
    case FORM_UINT64:
        *(uint64_t *)member = in->value;
        return STINT_OK;
    case FORM_BOOL:
        *(bool *)member = in->value != 0;
        return STINT_OK;
    case FORM_BUDGET:
        d->e->has_budget = true;
        d->e->budget_us = in->value < STINT__BUDGET_US_MAX ? in->value : STINT__BUDGET_US_MAX;
        return STINT_OK;
    case FORM_ID:
        if (in->bytes.len != s->limit)
            return stint__malformed(d->err, "envelope: %s has %zu bytes, not %u", s->name,
                                    in->bytes.len, s->limit);
        *(const uint8_t **)member = in->bytes.data;
        return STINT_OK;
    case FORM_TEXT:
    case FORM_BYTES:
        return store_bytes(s, member, in->bytes, d->err);
    case FORM_ENTRY:
        return count_entry(d, in->bytes);
    }
    return STINT_OK;
}

static const struct spec *find_spec(uint32_t number)
{
    return number <= PAYLOAD && specs[number].name != NULL ? &specs[number] : NULL;
}

static stint_code decode_field(struct decoder *d, const struct stint__field *in)
{
    const struct spec *s = find_spec(in->number);
    if (s == NULL)
        return STINT_OK;
    if (in->wire_type != s->wire_type)
        return stint__malformed(d->err, "envelope: %s has wire type %d, not %d", s->name,
                                (int)in->wire_type, (int)s->wire_type);
    uint64_t bit = in->number < 64 ? UINT64_C(1) << in->number : 0;
    if ((d->seen & bit) != 0 && s->form != FORM_ENTRY)
        return stint__malformed(d->err, "envelope: %s is there twice", s->name);
    d->seen |= bit;
    return store(d, s, in);
}

static stint_code field_error(stint_error *err, uint32_t number, const char *problem)
{
    const struct spec *s = find_spec(number);
    if (s != NULL)
        return stint__malformed(err, "envelope: %s %s", s->name, problem);
    return stint__malformed(err, "envelope: field %u %s", number, problem);
}

stint_code stint__envelope_decode(struct stint__envelope *e, struct stint__slice bytes,
                                  stint_error *err)
{
    *e = (struct stint__envelope){.header = bytes};
    struct decoder d = {.e = e, .err = err};
    struct stint__reader r;
    stint__reader_init(&r, bytes.data, bytes.len);
    while (stint__reader_left(&r) > 0) {
        size_t at = bytes.len - stint__reader_left(&r);
        struct stint__field in;
        const char *problem = stint__field_read(&r, &in);
        if (problem != NULL)
            return field_error(err, in.number, problem);
        stint_code code = decode_field(&d, &in);
        if (code != STINT_OK)
            return code;
        if (in.number == PAYLOAD) {
            e->has_payload = true;
            e->header.len = at;
            if (stint__reader_left(&r) > 0)
                return stint__malformed(err, "envelope: payload is not the last field");
        } else if (bytes.len - stint__reader_left(&r) > STINT__HEADER_MAX) {
            return stint__malformed(err, "envelope: more than %zu bytes before the payload",
                                    STINT__HEADER_MAX);
        }
    }
    if (e->code > STINT_UNAUTHENTICATED)
        e->code = STINT_UNKNOWN;
    return STINT_OK;
}

/* ---- metadata ---- */

static stint_code add_entry(struct stint__slice bytes, stint_metadata *md, stint_error *err)
{
    struct stint__slice key;
    struct stint__slice value;
    stint_code code = decode_entry(bytes, &key, &value, err);
    if (code != STINT_OK)
        return code;
    char text[STINT_METADATA_MAX_KEY + 1];
    memcpy(text, key.data, key.len);
    text[key.len] = '\0';
    return stint_metadata_add(md, text, value.data, value.len, err);
}

stint_code stint__envelope_metadata(const struct stint__envelope *e, stint_metadata *md,
                                    stint_error *err)
{
    struct stint__reader r;
    stint__reader_init(&r, e->header.data, e->header.len);
    for (uint32_t left = e->n_metadata; left > 0;) {
        struct stint__field in;
        const char *problem = stint__field_read(&r, &in);
        if (problem != NULL)
            return field_error(err, in.number, problem);
        if (in.number != METADATA)
            continue;
        left--;
        stint_code code = add_entry(in.bytes, md, err);
        if (code != STINT_OK)
            return code;
    }
    return STINT_OK;
}
