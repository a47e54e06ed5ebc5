/* pipe.h - a pipe: one SP connection over a byte stream, either end of it.
 *
 * A pipe shakes hands, cuts what it reads into frames, writes what waits, answers PING, sends
 * heartbeats, and ends. What the frames mean is its role's business: stream_peer.c is the client's,
 * stream_acceptor.c the server's.
 *
 * Lifetime. References: one of the role, from start until `gone` has returned; one for a read and
 * one for a write outstanding; one for an armed timer; and those that others took. Functions of the
 * role are called without the lock and one at a time. `gone` is the last of them. */
#ifndef STINT_TRANSPORT_PIPE_H
#define STINT_TRANSPORT_PIPE_H

#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "inbox.h"
#include "logger.h"
#include "net.h"
#include "outbox.h"
#include "transport_impl.h"

/* What every peer and every acceptor of this kind begins with. */
struct stint__stream_end {
    struct stint__transport_object object;
    struct stint__transport_options opts;
    struct stint__transport_counters counters;
    struct stint__logger malformed; /* lines about connections closed for what came on them */
    struct stint__logger stalled;   /* and for what was not taken */
};

enum stint__pipe_state {
    STINT__PIPE_HANDSHAKE, /* waiting for the peer's */
    STINT__PIPE_UP,
    STINT__PIPE_CLOSING, /* the stream is closed; `gone` is to be called */
    STINT__PIPE_GONE,    /* `gone` has been called, or is being called */
};

struct stint__pipe;

struct stint__pipe_role {
    uint16_t protocol, peer_protocol; /* SP numbers */
    bool pauses; /* while too much waits to be written: takes no frames, and gives up in time */
    /* The handshake is done. */
    void (*up)(struct stint__pipe *p);
    /* A frame other than PING and PONG. What it returns other than OK closes the pipe as malformed.
     */
    stint_code (*frame)(struct stint__pipe *p, const struct stint__sp_stack *stack,
                        const struct stint__incoming *in, stint_error *err);
    /* The outbox has room again, after want_room was set. */
    void (*room)(struct stint__pipe *p);
    /* Everything put before stint__pipe_mark has been written, or cannot be. Without it `gone` says
     * the same. */
    void (*marked)(struct stint__pipe *p);
    void (*gone)(struct stint__pipe *p, const stint_error *why);
    /* The last reference is gone: frees the struct around the pipe. */
    void (*free)(struct stint__pipe *p);
};

struct stint__pipe {
    struct stint__transport_object object; /* an acceptor's pipe is a stint__conn */
    const struct stint__pipe_role *role;
    struct stint__stream_end *end;
    struct stint__stream *stream;
    atomic_uint refs;
    pthread_mutex_t *lock; /* the peer's, or the connection's own: guards what follows */
    pthread_cond_t idle;   /* `running` became false */
    atomic_int state;      /* enum stint__pipe_state; written with the lock, read also without */
    unsigned pending;      /* what the thread that is `running` will do */
    bool running;          /* a thread calls functions of the role */
    bool reading, writing; /* outstanding on the stream */
    bool paused;           /* neither reading nor handing up frames until the outbox has room */
    atomic_bool full; /* from when more waits than may be queued until half of that does; only where
                         the role pauses */
    bool broken;      /* cannot be written to any more; may still be read from */
    bool want_room;
    bool was_up;
    uint64_t mark;     /* 0, or the position in the outbox to report */
    unsigned features; /* the peer's, once known */
    uint64_t peer_max; /* the largest payload that the peer takes; 0: unknown */
    stint_time since;  /* when the state, or `broken`, became what it is */
    stint_time up_at;
    stint_time last_read, last_written, pinged;
    stint_error why; /* from CLOSING on */
    struct stint__outbox out;
    struct stint__timer timer;
    struct stint__net_op read_op, write_op;
    /* Belongs to the thread that is running, or to the read outstanding. */
    struct stint__inbox in;
    stint_time read_at;
    size_t asked;    /* of the last read: how much it was to read at most */
    uint8_t nothing; /* what the last read, on the closed stream, would be to */
};

/* Makes a pipe over `stream`, with one reference, the role's. It takes over the stream unless it
 * fails, which it does only for want of memory. */
STINT_NODISCARD bool stint__pipe_init(struct stint__pipe *p, struct stint__stream_end *end,
                                      const struct stint__pipe_role *role, pthread_mutex_t *lock,
                                      struct stint__stream *stream);
/* Begins. With the lock held, which it gives up. */
void stint__pipe_start_unlock(struct stint__pipe *p);

void stint__pipe_ref(struct stint__pipe *p);
void stint__pipe_unref(struct stint__pipe *p);

static inline bool stint__pipe_is_up(const struct stint__pipe *p)
{
    return atomic_load_explicit(&p->state, memory_order_relaxed) == STINT__PIPE_UP && !p->broken;
}

static inline bool stint__pipe_is_full(const struct stint__pipe *p)
{
    return atomic_load_explicit(&p->full, memory_order_relaxed);
}

/* Puts a frame into the outbox; the caller then calls stint__pipe_flush_unlock. False: no memory.
 */
STINT_NODISCARD bool stint__pipe_put_locked(struct stint__pipe *p,
                                            const struct stint__sp_stack *stack,
                                            const struct stint__envelope *e, size_t header_size);
/* The same for a frame that has a kind and features only. Without memory it is left out: all such
 * frames are hints that a peer can do without. */
void stint__pipe_put_control_locked(struct stint__pipe *p, const struct stint__sp_stack *stack,
                                    enum stint__kind kind, uint32_t features);

/* Gives up the lock and writes what waits, unless a write is outstanding already or this thread is
 * inside a callback of this pipe: then it is written at the end of the batch. */
void stint__pipe_flush_unlock(struct stint__pipe *p);

/* Does what is pending and writes what waits, unless another thread is at it; gives up the lock.
 * In a thread of the transport that has a reference. */
void stint__pipe_run_unlock(struct stint__pipe *p);

/* The peer's features, and what else it says beside them, have become known: heartbeats may start.
 */
void stint__pipe_set_features_locked(struct stint__pipe *p, const struct stint__envelope *e);

/* The largest payload that may be sent: what both sides take. */
size_t stint__pipe_max_message(const struct stint__pipe *p);

/* Asks for `marked`. False: nothing waits to be written, it will not be called. Without the lock.
 */
STINT_NODISCARD bool stint__pipe_mark(struct stint__pipe *p);
/* Whether `marked` is still to be called for the last mark. Without the lock. */
bool stint__pipe_is_marked(struct stint__pipe *p);

/* Ends the pipe, once; `gone` follows from a thread of the transport. */
void stint__pipe_close_locked(struct stint__pipe *p, const stint_error *why);
/* The same because of what came on it, counted and logged, or for want of memory. Without the lock.
 */
void stint__pipe_close_for(struct stint__pipe *p, const stint_error *why);
/* The same because the peer has long taken nothing of what waits for it. With the lock, which must
 * then be given up by stint__pipe_run_unlock. */
void stint__pipe_close_stalled_locked(struct stint__pipe *p, const stint_error *why);
/* Ends the pipe, waits until no other thread is running in it, and has called `gone` when it
 * returns. Without the lock, with a reference; not from one of the role's functions. */
void stint__pipe_shut_down(struct stint__pipe *p, const stint_error *why);

/* ---- pipe_timer.c ---- */

/* Arms the timer for what is next: what is pending, the handshake's limit, heartbeats, the end of a
 * pipe that is broken, or full for too long. */
void stint__pipe_timer_arm_locked(struct stint__pipe *p);
void stint__pipe_timer_disarm_locked(struct stint__pipe *p);
void stint__pipe_timer_fn(struct stint__timer *t);

#endif
