/* node.h - a program under test as a process of its own: started, watched, hurt, restarted.
 *
 * Nodes are made by cluster_start (cluster.h), which also sees to their end. What waits here fails
 * the test when patience ends or when the node ends first. All of it is for the test's thread only:
 * the kernel kills a node when the thread that started it ends.
 *
 * What a node prints, on stdout and stderr, is its log. When it can be called it says so with a
 * line "ready URL", URL being where it really listens; stdout is a pipe, so it must flush. */
#ifndef STINT_TESTS_NODE_H
#define STINT_TESTS_NODE_H

#include <stdbool.h>
#include <sys/types.h>

struct node;

/* As an argument: stands for the node's URL. That is the one given at first; once the node is
 * ready, the one it announced, so that a restart comes back at the same port. */
#define NODE_URL "{url}"

/* A node that runs argv[0], a path, not started yet; url may be NULL. Everything is copied. */
struct node *node_new(const char *name, const char *url, const char *const argv[]);

/* Kills and frees; nothing of its process group is left. NULL is accepted. */
void node_free(struct node *n);

/* Starts it; or, once it has ended, starts it again at the same address. */
void node_start(struct node *n);

const char *node_name(const struct node *n);
const char *node_url(const struct node *n);
pid_t node_pid(const struct node *n);
bool node_is_alive(const struct node *n); /* as far as is known: nobody has waited for its end */

/* Waits for the line "ready URL". */
void node_wait_ready(struct node *n);

/* For a node that announces nothing: asks `look` again and again until it says true. */
void node_wait_until(struct node *n, bool (*look)(struct node *n, void *arg), void *arg);

/* Waits until `times` lines of the log, since the last start, contain the text. */
void node_wait_log(struct node *n, const char *text, unsigned times);

/* How many lines, since the last start, contain the text; of a long log the end counts. */
unsigned node_lines_with(struct node *n, const char *text);

/* A copy of the first of these lines, to be freed; NULL if there is none. */
char *node_line_with(struct node *n, const char *text);

/* Prints the log to stderr. */
void node_print_log(struct node *n);

/* Waits for its end. Returns the exit status, or 128 + the signal that ended it. */
int node_wait_exit(struct node *n);

/* SIGTERM, and node_wait_exit. */
int node_terminate(struct node *n);

/* SIGKILL; has ended when this returns. Harmless when it has ended already. */
void node_kill(struct node *n);

/* SIGSTOP and SIGCONT; it has stopped, or gone on, when this returns. */
void node_pause(struct node *n);
void node_resume(struct node *n);

#endif
