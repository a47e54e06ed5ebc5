/* sp_fuzz.c - a stream gives the same frames whole and in chunks of any size.
 *
 * The first byte of the input chooses the framing, the limit and the sizes of the chunks; the rest
 * is the stream. */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "sp.h"

struct stream {
    bool ipc;
    size_t max_frame;
    const uint8_t *data;
    size_t size, begin; /* what is before `begin` has been taken as frames */
};

/* Looks at the `seen` first bytes, in a block of their own: a sanitizer sees a read past them. */
static enum stint__sp_next look(const struct stream *s, size_t seen, struct stint__sp_frame *ret)
{
    size_t len = seen - s->begin;
    uint8_t *block = malloc(len > 0 ? len : 1);
    CHECK(block != NULL);
    memcpy(block, s->data + s->begin, len);
    stint_error err = STINT_ERROR_INIT;
    enum stint__sp_next next =
        stint__sp_frame_next(s->ipc, (struct stint__slice){block, len}, s->max_frame, ret, &err);
    CHECK((next == STINT__SP_BAD) == (err.code != STINT_OK));
    if (next == STINT__SP_FRAME) /* the block goes, the stream stays */
        ret->body.data = s->data + s->begin + (ret->body.data - block);
    free(block);
    return next;
}

static void check_stack(struct stint__slice frame)
{
    struct stint__sp_stack stack;
    struct stint__slice body;
    stint_error err = STINT_ERROR_INIT;
    if (stint__sp_stack_split(frame, &stack, &body, &err) != STINT_OK) {
        CHECK(err.reason == STINT_REASON_MALFORMED);
        return;
    }
    CHECK(stack.len >= 4 && stack.len % 4 == 0 && stack.len <= sizeof stack.bytes);
    CHECK(stack.len + body.len == frame.len);
    CHECK(memcmp(stack.bytes, frame.data, stack.len) == 0);
    struct stint__sp_stack again = stint__sp_stack_of(stint__sp_stack_id(&stack));
    CHECK(memcmp(again.bytes, stack.bytes + stack.len - 4, 4) == 0);
}

static void check_frame(const struct stream *s, const struct stint__sp_frame *f)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    size_t n = stint__sp_frame_head(s->ipc, f->body.len, head);
    CHECK(f->body.len <= s->max_frame);
    CHECK(f->used == n + f->body.len && f->used <= s->size - s->begin);
    CHECK(memcmp(head, s->data + s->begin, n) == 0);
    check_stack(f->body);
}

/* Takes every frame with all bytes in sight; returns how it ended. */
static enum stint__sp_next take_whole(struct stream *s)
{
    struct stint__sp_frame f;
    enum stint__sp_next next;
    while ((next = look(s, s->size, &f)) == STINT__SP_FRAME) {
        check_frame(s, &f);
        s->begin += f.used;
    }
    return next;
}

/* The same, with `step` bytes more in sight at each look. What a look says that the frame needs
 * stays true until the frame is there. */
static enum stint__sp_next take_chunks(struct stream *s, size_t step)
{
    size_t seen = 0;
    size_t need = 0;
    for (;;) {
        struct stint__sp_frame f;
        enum stint__sp_next next = look(s, seen, &f);
        if (next == STINT__SP_FRAME) {
            CHECK(need == 0 || need == f.used);
            s->begin += f.used;
            need = 0;
            continue;
        }
        if (next == STINT__SP_BAD || seen == s->size)
            return next;
        CHECK(need == 0 || need == f.need);
        CHECK(f.need == 0 || f.need > seen - s->begin);
        need = f.need;
        seen = s->size - seen > step ? seen + step : s->size;
    }
}

static void check_handshake(const uint8_t *data, size_t size)
{
    if (size < STINT__SP_HANDSHAKE_SIZE)
        return;
    uint8_t expect[STINT__SP_HANDSHAKE_SIZE];
    stint__sp_handshake_encode(STINT__SP_REP, expect);
    stint_code code = stint__sp_handshake_check(data, STINT__SP_REP, NULL);
    CHECK((code == STINT_OK) == (memcmp(data, expect, sizeof expect) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct stream whole = {
        .ipc = (data[0] & 1) != 0,
        .max_frame = (data[0] & 2) != 0 ? 64 : SIZE_MAX,
        .data = data + 1,
        .size = size - 1,
    };
    struct stream chunks = whole;
    check_handshake(whole.data, whole.size);
    enum stint__sp_next end = take_whole(&whole);
    CHECK(take_chunks(&chunks, (size_t)1 + (data[0] >> 2)) == end);
    CHECK(chunks.begin == whole.begin);
    return 0;
}
