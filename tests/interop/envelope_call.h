/* envelope_call.h - one call as a peer makes it that has protobuf and a REQ socket, and nothing of
 * ours: the request's envelope, and what the reply's says. */
#ifndef STINT_TESTS_ENVELOPE_CALL_H
#define STINT_TESTS_ENVELOPE_CALL_H

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_CALL_MAX 512

/* A request for `method` with the bytes 0a 05 "hello" as its message (field 1: "hello"); `budget`
 * in microseconds, or "-" for none. Returns its size. */
size_t envelope_call_pack(const char *method, const char *budget, uint8_t out[ENVELOPE_CALL_MAX]);

/* Prints "reply CODE REASON executed|not-executed PAYLOAD", PAYLOAD being "hello", "none" or
 * "other". Returns 0, or 1 if that is no reply to our request. */
int envelope_call_print(const uint8_t *bytes, size_t len);

#endif
