/* outbox_test.c - what is put in comes out in order, copied or referred to. */
#include "unit.h"

#include <string.h>

#include "outbox.h"

#define LARGE ((size_t)20 * 1024) /* referred to */
#define SMALL ((size_t)100)       /* copied */

static uint8_t out[8 * LARGE];

/* Takes everything out, at most `step` bytes at a time; returns how many there were. */
static size_t drain(struct stint__outbox *o, size_t step)
{
    size_t total = 0;
    struct stint__iov iov[STINT__NET_IOV_MAX];
    while (stint__outbox_give(o, iov) > 0) {
        size_t n = iov[0].len < step ? iov[0].len : step;
        assert_true(total + n <= sizeof out);
        memcpy(out + total, iov[0].data, n);
        total += n;
        stint__outbox_take(o, n);
    }
    assert_int_equal(stint__outbox_size(o), 0);
    return total;
}

static struct stint__buf *buf_of(size_t size, uint8_t byte)
{
    struct stint__buf *b = stint__buf_new(size);
    assert_non_null(b);
    memset(b->data, byte, size);
    return b;
}

/* Puts a reply with such a payload in, and drops the caller's reference to it. */
static void put(struct stint__outbox *o, size_t size, uint8_t byte)
{
    struct stint__sp_stack stack = stint__sp_stack_of(byte);
    struct stint__buf *b = buf_of(size, byte);
    struct stint__envelope e = {
        .kind = STINT__KIND_REPLY,
        .has_payload = true,
        .payload = {b->data, size},
        .payload_owner = b,
    };
    assert_true(stint__outbox_put_frame(o, false, &stack, &e, stint__envelope_header_size(&e)));
    stint__buf_unref(b);
}

/* The next frame of `out` must be what put(size, byte) put in. Returns where it ends. */
static size_t expect(size_t at, size_t total, size_t size, uint8_t byte)
{
    struct stint__sp_frame frame;
    struct stint__sp_stack stack;
    struct stint__slice body;
    struct stint__envelope e;
    struct stint__slice in = {out + at, total - at};
    assert_int_equal(stint__sp_frame_next(false, in, sizeof out, &frame, NULL), STINT__SP_FRAME);
    assert_int_equal(stint__sp_stack_split(frame.body, &stack, &body, NULL), STINT_OK);
    assert_int_equal(stint__sp_stack_id(&stack), byte);
    assert_int_equal(stint__envelope_decode(&e, body, NULL), STINT_OK);
    assert_int_equal(e.payload.len, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(e.payload.data[i], byte);
    return at + frame.used;
}

static void check_order(size_t step)
{
    static const size_t sizes[] = {SMALL, LARGE, SMALL, SMALL, LARGE, LARGE, SMALL};
    const size_t n = sizeof sizes / sizeof sizes[0];
    struct stint__outbox o;
    stint__outbox_init(&o);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < n; i++)
            put(&o, sizes[i], (uint8_t)(i + 1));
        size_t total = drain(&o, step);
        size_t at = 0;
        for (size_t i = 0; i < n; i++)
            at = expect(at, total, sizes[i], (uint8_t)(i + 1));
        assert_int_equal(at, total);
    }
    stint__outbox_fini(&o);
}

/* A small frame behind a payload that is referred to goes into a chunk of its own. */
static void test_order(void **state)
{
    (void)state;
    check_order(SIZE_MAX);
}

static void test_order_in_pieces(void **state)
{
    (void)state;
    check_order(7);
}

/* What was never written is released too. */
static void test_unwritten(void **state)
{
    (void)state;
    struct stint__outbox o;
    stint__outbox_init(&o);
    put(&o, LARGE, 1);
    put(&o, SMALL, 2);
    stint__outbox_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_in_pieces),
        cmocka_unit_test(test_unwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
