/* malformed.c - the error for bytes that do not decode. */
#include "malformed.h"

#include <stdarg.h>
#include <stddef.h>

stint_code stint__malformed(stint_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    stint_code code = stint_error_vset(err, STINT_INVALID_ARGUMENT, fmt, args);
    va_end(args);
    if (err != NULL)
        err->reason = STINT_REASON_MALFORMED;
    return code;
}
