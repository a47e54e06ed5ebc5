/* sp.h - the framing of nanomsg's scalability protocols over a byte stream. Pure functions.
 *
 * A connection begins with 8 bytes from each side: 0 'S' 'P' 0, the protocol number, two zero
 * bytes. Then come frames: over ipc a byte 1 first; an 8-byte length; the header stack (4-byte
 * words up to and including the first one with its high bit set); the body. All numbers are
 * big-endian. Source: nanomsg RFCs sp-tcp-mapping-01, sp-request-reply-01. */
#ifndef STINT_WIRE_SP_H
#define STINT_WIRE_SP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>
#include <stint/status.h>

#include "reader.h"

#define STINT__SP_REQ            0x30
#define STINT__SP_REP            0x31
#define STINT__SP_HANDSHAKE_SIZE 8
#define STINT__SP_STACK_WORDS    16 /* NNG's time-to-live is at most 15 hops */
#define STINT__SP_FRAME_HEAD_MAX (1 + 8)
#define STINT__SP_REQUEST_BIT    0x80000000u

/* The header words of a frame as bytes, outermost first; the last word has its high bit set. */
struct stint__sp_stack {
    uint8_t bytes[4 * STINT__SP_STACK_WORDS];
    uint8_t len; /* a multiple of 4 */
};

void stint__sp_handshake_encode(uint16_t protocol, uint8_t out[STINT__SP_HANDSHAKE_SIZE]);

/* Checks the peer's handshake: INVALID_ARGUMENT (MALFORMED: not SP) or FAILED_PRECONDITION (SP, but
 * another protocol than `expect`), with a text. */
STINT_NODISCARD stint_code stint__sp_handshake_check(const uint8_t in[STINT__SP_HANDSHAKE_SIZE],
                                                     uint16_t expect, stint_error *err);

/* Writes the bytes before a frame's stack: returns how many (8, or 9 over ipc). `len` counts stack
 * and body. */
size_t stint__sp_frame_head(bool ipc, uint64_t len, uint8_t out[STINT__SP_FRAME_HEAD_MAX]);

enum stint__sp_next {
    STINT__SP_FRAME, /* ret->body and ret->used are set */
    STINT__SP_MORE,  /* not whole yet: ret->need is set */
    STINT__SP_BAD,   /* err is set (MALFORMED or MESSAGE_TOO_LARGE): wrong ipc byte, or too long */
};

struct stint__sp_frame {
    struct stint__slice body; /* stack and body, without the head */
    size_t used;              /* bytes of the input that the frame takes, with its head */
    size_t need;              /* the same for a frame not whole yet; 0 while that is unknown */
};

/* Looks for one frame at the start of `in`: at most `max_frame` bytes of stack and body. */
enum stint__sp_next stint__sp_frame_next(bool ipc, struct stint__slice in, size_t max_frame,
                                         struct stint__sp_frame *ret, stint_error *err);

/* Splits a frame into stack and body. INVALID_ARGUMENT (MALFORMED) if no word has its high bit set
 * within STINT__SP_STACK_WORDS words. */
STINT_NODISCARD stint_code stint__sp_stack_split(struct stint__slice frame,
                                                 struct stint__sp_stack *ret_stack,
                                                 struct stint__slice *ret_body, stint_error *err);

/* The request ID (31 bits) in the last word of a stack that has one, and a stack of one word. */
uint32_t stint__sp_stack_id(const struct stint__sp_stack *stack);
struct stint__sp_stack stint__sp_stack_of(uint32_t id);

#endif
