/* ledger.c - the ledger of a reply, to protobuf bytes and back; written by hand like the envelope's
 * codec, and as strict.
 *
 * Two lists must agree with envelope.proto: encode(), and the table `specs` that decoding follows.
 *
 * Invariants: entries that were read form one tree in preorder: the first has depth 0, each other
 * one at least 1 and at most one more than the entry before it. Spans fit in a stint_duration,
 * texts are within their limits and UTF-8 without NUL. There is no state here. */
#include "ledger.h"

#include "envelope.h"
#include "writer.h"

enum number {
    ENTRIES = 1,
    DROPPED = 2,
    HAD = 13,
    LAST = 16,
};

/* ---- encoding ---- */

WRITER struct writer put_text(struct writer w, uint32_t number, const char *text)
{
    return text != NULL ? put_bytes(w, number, text, strlen(text)) : w;
}

WRITER struct writer put_span(struct writer w, uint32_t number, stint_duration d)
{
    return d >= 1000 ? put_uint(w, number, true, (uint64_t)d / 1000) : w;
}

WRITER struct writer encode(struct writer w, const stint_ledger_entry *e)
{
    bool has_deadline = e->had != STINT_DURATION_FOREVER;
    uint64_t had_us = e->had > 0 ? (uint64_t)e->had / 1000 : 0;
    w = put_uint(w, 1, e->depth != 0, e->depth);
    w = put_uint(w, 2, e->state != STINT_LEDGER_ANSWERED, e->state);
    w = put_uint(w, 3, e->code != STINT_OK, (uint64_t)e->code);
    w = put_text(w, 4, e->service);
    w = put_text(w, 5, e->method);
    w = put_text(w, 6, e->target);
    w = put_span(w, 7, e->start);
    w = put_span(w, 8, e->elapsed);
    w = put_span(w, 9, e->transit);
    w = put_span(w, 10, e->outbound);
    w = put_uint(w, 11, e->retries != 0, e->retries);
    w = put_span(w, 12, e->backoff);
    w = put_uint(w, HAD, has_deadline && e->state == STINT_LEDGER_ANSWERED, had_us);
    w = put_span(w, 14, e->queue);
    w = put_span(w, 15, e->handler);
    return put_span(w, LAST, e->reserve);
}

size_t stint__ledger_entry_size(const stint_ledger_entry *e)
{
    size_t inner = encode((struct writer){0}, e).n;
    return put_varint(put_tag((struct writer){0}, ENTRIES, STINT__WIRE_LEN), inner).n + inner;
}

/* Most entries are short, so the length is guessed to take one byte, and is put in afterwards. */
uint8_t *stint__ledger_encode_entry(const stint_ledger_entry *e, uint8_t *out)
{
    struct writer head = put_tag((struct writer){.out = out}, ENTRIES, STINT__WIRE_LEN);
    uint8_t *inner = out + head.n + 1;
    size_t len = encode((struct writer){.out = inner}, e).n;
    size_t more = varint_size(len) - 1;
    if (more > 0)
        memmove(inner + more, inner, len);
    put_varint(head, len);
    return inner + more + len;
}

size_t stint__ledger_dropped_size(uint32_t dropped)
{
    return put_uint((struct writer){0}, DROPPED, dropped != 0, dropped).n;
}

uint8_t *stint__ledger_encode_dropped(uint32_t dropped, uint8_t *out)
{
    return out + put_uint((struct writer){.out = out}, DROPPED, dropped != 0, dropped).n;
}

/* ---- decoding ---- */

enum form { FORM_NONE, FORM_UINT32, FORM_STATE, FORM_CODE, FORM_SPAN, FORM_TEXT };

/* How a field is read, and into which member of a stint__ledger_raw. */
struct spec {
    size_t offset;
    uint32_t limit; /* of a text's bytes */
    enum form form; /* NONE: not a field of ours */
};

#define ENTRY(member, form_)                                                                       \
    {                                                                                              \
        offsetof(struct stint__ledger_raw, entry.member), 0, FORM_##form_                          \
    }
#define TEXT(member, limit)                                                                        \
    {                                                                                              \
        offsetof(struct stint__ledger_raw, member), (limit), FORM_TEXT                             \
    }

static const struct spec specs[LAST + 1] = {
    [1] = ENTRY(depth, UINT32),
    [2] = ENTRY(state, STATE),
    [3] = ENTRY(code, CODE),
    [4] = TEXT(service, STINT__LEDGER_SERVICE_MAX),
    [5] = TEXT(method, STINT__LEDGER_METHOD_MAX),
    [6] = TEXT(target, STINT__LEDGER_TARGET_MAX),
    [7] = ENTRY(start, SPAN),
    [8] = ENTRY(elapsed, SPAN),
    [9] = ENTRY(transit, SPAN),
    [10] = ENTRY(outbound, SPAN),
    [11] = ENTRY(retries, UINT32),
    [12] = ENTRY(backoff, SPAN),
    [HAD] = ENTRY(had, SPAN),
    [14] = ENTRY(queue, SPAN),
    [15] = ENTRY(handler, SPAN),
    [LAST] = ENTRY(reserve, SPAN),
};

static stint_duration span_of(uint64_t us)
{
    uint64_t most = STINT__BUDGET_US_MAX / 4; /* so that a few can be added up */
    return STINT_US((stint_duration)(us < most ? us : most));
}

/* Numbers that the .proto says have 32 bits. */
static bool fits(const struct spec *s, const struct stint__field *in)
{
    bool is_short = s->form == FORM_UINT32 || s->form == FORM_STATE || s->form == FORM_CODE;
    return !is_short || in->value <= UINT32_MAX;
}

static const char *store(const struct spec *s, const struct stint__field *in,
                         struct stint__ledger_raw *ret)
{
    void *member = (char *)ret + s->offset;
    switch (s->form) {
    case FORM_NONE:
        return NULL;
    case FORM_UINT32:
        *(uint32_t *)member = (uint32_t)in->value;
        return NULL;
    case FORM_STATE:
        *(stint_ledger_state *)member = in->value <= STINT_LEDGER_UNDER_WAY
                                            ? (stint_ledger_state)in->value
                                            : STINT_LEDGER_OPAQUE;
        return NULL;
    case FORM_CODE:
        *(stint_code *)member =
            in->value <= STINT_UNAUTHENTICATED ? (stint_code)in->value : STINT_UNKNOWN;
        return NULL;
    case FORM_SPAN:
        *(stint_duration *)member = span_of(in->value);
        return NULL;
    case FORM_TEXT:
        if (in->bytes.len > s->limit)
            return "a name is too long";
        if (!stint__utf8_valid(in->bytes))
            return "a name is not UTF-8 or holds a NUL";
        *(struct stint__slice *)member = in->bytes;
        return NULL;
    }
    return NULL;
}

static const char *decode_entry(struct stint__slice bytes, struct stint__ledger_raw *ret)
{
    *ret = (struct stint__ledger_raw){.entry.had = STINT_DURATION_FOREVER};
    uint32_t seen = 0;
    struct stint__reader r;
    stint__reader_init(&r, bytes.data, bytes.len);
    while (stint__reader_left(&r) > 0) {
        struct stint__field in;
        const char *problem = stint__field_read(&r, &in);
        if (problem != NULL)
            return problem;
        if (in.number > LAST || specs[in.number].form == FORM_NONE)
            continue;
        const struct spec *s = &specs[in.number];
        if (in.wire_type != (s->form == FORM_TEXT ? STINT__WIRE_LEN : STINT__WIRE_VARINT))
            return "a field has a wrong wire type";
        if ((seen & UINT32_C(1) << in.number) != 0)
            return "a field is there twice";
        seen |= UINT32_C(1) << in.number;
        if (!fits(s, &in))
            return "a number is out of range";
        problem = store(s, &in, ret);
        if (problem != NULL)
            return problem;
    }
    if (ret->entry.state != STINT_LEDGER_ANSWERED && (seen & UINT32_C(1) << HAD) == 0)
        ret->entry.had = 0;
    ret->entry.used = ret->entry.queue + ret->entry.handler;
    return NULL;
}

/* The depth that the entry may have where it stands. */
static const char *check_place(struct stint__ledger_reader *r, uint32_t depth)
{
    bool fits = r->entries == 0 ? depth == 0 : depth >= 1 && depth <= r->depth + 1;
    if (!fits)
        return "an entry has a depth that cannot be";
    if (++r->entries > STINT_LEDGER_MAX)
        return "there are too many entries";
    r->depth = depth;
    return NULL;
}

void stint__ledger_reader_init(struct stint__ledger_reader *r, struct stint__slice bytes)
{
    *r = (struct stint__ledger_reader){0};
    stint__reader_init(&r->bytes, bytes.data, bytes.len);
}

static const char *take_dropped(struct stint__ledger_reader *r, const struct stint__field *in)
{
    if (in->wire_type != STINT__WIRE_VARINT || r->seen_dropped)
        return "the number of dropped entries has a wrong wire type, or is there twice";
    if (in->value > UINT32_MAX)
        return "the number of dropped entries is out of range";
    r->seen_dropped = true;
    r->dropped = (uint32_t)in->value;
    return NULL;
}

int stint__ledger_next(struct stint__ledger_reader *r, struct stint__ledger_raw *ret,
                       const char **problem)
{
    while (stint__reader_left(&r->bytes) > 0) {
        struct stint__field in;
        *problem = stint__field_read(&r->bytes, &in);
        if (*problem == NULL && in.number == DROPPED)
            *problem = take_dropped(r, &in);
        if (*problem != NULL)
            return -1;
        if (in.number != ENTRIES)
            continue;
        *problem = in.wire_type != STINT__WIRE_LEN ? "an entry has a wrong wire type"
                                                   : decode_entry(in.bytes, ret);
        if (*problem == NULL)
            *problem = check_place(r, ret->entry.depth);
        return *problem != NULL ? -1 : 1;
    }
    *problem = r->entries == 0 ? "there are no entries" : NULL;
    return r->entries == 0 ? -1 : 0;
}
