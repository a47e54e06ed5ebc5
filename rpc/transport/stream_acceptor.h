/* stream_acceptor.h - the two halves of a server: the acceptor (stream_acceptor.c), and one
 * client's connection (stream_conn.c).
 *
 * The acceptor's lock may be held when a connection's is taken, never the other way round. */
#ifndef STINT_TRANSPORT_STREAM_ACCEPTOR_H
#define STINT_TRANSPORT_STREAM_ACCEPTOR_H

#include "stream.h"

/* Somebody who waits for what is queued to be written. */
struct stint__flush {
    struct stint__list link;
    void (*fn)(void *arg);
    void *arg;
};

struct stint__stream_acceptor {
    struct stint__stream_end end;
    struct stint__acceptor_events events;
    struct stint__logger trouble; /* lines about accepting */
    char *url;
    atomic_uint refs;     /* its owner's, an accept outstanding, each connection, the timer */
    atomic_bool draining; /* set once; with the lock when listening must be seen to stop */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;  /* `running` became 0 */
    unsigned running;     /* threads in a function given to flush */
    struct stint__listener *listener; /* NULL from draining or closing on */
    struct stint__net_op accept_op;
    struct stint__timer pause; /* between a failure to accept and the next attempt */
    struct stint__list conns;  /* of stint__server_pipe, from accepted to gone */
    size_t n_conns;
    struct stint__list flushes;
    size_t unflushed; /* connections that the flushes wait for */
};

struct stint__server_pipe {
    struct stint__pipe pipe; /* first, as a stint__conn is a pointer to it */
    pthread_mutex_t lock;    /* the pipe's */
    struct stint__stream_acceptor *acceptor;
    struct stint__list link; /* in the acceptor's conns; guarded by its lock */
    bool flushing;           /* counted in `unflushed`; guarded by the acceptor's lock */
    bool opened;             /* `opened` has been called; `data` is what it returned */
    atomic_bool leaving;     /* it was told GOAWAY */
    void *data;
};

/* NULL: out of memory; the stream is then still the caller's. */
struct stint__server_pipe *stint__server_pipe_new(struct stint__stream_acceptor *a,
                                                  struct stint__stream *stream);

/* Tells the client to go elsewhere, if it can be told. Without the pipe's lock. */
void stint__server_pipe_goaway(struct stint__server_pipe *c);

void stint__stream_acceptor_ref(struct stint__stream_acceptor *a);
void stint__stream_acceptor_unref(struct stint__stream_acceptor *a);

/* The connection has written what a flush waits for, or is gone. */
void stint__stream_acceptor_flushed(struct stint__stream_acceptor *a, struct stint__server_pipe *c);
/* The connection is gone. */
void stint__stream_acceptor_forget(struct stint__stream_acceptor *a, struct stint__server_pipe *c);

#endif
