/* logger.h - log lines through the user's callback, at most 10 a second from one place.
 *
 * An object has one logger for each kind of line that a peer can provoke, so that a flood of one
 * kind does not hide the others. Thread-safe; no lock is held while the callback runs. */
#ifndef STINT_BASE_LOGGER_H
#define STINT_BASE_LOGGER_H

#include <stdatomic.h>
#include <stdint.h>

#include <stint/log.h>
#include <stint/macros.h>
#include <stint/time.h>

#define STINT__LOG_LINES_PER_SECOND 10

/* All zero: nothing written yet. */
struct stint__log_limit {
    atomic_uint_least64_t window;     /* the second it counts, and the lines let through in it */
    atomic_uint_least64_t suppressed; /* lines dropped since the last one let through */
};

struct stint__logger {
    stint_log log;
    struct stint__log_limit limit;
};

void stint__log_init(struct stint__logger *l, stint_log log);

/* Writes a printf-formatted line, or counts it as suppressed. */
void stint__log_write(struct stint__logger *l, stint_time now, stint_log_level level,
                      const char *fmt, ...) STINT_PRINTF(4, 5);

/* The same for several logs that share a limit. */
void stint__log_write_limited(struct stint__log_limit *limit, const stint_log *log, stint_time now,
                              stint_log_level level, const char *fmt, ...) STINT_PRINTF(5, 6);

#endif
