/* books.h - whether a server's counters add up. */
#ifndef STINT_TESTS_BOOKS_H
#define STINT_TESTS_BOOKS_H

#include <stint/server.h>

/* Waits until nothing is in flight and no handler runs, then checks: every request was counted as
 * one outcome, for its method and for the server, and each handler that ran once. Returns the
 * counters. */
stint_server_stats books_check(stint_server *s);

#endif
