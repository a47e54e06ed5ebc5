/* envelope_check.c - assertions about decoding. */
#include "envelope_check.h"

#include <string.h>

#include "unit.h"

void assert_refused(const struct bytes *b, const char *message)
{
    struct stint__envelope e;
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(stint__envelope_decode(&e, bytes_slice(b), &err), STINT_INVALID_ARGUMENT);
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, STINT_INVALID_ARGUMENT);
    assert_int_equal(err.reason, STINT_REASON_MALFORMED);
    assert_int_equal(stint__envelope_decode(&e, bytes_slice(b), NULL), STINT_INVALID_ARGUMENT);
}

struct stint__envelope assert_decodes(const struct bytes *b)
{
    struct stint__envelope e;
    stint_error err = STINT_ERROR_INIT;
    if (stint__envelope_decode(&e, bytes_slice(b), &err) != STINT_OK)
        fail_msg("%s", err.message);
    return e;
}

void put_entry(struct bytes *b, size_t key_len, size_t value_len)
{
    static uint8_t text[STINT_METADATA_MAX_BYTES + 1];
    memset(text, 'x', sizeof text);
    struct bytes entry = {0};
    bytes_put_field(&entry, 2, text, value_len); /* the value may come first */
    bytes_put_field(&entry, 1, text, key_len);
    bytes_put_field(b, 16, entry.data, entry.len);
    bytes_free(&entry);
}
