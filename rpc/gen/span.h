/* span.h - spans of time as options say them: whole microseconds, 0 or more. */
#ifndef STINT_GEN_SPAN_H
#define STINT_GEN_SPAN_H

#include <stdint.h>

#include "text.h"

#define GEN_SPAN_MAX     (INT64_MAX / 1000) /* its nanoseconds fit a stint_duration */
#define GEN_SPAN_FOREVER INT64_MAX          /* what has no limit */

/* "250ms" in microseconds; 0 if s is not a whole number above 0 with a unit, or over
 * GEN_SPAN_MAX. */
int64_t gen_span_parse(const char *s);

/* Sum, product and difference, which stay between 0 and forever. */
int64_t gen_span_add(int64_t a, int64_t b);
int64_t gen_span_times(int64_t a, uint32_t n);
int64_t gen_span_less(int64_t a, int64_t b);

/* Exactly, for people: "1.5s", "250ms", "33.333ms", "20us"; "no limit" for forever. */
const char *gen_span_text(struct stint__arena *arena, int64_t us);

/* As a constant expression of C: "STINT_MS(250)". */
const char *gen_span_code(struct stint__arena *arena, int64_t us);

#endif
