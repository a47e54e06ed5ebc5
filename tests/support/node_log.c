/* node_log.c - see the header. log->mutex guards all of it; positions are offsets into text, which
 * move down together when its older half is dropped.
 *
 * Invariant: run_start <= line_start <= len, unless what they stood for has been dropped: then 0.
 */
#include "node_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patience.h"
#include "unit.h"

#define ROOM (2 * NODE_LOG_KEPT)

void node_log_init(struct node_log *log)
{
    pthread_condattr_t attr;
    *log = (struct node_log){.text = malloc(ROOM)};
    assert_non_null(log->text);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&log->cond, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&log->mutex, NULL);
}

void node_log_fini(struct node_log *log)
{
    pthread_cond_destroy(&log->cond);
    pthread_mutex_destroy(&log->mutex);
    free(log->text);
}

void node_log_begin_run(struct node_log *log)
{
    pthread_mutex_lock(&log->mutex);
    log->run_start = log->line_start = log->len;
    log->ended = false;
    log->url[0] = '\0';
    pthread_mutex_unlock(&log->mutex);
}

static size_t less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

static void make_room_locked(struct node_log *log, size_t wanted)
{
    if (log->len + wanted <= ROOM)
        return;
    size_t drop = less(log->len, NODE_LOG_KEPT);
    memmove(log->text, log->text + drop, log->len - drop);
    log->len -= drop;
    log->dropped += drop;
    log->run_start = less(log->run_start, drop);
    log->line_start = less(log->line_start, drop);
}

/* A complete line: is it one that is looked for? */
static void look_at_line_locked(struct node_log *log, const char *line, size_t len)
{
    static const char ready[] = "ready ";
    const size_t prefix = sizeof ready - 1;
    if (len > prefix && len - prefix < NODE_URL_MAX && memcmp(line, ready, prefix) == 0) {
        memcpy(log->url, line + prefix, len - prefix);
        log->url[len - prefix] = '\0';
    }
    if (log->watched != NULL && memmem(line, len, log->watched, strlen(log->watched)) != NULL)
        log->seen++;
}

static void append_locked(struct node_log *log, const char *data, size_t len)
{
    make_room_locked(log, len);
    memcpy(log->text + log->len, data, len);
    log->len += len;
    for (;;) {
        char *line = log->text + log->line_start;
        char *end = memchr(line, '\n', log->len - log->line_start);
        if (end == NULL)
            return;
        look_at_line_locked(log, line, (size_t)(end - line));
        log->line_start = (size_t)(end + 1 - log->text);
    }
}

void node_log_append(struct node_log *log, const char *data, size_t len)
{
    pthread_mutex_lock(&log->mutex);
    while (len > 0) {
        size_t part = len < NODE_LOG_KEPT ? len : NODE_LOG_KEPT;
        append_locked(log, data, part);
        data += part;
        len -= part;
    }
    pthread_cond_broadcast(&log->cond);
    pthread_mutex_unlock(&log->mutex);
}

void node_log_end_run(struct node_log *log)
{
    pthread_mutex_lock(&log->mutex);
    if (log->line_start < log->len) /* a last line without its end counts too */
        append_locked(log, "\n", 1);
    log->ended = true;
    pthread_cond_broadcast(&log->cond);
    pthread_mutex_unlock(&log->mutex);
}

/* The first complete line from `from` on that contains the text: its length, and *ret_line. */
static size_t find_locked(const struct node_log *log, const char *from, const char *text,
                          const char **ret_line)
{
    const char *end = log->text + log->line_start;
    while (from < end) {
        const char *stop = memchr(from, '\n', (size_t)(end - from));
        if (memmem(from, (size_t)(stop - from), text, strlen(text)) != NULL) {
            *ret_line = from;
            return (size_t)(stop - from);
        }
        from = stop + 1;
    }
    *ret_line = NULL;
    return 0;
}

static unsigned count_locked(const struct node_log *log, const char *text)
{
    unsigned count = 0;
    const char *line;
    size_t len = find_locked(log, log->text + log->run_start, text, &line);
    for (; line != NULL; len = find_locked(log, line + len + 1, text, &line))
        count++;
    return count;
}

char *node_log_line(struct node_log *log, const char *text)
{
    const char *line;
    pthread_mutex_lock(&log->mutex);
    size_t len = find_locked(log, log->text + log->run_start, text, &line);
    char *copy = line == NULL ? NULL : strndup(line, len);
    pthread_mutex_unlock(&log->mutex);
    return copy;
}

unsigned node_log_count(struct node_log *log, const char *text)
{
    pthread_mutex_lock(&log->mutex);
    unsigned count = count_locked(log, text);
    pthread_mutex_unlock(&log->mutex);
    return count;
}

/* Waits until enough(log, want), the end of the run, or the deadline. */
static enum node_log_outcome wait_locked(struct node_log *log, int64_t ms, unsigned want,
                                         bool (*enough)(const struct node_log *log, unsigned want))
{
    struct timespec deadline = deadline_in_ms(ms);
    while (!enough(log, want)) {
        if (log->ended)
            return NODE_LOG_ENDED;
        if (pthread_cond_timedwait(&log->cond, &log->mutex, &deadline) != 0 && !enough(log, want))
            return log->ended ? NODE_LOG_ENDED : NODE_LOG_TIMED_OUT;
    }
    return NODE_LOG_SEEN;
}

static bool seen_enough(const struct node_log *log, unsigned want)
{
    return log->seen >= want;
}

static bool is_ready(const struct node_log *log, unsigned want)
{
    (void)want;
    return log->url[0] != '\0';
}

enum node_log_outcome node_log_wait(struct node_log *log, const char *text, unsigned times,
                                    int64_t ms)
{
    pthread_mutex_lock(&log->mutex);
    log->seen = count_locked(log, text);
    log->watched = text;
    enum node_log_outcome outcome = wait_locked(log, ms, times, seen_enough);
    log->watched = NULL;
    pthread_mutex_unlock(&log->mutex);
    return outcome;
}

enum node_log_outcome node_log_wait_ready(struct node_log *log, char url[NODE_URL_MAX], int64_t ms)
{
    pthread_mutex_lock(&log->mutex);
    enum node_log_outcome outcome = wait_locked(log, ms, 0, is_ready);
    if (outcome == NODE_LOG_SEEN)
        memcpy(url, log->url, NODE_URL_MAX);
    pthread_mutex_unlock(&log->mutex);
    return outcome;
}

void node_log_print(struct node_log *log, const char *name)
{
    pthread_mutex_lock(&log->mutex);
    if (log->dropped > 0)
        fprintf(stderr, "%s| (%zu bytes before this were dropped)\n", name, log->dropped);
    const char *line = log->text, *end = log->text + log->len;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        fprintf(stderr, "%s| %.*s\n", name, (int)(stop - line), line);
        line = stop + 1;
    }
    pthread_mutex_unlock(&log->mutex);
}
