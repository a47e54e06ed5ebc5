/* envelope_check.h - assertions about decoding. */
#ifndef STINT_TESTS_WIRE_ENVELOPE_CHECK_H
#define STINT_TESTS_WIRE_ENVELOPE_CHECK_H

#include "bytes.h"
#include "envelope.h"

/* Decoding fails with MALFORMED and this text. */
void assert_refused(const struct bytes *b, const char *message);

struct stint__envelope assert_decodes(const struct bytes *b);

/* A metadata entry whose key and value are so many letters. */
void put_entry(struct bytes *b, size_t key_len, size_t value_len);

#endif
