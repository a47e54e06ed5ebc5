/* malformed.h - the one way this layer says that bytes do not decode. */
#ifndef STINT_WIRE_MALFORMED_H
#define STINT_WIRE_MALFORMED_H

#include <stint/macros.h>
#include <stint/status.h>

/* Fills *err (may be NULL) with INVALID_ARGUMENT, reason MALFORMED and a text. Returns the code. */
stint_code stint__malformed(stint_error *err, const char *fmt, ...) STINT_PRINTF(2, 3);

#endif
