/* memory.h - what the files of the simulated network share; nothing outside them includes it.
 *
 * memory_host.c: events, hosts and their faults. memory_stream.c: connections. memory.c: dialing,
 * listening, and the table of operations.
 *
 * Everything that happens is an event: a completion, the arrival of bytes, of a connection request
 * or of its answer. Events wait in one list, ordered by time and, at the same time, by when they
 * were scheduled; one timer runs those that are due. So nothing completes inside the function that
 * started it, and under the virtual clock the same calls give the same order.
 *
 * Locking: one lock, taken with stint__mem_lock, guards everything; it is released around op->fn.
 * Functions whose names end in _locked need it. Order: this lock, then the timers' own. */
#ifndef STINT_NET_MEMORY_H
#define STINT_NET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/time.h>

#include "list.h"
#include "net.h"

#define STINT__MEM_PREFIX   "mem://"
#define STINT__MEM_NAME_MAX 100
#define STINT__MEM_PEER_MAX (sizeof STINT__MEM_PREFIX + STINT__MEM_NAME_MAX + 32)

struct stint__mem_event {
    struct stint__list link; /* in the list of events, in a host's `parked`, or in none */
    stint_time when;
    /* Runs with the lock held. Returns an operation that is complete, or NULL; the event may be
     * gone afterwards. */
    struct stint__net_op *(*fn)(struct stint__mem_event *e);
};

/* What is behind one mem://NAME. */
struct stint__mem_host {
    struct stint__list link;
    unsigned users; /* dialers, listener, connections */
    bool has_faults;
    struct stint__mem_faults faults; /* if has_faults; else those of all names */
    struct stint__mem_listener *listener;
    struct stint__list connections;
    unsigned long connected;   /* connections so far, for their names */
    struct stint__list parked; /* events that came due during a partition */
    char name[STINT__MEM_NAME_MAX + 1];
};

/* One end. What the other end has written is kept here: first in `flying`, in order of arrival,
 * then in `arrived` until it is read. Only the head of `flying` has an event, so that bytes never
 * overtake each other within a connection, whatever the jitter and the partitions. */
struct stint__mem_stream {
    struct stint__net_object object;
    struct stint__mem_connection *connection;
    struct stint__list flying, arrived;
    size_t pending;    /* bytes in both: at most the window, unless that was made smaller */
    stint_time newest; /* when the last of `flying`, or the end of the stream, arrives */
    bool fin_sent;     /* the other end has closed; known here once `eof` is set */
    bool eof, closed, freed;
    struct stint__mem_event arrival, read_done, write_done;
    struct stint__net_op *read_op, *write_op;
    uint8_t *read_buf;
    size_t read_len;
    struct stint__iov iov[STINT__NET_IOV_MAX];
    unsigned n_iov;
    char peer[STINT__MEM_PEER_MAX];
};

/* Freed when both its ends are. */
struct stint__mem_connection {
    struct stint__list link;    /* in host->connections */
    struct stint__list backlog; /* in the listener's, until accepted */
    struct stint__mem_host *host;
    bool broken;
    struct stint__mem_stream client, server;
};

void stint__mem_lock(void);
void stint__mem_unlock(void);

/* ---- memory_host.c ---- */

void stint__mem_event_init(struct stint__mem_event *e,
                           struct stint__net_op *(*fn)(struct stint__mem_event *e));
/* Schedules e, or moves it. If the timer cannot be armed (no memory) it waits for the next one. */
void stint__mem_schedule_locked(struct stint__mem_event *e, stint_time when);
/* For now, unless it is on its way already. */
void stint__mem_soon_locked(struct stint__mem_event *e);
void stint__mem_unschedule_locked(struct stint__mem_event *e);

void stint__mem_op_begin(struct stint__net_op *op);
struct stint__net_op *stint__mem_op_fail(struct stint__net_op *op, stint_code code,
                                         const char *name, const char *what);

/* The host, made when there is none yet; one more user. NULL when out of memory. */
struct stint__mem_host *stint__mem_host_get_locked(const char *name);
void stint__mem_host_put_locked(struct stint__mem_host *h);
const struct stint__mem_faults *stint__mem_faults_locked(const struct stint__mem_host *h);
/* When something that leaves now arrives. */
stint_time stint__mem_arrival_locked(const struct stint__mem_host *h);
/* Whether a write breaks its connection now. */
bool stint__mem_chance_of_cut_locked(const struct stint__mem_host *h);
/* True: the network is partitioned, and e waits for it to heal. */
bool stint__mem_park_locked(struct stint__mem_host *h, struct stint__mem_event *e);

/* ---- memory_stream.c ---- */

/* NULL when out of memory. */
struct stint__mem_connection *stint__mem_connection_new_locked(struct stint__mem_host *h,
                                                               const struct stint__net_ops *ops);
/* Both ends learn of it at once. */
void stint__mem_break_locked(struct stint__mem_connection *c);

void stint__mem_read_locked(struct stint__mem_stream *s, void *buf, size_t len,
                            struct stint__net_op *op);
void stint__mem_write_locked(struct stint__mem_stream *s, const struct stint__iov *iov, unsigned n,
                             struct stint__net_op *op);
void stint__mem_close_locked(struct stint__mem_stream *s);
void stint__mem_free_locked(struct stint__mem_stream *s);
/* After the faults have changed: lets writes go on that have room now. */
void stint__mem_resume_locked(struct stint__mem_connection *c);

#endif
