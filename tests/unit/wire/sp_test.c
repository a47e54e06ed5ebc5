/* sp_test.c - SP handshakes, frames in arbitrary chunks, and header stacks. */
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sp.h"

#define MAX_FRAME ((size_t)1 << 20)

static struct stint__slice slice(const uint8_t *data, size_t len)
{
    return (struct stint__slice){data, len};
}

/* ---- handshake ---- */

static void the_handshake_is_eight_known_bytes(void **state)
{
    (void)state;
    uint8_t out[STINT__SP_HANDSHAKE_SIZE];
    stint__sp_handshake_encode(STINT__SP_REQ, out);
    assert_memory_equal(out, "\0SP\0\0\x30\0\0", 8);
    assert_int_equal(stint__sp_handshake_check(out, STINT__SP_REQ, NULL), STINT_OK);
}

static void a_peer_of_another_protocol_is_named(void **state)
{
    (void)state;
    uint8_t in[STINT__SP_HANDSHAKE_SIZE];
    stint__sp_handshake_encode(STINT__SP_REP, in);
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__sp_handshake_check(in, STINT__SP_REQ, &err), STINT_FAILED_PRECONDITION);
    assert_string_equal(err.message,
                        "the peer is a socket of SP protocol 0x31 (REP), not 0x30 (REQ)");
}

static void every_changed_handshake_byte_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < STINT__SP_HANDSHAKE_SIZE; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            uint8_t in[STINT__SP_HANDSHAKE_SIZE];
            stint__sp_handshake_encode(STINT__SP_REQ, in);
            in[i] = (uint8_t)(in[i] ^ flip);
            stint_error err = STINT_ERROR_INIT;
            stint_code expect =
                i == 4 || i == 5 ? STINT_FAILED_PRECONDITION : STINT_INVALID_ARGUMENT;
            assert_int_equal(stint__sp_handshake_check(in, STINT__SP_REQ, &err), expect);
            assert_int_equal(err.code, expect);
        }
    }
}

static void a_peer_that_speaks_http_is_told_apart(void **state)
{
    (void)state;
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__sp_handshake_check((const uint8_t *)"GET / HT", STINT__SP_REQ, &err),
                     STINT_INVALID_ARGUMENT);
    assert_int_equal(err.reason, STINT_REASON_MALFORMED);
    assert_non_null(strstr(err.message, "47 45 54 20 2f 20 48 54"));
}

/* ---- frames ---- */

static void frame_heads_are_golden(void **state)
{
    (void)state;
    uint8_t out[STINT__SP_FRAME_HEAD_MAX];
    assert_int_equal(stint__sp_frame_head(false, 0x0102030405060708, out), 8);
    assert_memory_equal(out, "\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(stint__sp_frame_head(true, 300, out), 9);
    assert_memory_equal(out, "\1\0\0\0\0\0\0\1\54", 9);
}

/* Sizes at which something changes: empty, one word, around the head, many. */
static const size_t body_sizes[] = {0, 4, 1, 7, 8, 9, 300, 0, 65536, 5};

/* Writes frames of those sizes, frame i filled with byte i; returns the end. */
static uint8_t *write_frames(bool ipc, uint8_t *out)
{
    for (size_t i = 0; i < sizeof body_sizes / sizeof *body_sizes; i++) {
        out += stint__sp_frame_head(ipc, body_sizes[i], out);
        memset(out, (int)i, body_sizes[i]);
        out += body_sizes[i];
    }
    return out;
}

static void assert_frame(const struct stint__sp_frame *frame, size_t index, bool ipc)
{
    assert_int_equal(frame->body.len, body_sizes[index]);
    assert_int_equal(frame->used, body_sizes[index] + (ipc ? 9 : 8));
    for (size_t i = 0; i < frame->body.len; i++)
        assert_int_equal(frame->body.data[i], index);
}

/* Feeds `in` so that each look sees `step` bytes more than the last. */
static void feed(bool ipc, struct stint__slice in, size_t step)
{
    size_t begin = 0, seen = 0, found = 0, need = 0;
    while (begin < in.len) {
        struct stint__sp_frame frame;
        enum stint__sp_next next = stint__sp_frame_next(ipc, slice(in.data + begin, seen - begin),
                                                        MAX_FRAME, &frame, NULL);
        if (next == STINT__SP_FRAME) {
            assert_true(need == 0 || frame.used == need);
            assert_frame(&frame, found++, ipc);
            begin += frame.used;
            need = 0;
            continue;
        }
        assert_int_equal(next, STINT__SP_MORE);
        assert_true(seen < in.len);
        /* The size of the frame is known as soon as its head is there. */
        assert_int_equal(frame.need != 0, seen - begin >= (ipc ? 9 : 8));
        need = frame.need;
        seen = in.len - seen > step ? seen + step : in.len;
    }
    assert_int_equal(found, sizeof body_sizes / sizeof *body_sizes);
}

static void frames_come_out_whole_however_they_arrive(void **state)
{
    (void)state;
    static uint8_t bytes[70000];
    for (int ipc = 0; ipc < 2; ipc++) {
        struct stint__slice in = slice(bytes, (size_t)(write_frames(ipc != 0, bytes) - bytes));
        for (size_t step = 1; step < 40; step++)
            feed(ipc != 0, in, step);
        feed(ipc != 0, in, 4096);
        feed(ipc != 0, in, in.len);
    }
}

static void assert_too_large(bool ipc, uint64_t len, size_t max_frame)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    size_t n = stint__sp_frame_head(ipc, len, head);
    struct stint__sp_frame frame;
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__sp_frame_next(ipc, slice(head, n), max_frame, &frame, &err),
                     STINT__SP_BAD);
    assert_int_equal(err.code, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(err.reason, STINT_REASON_MESSAGE_TOO_LARGE);
}

static void a_frame_at_the_limit_is_read_and_one_byte_more_is_not(void **state)
{
    (void)state;
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    for (int ipc = 0; ipc < 2; ipc++) {
        size_t n = stint__sp_frame_head(ipc != 0, MAX_FRAME, head);
        struct stint__sp_frame frame;
        assert_int_equal(stint__sp_frame_next(ipc != 0, slice(head, n), MAX_FRAME, &frame, NULL),
                         STINT__SP_MORE);
        assert_int_equal(frame.need, MAX_FRAME + n);
        assert_too_large(ipc != 0, MAX_FRAME + 1, MAX_FRAME);
    }
}

static void absurd_lengths_are_refused_under_any_limit(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {UINT64_C(1) << 32, UINT64_C(1) << 63,
                                       (UINT64_C(1) << 63) - 1, UINT64_MAX, UINT64_MAX - 8};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_too_large(false, lengths[i], MAX_FRAME);
        assert_too_large(true, lengths[i], MAX_FRAME);
    }
    /* Where even the limit is absurd, the size of the whole frame must not wrap around. */
    assert_too_large(false, UINT64_MAX, SIZE_MAX);
    assert_too_large(true, UINT64_MAX - 8, SIZE_MAX);
}

static void a_wrong_ipc_byte_is_refused_at_once(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t byte = (uint8_t)type;
        struct stint__sp_frame frame;
        stint_error err = STINT_ERROR_INIT;
        enum stint__sp_next next =
            stint__sp_frame_next(true, slice(&byte, 1), MAX_FRAME, &frame, &err);
        assert_int_equal(next, type == 1 ? STINT__SP_MORE : STINT__SP_BAD);
        assert_int_equal(err.reason, type == 1 ? STINT_REASON_NONE : STINT_REASON_MALFORMED);
    }
}

/* ---- header stacks ---- */

/* A stack of `words` words and "body" behind it. */
static size_t write_stack(uint8_t *out, unsigned words)
{
    static const uint8_t hop[4] = {0x7f, 0xff, 0, 1}, id[4] = {0x80, 0, 0, 7};
    static const uint8_t body[4] = {'b', 'o', 'd', 'y'};
    for (unsigned i = 0; i < words; i++)
        memcpy(out + (size_t)4 * i, i + 1 == words ? id : hop, 4);
    memcpy(out + (size_t)4 * words, body, 4);
    return (size_t)4 * words + 4;
}

static void stacks_of_one_to_sixteen_words_are_split_off(void **state)
{
    (void)state;
    uint8_t bytes[4 * (STINT__SP_STACK_WORDS + 2)];
    for (unsigned words = 1; words <= STINT__SP_STACK_WORDS; words++) {
        size_t len = write_stack(bytes, words);
        struct stint__sp_stack stack;
        struct stint__slice body;
        assert_int_equal(stint__sp_stack_split(slice(bytes, len), &stack, &body, NULL), STINT_OK);
        assert_int_equal(stack.len, 4 * words);
        assert_memory_equal(stack.bytes, bytes, stack.len);
        assert_int_equal(stint__sp_stack_id(&stack), 7);
        assert_int_equal(body.len, 4);
        assert_memory_equal(body.data, "body", 4);
    }
}

static void a_stack_of_seventeen_words_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[4 * (STINT__SP_STACK_WORDS + 2)];
    size_t len = write_stack(bytes, STINT__SP_STACK_WORDS + 1);
    struct stint__sp_stack stack;
    struct stint__slice body;
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__sp_stack_split(slice(bytes, len), &stack, &body, &err),
                     STINT_INVALID_ARGUMENT);
    assert_int_equal(err.reason, STINT_REASON_MALFORMED);
    assert_string_equal(err.message, "a frame that passed through more than 15 devices");
}

static void a_frame_that_ends_within_its_stack_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[4 * (STINT__SP_STACK_WORDS + 2)];
    write_stack(bytes, 3);
    for (size_t len = 0; len < 12; len++) {
        struct stint__sp_stack stack;
        struct stint__slice body;
        stint_error err = STINT_ERROR_INIT;
        assert_int_equal(stint__sp_stack_split(slice(bytes, len), &stack, &body, &err),
                         STINT_INVALID_ARGUMENT);
        assert_int_equal(err.reason, STINT_REASON_MALFORMED);
    }
}

static void a_frame_may_have_no_body(void **state)
{
    (void)state;
    struct stint__sp_stack stack;
    struct stint__slice body;
    assert_int_equal(
        stint__sp_stack_split(slice((const uint8_t *)"\xff\xff\xff\xff", 4), &stack, &body, NULL),
        STINT_OK);
    assert_int_equal(body.len, 0);
    assert_int_equal(stint__sp_stack_id(&stack), 0x7fffffff);
}

static void a_stack_made_from_an_id_has_it(void **state)
{
    (void)state;
    struct stint__sp_stack stack = stint__sp_stack_of(0x01020304);
    assert_int_equal(stack.len, 4);
    assert_memory_equal(stack.bytes, "\x81\2\3\4", 4);
    assert_int_equal(stint__sp_stack_id(&stack), 0x01020304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handshake_is_eight_known_bytes),
        cmocka_unit_test(a_peer_of_another_protocol_is_named),
        cmocka_unit_test(every_changed_handshake_byte_is_noticed),
        cmocka_unit_test(a_peer_that_speaks_http_is_told_apart),
        cmocka_unit_test(frame_heads_are_golden),
        cmocka_unit_test(frames_come_out_whole_however_they_arrive),
        cmocka_unit_test(a_frame_at_the_limit_is_read_and_one_byte_more_is_not),
        cmocka_unit_test(absurd_lengths_are_refused_under_any_limit),
        cmocka_unit_test(a_wrong_ipc_byte_is_refused_at_once),
        cmocka_unit_test(stacks_of_one_to_sixteen_words_are_split_off),
        cmocka_unit_test(a_stack_of_seventeen_words_is_refused),
        cmocka_unit_test(a_frame_that_ends_within_its_stack_is_refused),
        cmocka_unit_test(a_frame_may_have_no_body),
        cmocka_unit_test(a_stack_made_from_an_id_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
