/* status.c - names of codes and reasons, and the one way errors are made.
 *
 * Invariant: a stint_error's message is always NUL-terminated and valid UTF-8 up to where the text
 * given to it was: when it is too long it is cut between characters, never inside one. */
#include <stint/status.h>

#include <stdio.h>
#include <string.h>

/* The length of s without a partial character at its end. */
static size_t whole_characters(const char *s, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 4 && ((unsigned char)s[start - 1] & 0xC0u) == 0x80u)
        start--;
    if (start == 0)
        return len;
    unsigned char lead = (unsigned char)s[start - 1];
    size_t want = lead < 0x80u ? 1 : lead >= 0xF0u ? 4 : lead >= 0xE0u ? 3 : lead >= 0xC0u ? 2 : 1;
    return len - (start - 1) < want ? start - 1 : len;
}

void stint_error_clear(stint_error *err)
{
    if (err != NULL)
        *err = (stint_error)STINT_ERROR_INIT;
}

stint_code stint_error_vset(stint_error *err, stint_code code, const char *fmt, va_list args)
{
    if (err == NULL)
        return code;
    /* Formatted aside first: an argument may point into *err. */
    char text[STINT_ERROR_MESSAGE_MAX];
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof text)
        text[whole_characters(text, sizeof text - 1)] = '\0';
    stint_error_clear(err);
    err->code = code;
    err->origin = code == STINT_OK ? STINT_ORIGIN_NONE : STINT_ORIGIN_LOCAL;
    memcpy(err->message, text, sizeof text);
    return code;
}

stint_code stint_error_set(stint_error *err, stint_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    stint_error_vset(err, code, fmt, args);
    va_end(args);
    return code;
}

const char *stint_code_name(stint_code code)
{
    switch (code) {
    case STINT_DEFERRED:
        return "DEFERRED";
#define CASE(name, number)                                                                         \
    case STINT_##name:                                                                             \
        return #name;
        STINT_CODES(CASE)
#undef CASE
    }
    return "UNKNOWN_CODE";
}

const char *stint_reason_name(stint_reason reason)
{
    switch (reason) {
#define CASE(name, number)                                                                         \
    case STINT_REASON_##name:                                                                      \
        return #name;
        STINT_REASONS(CASE)
#undef CASE
    }
    return "UNKNOWN_REASON";
}
