/* sp.c - the framing of nanomsg's scalability protocols.
 *
 * Pure functions over the caller's bytes. Invariants: nothing of a frame's body is looked at before
 * its length has been checked; a stack that was split off has 1 to STINT__SP_STACK_WORDS words, and
 * only its last one has the high bit set. */
#include "sp.h"

#include <inttypes.h>
#include <string.h>

#include "malformed.h"

#define IPC_MESSAGE 1 /* the only type of message that the ipc mapping knows */

static void put_be(uint8_t *out, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void stint__sp_handshake_encode(uint16_t protocol, uint8_t out[STINT__SP_HANDSHAKE_SIZE])
{
    memcpy(out, "\0SP", 4);
    put_be(out + 4, protocol, 2);
    put_be(out + 6, 0, 2);
}

/* What the two ends of a connection that was made by mistake most likely are. */
static const char *protocol_name(uint16_t protocol)
{
    switch (protocol) {
    case 0x10:
        return "PAIR";
    case 0x20:
        return "PUB";
    case 0x21:
        return "SUB";
    case STINT__SP_REQ:
        return "REQ";
    case STINT__SP_REP:
        return "REP";
    case 0x50:
        return "PUSH";
    case 0x51:
        return "PULL";
    default:
        return "another protocol";
    }
}

stint_code stint__sp_handshake_check(const uint8_t in[STINT__SP_HANDSHAKE_SIZE], uint16_t expect,
                                     stint_error *err)
{
    if (memcmp(in, "\0SP", 4) != 0 || in[6] != 0 || in[7] != 0)
        return stint__malformed(err,
                                "the peer does not speak SP: its first bytes are "
                                "%02x %02x %02x %02x %02x %02x %02x %02x",
                                in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]);
    uint16_t protocol = (uint16_t)(in[4] << 8 | in[5]);
    if (protocol == expect)
        return STINT_OK;
    return stint_error_set(err, STINT_FAILED_PRECONDITION,
                           "the peer is a socket of SP protocol 0x%02x (%s), not 0x%02x (%s)",
                           protocol, protocol_name(protocol), expect, protocol_name(expect));
}

size_t stint__sp_frame_head(bool ipc, uint64_t len, uint8_t out[STINT__SP_FRAME_HEAD_MAX])
{
    size_t n = 0;
    if (ipc)
        out[n++] = IPC_MESSAGE;
    put_be(out + n, len, 8);
    return n + 8;
}

static enum stint__sp_next too_long(uint64_t len, size_t max_frame, stint_error *err)
{
    stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                    "a frame of %" PRIu64 " bytes; at most %zu are accepted", len, max_frame);
    if (err != NULL)
        err->reason = STINT_REASON_MESSAGE_TOO_LARGE;
    return STINT__SP_BAD;
}

enum stint__sp_next stint__sp_frame_next(bool ipc, struct stint__slice in, size_t max_frame,
                                         struct stint__sp_frame *ret, stint_error *err)
{
    *ret = (struct stint__sp_frame){0};
    struct stint__reader r;
    stint__reader_init(&r, in.data, in.len);
    if (ipc && in.len > 0) {
        uint8_t type = stint__read_u8(&r);
        if (type != IPC_MESSAGE) {
            stint__malformed(err, "a frame of type %u, not %u", type, IPC_MESSAGE);
            return STINT__SP_BAD;
        }
    }
    uint64_t len = stint__read_be64(&r);
    if (r.bad)
        return STINT__SP_MORE;
    if (len > max_frame || len > SIZE_MAX - STINT__SP_FRAME_HEAD_MAX)
        return too_long(len, max_frame, err);

    size_t whole = in.len - stint__reader_left(&r) + (size_t)len;
    ret->body = stint__read_bytes(&r, len);
    if (r.bad) {
        *ret = (struct stint__sp_frame){.need = whole};
        return STINT__SP_MORE;
    }
    ret->used = whole;
    return STINT__SP_FRAME;
}

stint_code stint__sp_stack_split(struct stint__slice frame, struct stint__sp_stack *ret_stack,
                                 struct stint__slice *ret_body, stint_error *err)
{
    struct stint__reader r;
    stint__reader_init(&r, frame.data, frame.len);
    for (uint8_t words = 1; words <= STINT__SP_STACK_WORDS; words++) {
        uint32_t word = stint__read_be32(&r);
        if (r.bad)
            return stint__malformed(err, "a frame of %zu bytes without a request ID", frame.len);
        if ((word & STINT__SP_REQUEST_BIT) == 0)
            continue;
        ret_stack->len = (uint8_t)(4 * words);
        memcpy(ret_stack->bytes, frame.data, ret_stack->len);
        *ret_body = stint__read_bytes(&r, stint__reader_left(&r));
        return STINT_OK;
    }
    return stint__malformed(err, "a frame that passed through more than %d devices",
                            STINT__SP_STACK_WORDS - 1);
}

uint32_t stint__sp_stack_id(const struct stint__sp_stack *stack)
{
    struct stint__reader r;
    stint__reader_init(&r, stack->bytes + stack->len - 4, 4);
    return stint__read_be32(&r) & ~STINT__SP_REQUEST_BIT;
}

struct stint__sp_stack stint__sp_stack_of(uint32_t id)
{
    struct stint__sp_stack stack = {.len = 4};
    put_be(stack.bytes, id | STINT__SP_REQUEST_BIT, 4);
    return stack;
}
