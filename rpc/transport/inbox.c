/* inbox.c - one buffer, and memory apart for a frame larger than it.
 *
 * Invariants: start <= end <= BUFFER_SIZE; a frame that is not whole yet begins at 0, so that there
 * is always room to read more of it. While `large` is set, start and end are 0; it is released by
 * the first call after the one that handed it out. */
#include "inbox.h"

#include <string.h>

#include "alloc.h"

#define BUFFER_SIZE ((size_t)64 * 1024)

bool stint__inbox_init(struct stint__inbox *in)
{
    *in = (struct stint__inbox){.data = stint__alloc(BUFFER_SIZE)};
    return in->data != NULL;
}

void stint__inbox_fini(struct stint__inbox *in)
{
    stint__free(in->data);
    stint__buf_unref(in->large);
    *in = (struct stint__inbox){0};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

uint8_t *stint__inbox_space(const struct stint__inbox *in, size_t *ret_len)
{
    if (in->large != NULL) {
        *ret_len = smaller(in->large->size, in->large_need) - in->large_filled;
        return in->large->data + in->large_filled;
    }
    *ret_len = BUFFER_SIZE - in->end;
    return in->data + in->end;
}

void stint__inbox_filled(struct stint__inbox *in, size_t len)
{
    if (in->large != NULL)
        in->large_filled += len;
    else
        in->end += len;
}

struct stint__slice stint__inbox_bytes(const struct stint__inbox *in)
{
    if (in->large != NULL)
        return (struct stint__slice){in->large->data, in->large_filled};
    return (struct stint__slice){in->data + in->start, in->end - in->start};
}

void stint__inbox_use(struct stint__inbox *in, size_t len)
{
    in->start += len;
}

/* Moves a partial frame into memory of its own, or into more of it: twice what there is, so that
 * announcing a large frame costs us little and sending it costs few copies. */
static bool make_large(struct stint__inbox *in, size_t need)
{
    struct stint__slice have = stint__inbox_bytes(in);
    size_t size = smaller(need, 2 * (have.len < BUFFER_SIZE ? BUFFER_SIZE : have.len));
    struct stint__buf *large = stint__buf_new(size);
    if (large == NULL)
        return false;
    memcpy(large->data, have.data, have.len);
    stint__buf_unref(in->large);
    in->large = large;
    in->large_filled = have.len;
    in->large_need = need;
    in->start = in->end = 0;
    return true;
}

/* Makes room to read the rest of a partial frame of `need` bytes (0: not known yet). */
static enum stint__sp_next make_room(struct stint__inbox *in, size_t need, stint_error *err)
{
    bool ok = true;
    if (in->large != NULL) {
        if (in->large_filled == in->large->size)
            ok = make_large(in, need);
    } else if (need > BUFFER_SIZE) {
        ok = make_large(in, need);
    } else if (in->start > 0) {
        memmove(in->data, in->data + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (ok)
        return STINT__SP_MORE;
    stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "no memory for a frame of %zu bytes", need);
    return STINT__SP_BAD;
}

enum stint__sp_next stint__inbox_next(struct stint__inbox *in, bool ipc, size_t max_frame,
                                      struct stint__slice *ret_frame, struct stint__buf **ret_owner,
                                      stint_error *err)
{
    if (in->large_done) {
        stint__buf_unref(in->large);
        in->large = NULL;
        in->large_done = false;
    }
    struct stint__sp_frame frame;
    struct stint__slice bytes = stint__inbox_bytes(in);
    enum stint__sp_next next = stint__sp_frame_next(ipc, bytes, max_frame, &frame, err);
    if (next == STINT__SP_MORE)
        return make_room(in, frame.need, err);
    if (next == STINT__SP_BAD)
        return next;
    *ret_frame = frame.body;
    *ret_owner = in->large;
    in->large_done = in->large != NULL;
    if (in->large == NULL)
        stint__inbox_use(in, frame.used);
    return next;
}
