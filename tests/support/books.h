/* books.h - whether a server's counters add up. */
#ifndef STINT_TESTS_BOOKS_H
#define STINT_TESTS_BOOKS_H

#include <stint/server.h>

/* Waits until nothing is in flight, no handler runs, and every request has an outcome. */
void books_wait(stint_server *s);

/* Waits likewise, then checks: every request was counted as one outcome, for its method and for the
 * server, and each handler that ran once. Returns the counters. Nothing may be on its way to the
 * server any more: it would be counted in one place and not yet in the next. */
stint_server_stats books_check(stint_server *s);

#endif
