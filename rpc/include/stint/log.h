/* stint/log.h - the library never prints: what it has to say goes to a callback. */
#ifndef STINT_LOG_H
#define STINT_LOG_H

#include <stdint.h>

#include <stint/macros.h>

STINT_BEGIN_DECLS

typedef enum stint_log_level {
    STINT_LOG_DEBUG,
    STINT_LOG_INFO,
    STINT_LOG_WARN,
    STINT_LOG_ERROR,
} stint_log_level;

/* Receives one line of text without a newline. `suppressed` counts similar lines
 * that were dropped since the last one by the rate limit (10 a second for each
 * server or channel). Called from any thread, never under a lock of the library;
 * it must not call back into the object it logs for. */
typedef void stint_log_fn(void *arg, stint_log_level level, const char *text, uint64_t suppressed);

/* Where an object logs to; {NULL, NULL} is silence. `arg` must outlive the object. */
typedef struct stint_log {
    stint_log_fn *fn;
    void *arg;
} stint_log;

STINT_END_DECLS

#endif
