/* outbox.c - segments: chunks of encoded frames, and references to payloads.
 *
 * Invariants: taken <= given <= put. A segment's bytes never move, and only bytes behind its
 * `filled` are written to, so a chunk may be added to while its beginning is being written to the
 * stream. A chunk that is the newest segment and fully taken starts over; one spare is kept. */
#include "outbox.h"

#include <string.h>

#include "alloc.h"
#include "buf.h"

#define CHUNK_SIZE         ((size_t)64 * 1024)
#define REFER_FROM         ((size_t)16 * 1024) /* payloads of this size are not copied */
#define CHUNK_MEMORY(size) (sizeof(struct segment) + (size))

struct segment {
    struct stint__list link;
    struct stint__buf *owner; /* NULL: a chunk, whose data are its own bytes */
    const uint8_t *data;
    size_t filled, taken;
    size_t size; /* of bytes; 0 with an owner */
    uint8_t bytes[];
};

void stint__outbox_init(struct stint__outbox *o)
{
    *o = (struct stint__outbox){0};
    stint__list_init(&o->segments);
}

static struct segment *segment_of(struct stint__list *link)
{
    return STINT__CONTAINER_OF(link, struct segment, link);
}

static void release(struct stint__outbox *o, struct segment *s)
{
    stint__list_unlink(&s->link);
    if (s->size == CHUNK_SIZE && o->spare == NULL) {
        o->spare = s;
        return;
    }
    stint__buf_unref(s->owner);
    stint__free(s);
}

void stint__outbox_fini(struct stint__outbox *o)
{
    STINT_LIST_FOREACH (link, &o->segments)
        release(o, segment_of(link));
    stint__free(o->spare);
    o->spare = NULL;
}

/* ---- putting in ---- */

static struct segment *new_chunk(struct stint__outbox *o, size_t size)
{
    struct segment *s = o->spare;
    if (size <= CHUNK_SIZE && s != NULL) {
        o->spare = NULL;
    } else {
        size = size < CHUNK_SIZE ? CHUNK_SIZE : size;
        s = stint__alloc(CHUNK_MEMORY(size));
        if (s == NULL)
            return NULL;
        stint__list_init(&s->link);
        s->owner = NULL;
        s->data = s->bytes;
        s->size = size;
    }
    s->filled = s->taken = 0;
    return s;
}

/* Whether a segment is a chunk with room for `len` more bytes; a reference has none. */
static bool has_room(const struct segment *s, size_t len)
{
    return s->owner == NULL && s->size - s->filled >= len;
}

/* Room for `len` bytes behind the newest ones, or NULL. */
static uint8_t *reserve(struct stint__outbox *o, size_t len, struct segment **ret)
{
    struct segment *s = segment_of(o->segments.prev);
    if (stint__list_empty(&o->segments) || !has_room(s, len)) {
        s = new_chunk(o, len);
        if (s == NULL)
            return NULL;
        stint__list_push_back(&o->segments, &s->link);
    }
    *ret = s;
    return s->bytes + s->filled;
}

static void commit(struct stint__outbox *o, struct segment *s, size_t len)
{
    s->filled += len;
    o->put += len;
}

bool stint__outbox_put_bytes(struct stint__outbox *o, const void *data, size_t len)
{
    struct segment *s;
    uint8_t *out = reserve(o, len, &s);
    if (out == NULL)
        return false;
    memcpy(out, data, len);
    commit(o, s, len);
    return true;
}

static struct segment *new_reference(struct stint__slice payload, struct stint__buf *owner)
{
    struct segment *s = stint__alloc(sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct segment){
        .owner = stint__buf_ref(owner),
        .data = payload.data,
    };
    stint__list_init(&s->link);
    return s;
}

bool stint__outbox_put_frame(struct stint__outbox *o, bool ipc, const struct stint__sp_stack *stack,
                             const struct stint__envelope *e, size_t header_size)
{
    struct stint__slice payload = {0};
    if (e->has_payload)
        payload = e->payload;
    struct segment *reference = NULL;
    if (payload.len >= REFER_FROM && e->payload_owner != NULL) {
        reference = new_reference(payload, e->payload_owner);
        if (reference == NULL)
            return false;
    }
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    size_t head_len = stint__sp_frame_head(ipc, stack->len + header_size + payload.len, head);
    size_t inline_len = head_len + stack->len + header_size + (reference == NULL ? payload.len : 0);
    struct segment *s;
    uint8_t *out = reserve(o, inline_len, &s);
    if (out == NULL) {
        if (reference != NULL)
            release(o, reference);
        return false;
    }
    memcpy(out, head, head_len);
    memcpy(out + head_len, stack->bytes, stack->len);
    out = stint__envelope_encode_header(e, out + head_len + stack->len);
    if (reference == NULL && payload.len > 0)
        memcpy(out, payload.data, payload.len);
    commit(o, s, inline_len);
    if (reference != NULL) {
        stint__list_push_back(&o->segments, &reference->link);
        commit(o, reference, payload.len);
    }
    return true;
}

/* ---- taking out ---- */

unsigned stint__outbox_give(struct stint__outbox *o, struct stint__iov iov[STINT__NET_IOV_MAX])
{
    unsigned n = 0;
    o->given = o->taken;
    STINT_LIST_FOREACH (link, &o->segments) {
        const struct segment *s = segment_of(link);
        if (n == STINT__NET_IOV_MAX)
            break;
        if (s->filled == s->taken)
            continue;
        iov[n++] = (struct stint__iov){s->data + s->taken, s->filled - s->taken};
        o->given += s->filled - s->taken;
    }
    return n;
}

void stint__outbox_take(struct stint__outbox *o, size_t count)
{
    o->taken += count;
    STINT_LIST_FOREACH (link, &o->segments) {
        struct segment *s = segment_of(link);
        size_t n = s->filled - s->taken < count ? s->filled - s->taken : count;
        s->taken += n;
        count -= n;
        if (s->taken < s->filled)
            return;
        if (link->next == &o->segments && s->size == CHUNK_SIZE)
            s->filled = s->taken = 0;
        else
            release(o, s);
    }
}
