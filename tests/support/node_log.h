/* node_log.h - what a node has printed, kept in memory as it comes.
 *
 * One thread appends, the test's thread looks and waits. Only the last megabyte is kept, but no
 * line that is waited for, and no ready line, is missed. */
#ifndef STINT_TESTS_NODE_LOG_H
#define STINT_TESTS_NODE_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_LOG_KEPT ((size_t)1 << 20)
#define NODE_URL_MAX  256

struct node_log {
    pthread_mutex_t mutex; /* guards everything here */
    pthread_cond_t cond;   /* something was appended, or the end came */
    char *text;            /* room for 2 * NODE_LOG_KEPT */
    size_t len;
    size_t dropped;         /* bytes, before text */
    size_t run_start;       /* where in text the present run began */
    size_t line_start;      /* where the line begins that is not complete yet */
    bool ended;             /* nothing more will come from the present run */
    char url[NODE_URL_MAX]; /* from its line "ready URL"; empty: none yet */
    const char *watched;    /* a text that is waited for, or NULL */
    unsigned seen;          /* its lines in the present run */
};

void node_log_init(struct node_log *log);
void node_log_fini(struct node_log *log);

/* A new run of the node begins: what is looked for from now on is looked for after this point. */
void node_log_begin_run(struct node_log *log);
void node_log_append(struct node_log *log, const char *data, size_t len);
void node_log_end_run(struct node_log *log);

enum node_log_outcome { NODE_LOG_SEEN, NODE_LOG_ENDED, NODE_LOG_TIMED_OUT };

/* Waits, at most ms, until `times` lines of the present run contain the text. */
enum node_log_outcome node_log_wait(struct node_log *log, const char *text, unsigned times,
                                    int64_t ms);

/* Waits for a line "ready URL" of the present run; copies the URL. */
enum node_log_outcome node_log_wait_ready(struct node_log *log, char url[NODE_URL_MAX], int64_t ms);

/* How many lines of the present run that are still kept contain the text. */
unsigned node_log_count(struct node_log *log, const char *text);

/* A copy of the first of these lines, or NULL; to be freed. */
char *node_log_line(struct node_log *log, const char *text);

/* Prints everything kept to stderr, each line behind `name`. */
void node_log_print(struct node_log *log, const char *name);

#endif
