/* pipe.c - a pipe's life: start, reading, writing, end.
 *
 * Invariants, under the lock:
 *  - One thread at a time is `running`: it calls functions of the role, without the lock. Others
 *    leave work in `pending` for it. So what comes from reads, writes and closing is in one order.
 *  - At most one read and one write are outstanding. While nobody is running, a pipe that is not
 *    closing has a read outstanding unless it is paused or has work pending; a pipe that is closing
 *    has one always (on a closed stream it completes at once): its completion is what makes `gone`
 *    follow in a thread of the transport, whoever closed the pipe.
 *  - A pipe pauses between two frames, and reads only when the inbox holds no whole frame. While
 *    it is paused, it is `full`, so a write is under way or about to be; the one that makes room
 *    leaves WORK_FRAMES, whoever did it.
 *  - Whatever waits in the outbox is being written, or will be by the running thread at the end of
 *    its batch, unless the pipe is broken or closing.
 *
 * Design notes. Operations on the stream are started outside the lock where it matters, since they
 * make system calls; the flags are set before, so that nobody else starts one. A pipe that cannot
 * be written to is still read from until the end: a peer that closed after its last replies has not
 * taken them back. */
#include "pipe.h"

#include <string.h>

#include "clock.h"

#define WRITE_ROUNDS 4
#define READS_ON     16 /* reads in one go, then other connections get their turn of the thread */

enum work {
    WORK_READ = 1 << 0,
    WORK_ROOM = 1 << 1,
    WORK_MARKED = 1 << 2,
    WORK_FRAMES = 1 << 3,  /* those left in the inbox when it paused */
    WORK_STALLED = 1 << 4, /* to be reported */
    WORK_GONE = 1 << 5,
};

/* The pipe whose callbacks this thread is inside of. */
static _Thread_local struct stint__pipe *current;

static enum stint__pipe_state state_of(const struct stint__pipe *p)
{
    return (enum stint__pipe_state)atomic_load_explicit(&p->state, memory_order_relaxed);
}

static bool is_open(const struct stint__pipe *p)
{
    return state_of(p) < STINT__PIPE_CLOSING;
}

static void set_state_locked(struct stint__pipe *p, enum stint__pipe_state state)
{
    struct stint__transport_counters *c = &p->end->counters;
    p->since = stint_now();
    if (state == STINT__PIPE_UP) {
        p->up_at = p->since;
        stint__count(&c->connects);
        stint__count(&c->open);
        p->was_up = true;
    } else if (state == STINT__PIPE_GONE && p->was_up) {
        stint__count(&c->disconnects);
        atomic_fetch_sub(&c->open, 1);
    }
    atomic_store_explicit(&p->state, (int)state, memory_order_relaxed);
}

void stint__pipe_ref(struct stint__pipe *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

void stint__pipe_unref(struct stint__pipe *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint__outbox_fini(&p->out);
    stint__inbox_fini(&p->in);
    stint__stream_free(p->stream);
    pthread_cond_destroy(&p->idle);
    p->role->free(p);
}

/* ---- writing ---- */

/* From now on the peer has to take something, or it is given up. */
static void fill_locked(struct stint__pipe *p)
{
    if (stint__pipe_is_full(p) || p->broken || !is_open(p))
        return;
    atomic_store_explicit(&p->full, true, memory_order_relaxed);
    p->last_written = stint_now();
    stint__pipe_timer_arm_locked(p);
}

bool stint__pipe_put_locked(struct stint__pipe *p, const struct stint__sp_stack *stack,
                            const struct stint__envelope *e, size_t header_size)
{
    if (!stint__outbox_put_frame(&p->out, stint__stream_ipc_framing(p->stream), stack, e,
                                 header_size))
        return false;
    if (p->role->pauses && stint__outbox_size(&p->out) > p->end->opts.max_queued)
        fill_locked(p);
    return true;
}

void stint__pipe_put_control_locked(struct stint__pipe *p, const struct stint__sp_stack *stack,
                                    enum stint__kind kind, uint32_t features)
{
    struct stint__envelope e = {.kind = kind, .features = features};
    if (features != 0)
        e.max_message = p->end->opts.max_message;
    (void)!stint__pipe_put_locked(p, stack, &e, stint__envelope_header_size(&e));
}

/* `count` bytes are written: notes what follows from that in `pending`. */
static void written_locked(struct stint__pipe *p, size_t count)
{
    stint__outbox_take(&p->out, count);
    if (stint__pipe_is_full(p))
        p->last_written = stint_now();
    if (p->mark != 0 && (p->broken || p->out.taken >= p->mark)) {
        p->mark = 0;
        p->pending |= WORK_MARKED;
    }
    if (!p->broken && stint__outbox_size(&p->out) > p->end->opts.max_queued / 2)
        return;
    atomic_store_explicit(&p->full, false, memory_order_relaxed);
    if (p->paused) {
        p->paused = false;
        p->pending |= WORK_FRAMES;
    }
    if (p->want_room && !p->broken) {
        p->want_room = false;
        p->pending |= WORK_ROOM;
    }
}

/* Writes what waits: in this thread as far as the stream takes it at once, but after some rounds of
 * what other threads put in meanwhile its own threads go on. The lock is not held in between; the
 * caller has a reference. */
static void write_locked(struct stint__pipe *p)
{
    struct stint__iov iov[STINT__NET_IOV_MAX];
    for (int round = 0; !p->writing && !p->broken && is_open(p); round++) {
        unsigned n = stint__outbox_give(&p->out, iov);
        if (n == 0)
            return;
        p->writing = true;
        pthread_mutex_unlock(p->lock);
        size_t count = round < WRITE_ROUNDS ? stint__stream_try_write(p->stream, iov, n) : 0;
        if (count == 0) {
            stint__pipe_ref(p);
            stint__stream_write(p->stream, iov, n, &p->write_op);
        }
        pthread_mutex_lock(p->lock);
        if (count == 0)
            return;
        p->writing = false;
        written_locked(p, count);
    }
}

void stint__pipe_flush_unlock(struct stint__pipe *p)
{
    if (current == p) {
        pthread_mutex_unlock(p->lock);
        return;
    }
    stint__pipe_ref(p);
    write_locked(p);
    /* What follows from the writing is for a thread of the transport, which this may not be. */
    if (p->pending != 0 && !p->running)
        stint__pipe_timer_arm_locked(p);
    pthread_mutex_unlock(p->lock);
    stint__pipe_unref(p);
}

bool stint__pipe_mark(struct stint__pipe *p)
{
    pthread_mutex_lock(p->lock);
    bool waits = stint__pipe_is_up(p) && stint__outbox_size(&p->out) > 0;
    if (waits)
        p->mark = p->out.put;
    pthread_mutex_unlock(p->lock);
    return waits;
}

bool stint__pipe_is_marked(struct stint__pipe *p)
{
    pthread_mutex_lock(p->lock);
    bool marked = p->mark != 0 && state_of(p) != STINT__PIPE_GONE;
    pthread_mutex_unlock(p->lock);
    return marked;
}

/* ---- reading ---- */

/* Whether the peer is to take what waits for it before anything more of it is looked at. */
static bool pause_locked(struct stint__pipe *p)
{
    p->paused = stint__pipe_is_full(p) && is_open(p);
    return p->paused;
}

static bool pause_now(struct stint__pipe *p)
{
    if (!stint__pipe_is_full(p))
        return false;
    pthread_mutex_lock(p->lock);
    bool paused = pause_locked(p);
    pthread_mutex_unlock(p->lock);
    return paused;
}

/* Whether to read on; if so it counts as outstanding from here on. */
static bool want_read_locked(struct stint__pipe *p)
{
    if (p->reading || p->paused || !is_open(p) || pause_locked(p))
        return false;
    p->reading = true;
    stint__pipe_ref(p);
    return true;
}

/* The read that was outstanding is done. */
static void take_read_locked(struct stint__pipe *p)
{
    p->reading = false;
    p->last_read = p->read_at;
    if (p->read_op.code == STINT_OK && is_open(p))
        p->pending |= WORK_READ;
}

static void start_read(struct stint__pipe *p)
{
    size_t len;
    uint8_t *space = stint__inbox_space(&p->in, &len);
    p->asked = len;
    stint__stream_read(p->stream, space, len, &p->read_op);
}

/* Where the last read filled its space there is probably more: reads that in this thread, in place
 * of the read that counts as outstanding. False: there is not. */
static bool read_on(struct stint__pipe *p)
{
    if (p->read_op.code != STINT_OK || p->read_op.count < p->asked)
        return false;
    uint8_t *space = stint__inbox_space(&p->in, &p->asked);
    p->read_op.count = stint__stream_try_read(p->stream, space, p->asked);
    if (p->read_op.count == 0)
        return false;
    p->read_at = stint_now();
    return true;
}

static void close_malformed(struct stint__pipe *p, const stint_error *why)
{
    stint_error full;
    stint__transport_error(&full, why->code, why->reason, "%s: %s", stint__stream_peer(p->stream),
                           why->message);
    stint__count(&p->end->counters.malformed);
    stint__log_write(&p->end->malformed, stint_now(), STINT_LOG_WARN, "closed the connection: %s",
                     full.message);
    pthread_mutex_lock(p->lock);
    stint__pipe_close_locked(p, &full);
    pthread_mutex_unlock(p->lock);
}

void stint__pipe_close_for(struct stint__pipe *p, const stint_error *why)
{
    if (why->code != STINT_RESOURCE_EXHAUSTED || why->reason != STINT_REASON_NONE) {
        close_malformed(p, why);
        return;
    }
    pthread_mutex_lock(p->lock); /* not the peer's fault: we had no memory */
    stint__pipe_close_locked(p, why);
    pthread_mutex_unlock(p->lock);
}

static void pong(struct stint__pipe *p, const struct stint__sp_stack *stack)
{
    pthread_mutex_lock(p->lock);
    /* A peer that pings and does not read is not worth more memory. */
    if (stint__pipe_is_up(p) && stint__outbox_size(&p->out) <= p->end->opts.max_queued)
        stint__pipe_put_control_locked(p, stack, STINT__KIND_PONG, 0);
    stint__pipe_flush_unlock(p);
}

static stint_code take_frame(struct stint__pipe *p, struct stint__slice frame,
                             struct stint__buf *owner, stint_error *err)
{
    struct stint__sp_stack stack;
    struct stint__slice body;
    struct stint__incoming in;
    stint_code code = stint__sp_stack_split(frame, &stack, &body, err);
    if (code == STINT_OK)
        code = stint__incoming_decode(&in, body, owner, p->read_at, err);
    if (code != STINT_OK)
        return code;
    if (in.env.kind == STINT__KIND_PING)
        pong(p, &stack);
    else if (in.env.kind != STINT__KIND_PONG) /* that it came is all it says */
        code = p->role->frame(p, &stack, &in, err);
    return code;
}

/* False: not all of it has come yet, or the pipe was closed. */
static bool shake_hands(struct stint__pipe *p)
{
    struct stint__slice bytes = stint__inbox_bytes(&p->in);
    if (bytes.len < STINT__SP_HANDSHAKE_SIZE)
        return false;
    stint_error err;
    if (stint__sp_handshake_check(bytes.data, p->role->peer_protocol, &err) != STINT_OK) {
        stint__pipe_close_for(p, &err);
        return false;
    }
    stint__inbox_use(&p->in, STINT__SP_HANDSHAKE_SIZE);
    pthread_mutex_lock(p->lock);
    bool open = is_open(p);
    if (open) {
        set_state_locked(p, STINT__PIPE_UP);
        stint__pipe_timer_disarm_locked(p);
    }
    pthread_mutex_unlock(p->lock);
    if (open)
        p->role->up(p);
    return open;
}

static void take_frames(struct stint__pipe *p)
{
    bool ipc = stint__stream_ipc_framing(p->stream);
    size_t max_frame =
        p->end->opts.max_message + STINT__HEADER_MAX + sizeof(struct stint__sp_stack);
    while (state_of(p) == STINT__PIPE_UP && !pause_now(p)) {
        struct stint__slice frame;
        struct stint__buf *owner;
        stint_error err;
        enum stint__sp_next next = stint__inbox_next(&p->in, ipc, max_frame, &frame, &owner, &err);
        if (next == STINT__SP_MORE)
            return;
        if (next == STINT__SP_BAD || take_frame(p, frame, owner, &err) != STINT_OK)
            stint__pipe_close_for(p, &err);
    }
}

static void read_batch(struct stint__pipe *p)
{
    stint__inbox_filled(&p->in, p->read_op.count);
    if (state_of(p) != STINT__PIPE_HANDSHAKE || shake_hands(p))
        take_frames(p);
}

/* ---- running ---- */

static bool must_end_locked(const struct stint__pipe *p)
{
    return state_of(p) == STINT__PIPE_CLOSING && !p->reading;
}

static bool has_work_locked(const struct stint__pipe *p)
{
    return state_of(p) != STINT__PIPE_GONE && (p->pending != 0 || must_end_locked(p));
}

static unsigned next_work_locked(struct stint__pipe *p)
{
    unsigned work = p->pending;
    p->pending = 0;
    if (work == 0) {
        set_state_locked(p, STINT__PIPE_GONE);
        work = WORK_GONE;
    }
    return work;
}

static void do_work(struct stint__pipe *p, unsigned work)
{
    if (work & WORK_READ)
        read_batch(p);
    if (work & WORK_FRAMES)
        take_frames(p);
    if (work & WORK_STALLED)
        stint__log_write(&p->end->stalled, stint_now(), STINT_LOG_WARN, "closed the connection: %s",
                         p->why.message);
    if (work & WORK_ROOM)
        p->role->room(p);
    if (work & WORK_MARKED)
        p->role->marked(p);
    if (work & WORK_GONE) {
        p->role->gone(p, &p->why);
        stint__pipe_unref(p); /* the role's */
    }
}

static void run_locked(struct stint__pipe *p)
{
    struct stint__pipe *outer = current;
    current = p;
    p->running = true;
    stint__transport_enter();
    while (has_work_locked(p)) {
        unsigned work = next_work_locked(p);
        pthread_mutex_unlock(p->lock);
        do_work(p, work);
        pthread_mutex_lock(p->lock);
    }
    stint__transport_leave();
    p->running = false;
    pthread_cond_broadcast(&p->idle);
    current = outer;
}

/* As stint__pipe_run_unlock; reads on at most `reads_on` times before it starts a read. */
static void run_unlock(struct stint__pipe *p, int reads_on)
{
    for (;;) {
        write_locked(p); /* from which work may follow */
        while (!p->running && has_work_locked(p)) {
            run_locked(p);
            write_locked(p);
        }
        bool read = !p->running && want_read_locked(p);
        pthread_mutex_unlock(p->lock);
        if (!read)
            return;
        if (reads_on-- == 0 || !read_on(p)) {
            start_read(p);
            return;
        }
        pthread_mutex_lock(p->lock);
        take_read_locked(p);
        stint__pipe_unref(p); /* the read's; the caller has one */
    }
}

void stint__pipe_run_unlock(struct stint__pipe *p)
{
    run_unlock(p, 0);
}

static void on_read(struct stint__net_op *op)
{
    struct stint__pipe *p = STINT__CONTAINER_OF(op, struct stint__pipe, read_op);
    p->read_at = stint_now();
    pthread_mutex_lock(p->lock);
    take_read_locked(p);
    if (op->code != STINT_OK)
        stint__pipe_close_locked(p, &op->error);
    run_unlock(p, READS_ON);
    stint__pipe_unref(p);
}

/* The stream takes no more: what the peer sent before it went away may still be read. */
static void break_locked(struct stint__pipe *p)
{
    p->broken = true;
    p->since = stint_now();
    stint__pipe_timer_arm_locked(p);
}

static void on_write(struct stint__net_op *op)
{
    struct stint__pipe *p = STINT__CONTAINER_OF(op, struct stint__pipe, write_op);
    pthread_mutex_lock(p->lock);
    p->writing = false;
    if (op->code != STINT_OK && is_open(p))
        break_locked(p);
    written_locked(p, op->code == STINT_OK ? op->count : 0);
    stint__pipe_run_unlock(p);
    stint__pipe_unref(p);
}

/* ---- beginning and end ---- */

bool stint__pipe_init(struct stint__pipe *p, struct stint__stream_end *end,
                      const struct stint__pipe_role *role, pthread_mutex_t *lock,
                      struct stint__stream *stream)
{
    *p = (struct stint__pipe){
        .object = end->object,
        .role = role,
        .end = end,
        .stream = stream,
        .lock = lock,
        .read_op.fn = on_read,
        .write_op.fn = on_write,
    };
    atomic_init(&p->refs, 1);
    atomic_init(&p->state, STINT__PIPE_HANDSHAKE);
    atomic_init(&p->full, false);
    stint__timer_init(&p->timer, stint__pipe_timer_fn);
    stint__outbox_init(&p->out);
    uint8_t handshake[STINT__SP_HANDSHAKE_SIZE];
    stint__sp_handshake_encode(role->protocol, handshake);
    if (!stint__inbox_init(&p->in) ||
        !stint__outbox_put_bytes(&p->out, handshake, sizeof handshake)) {
        stint__inbox_fini(&p->in);
        stint__outbox_fini(&p->out);
        return false;
    }
    pthread_cond_init(&p->idle, NULL);
    return true;
}

void stint__pipe_start_unlock(struct stint__pipe *p)
{
    p->since = stint_now();
    stint__pipe_timer_arm_locked(p);
    p->reading = true;
    stint__pipe_ref(p);
    start_read(p);
    stint__pipe_flush_unlock(p);
}

void stint__pipe_set_features_locked(struct stint__pipe *p, const struct stint__envelope *e)
{
    p->features = e->features;
    p->peer_max = e->max_message;
    if (is_open(p))
        stint__pipe_timer_arm_locked(p);
}

size_t stint__pipe_max_message(const struct stint__pipe *p)
{
    size_t own = p->end->opts.max_message;
    return p->peer_max != 0 && p->peer_max < own ? (size_t)p->peer_max : own;
}

void stint__pipe_close_locked(struct stint__pipe *p, const stint_error *why)
{
    if (!is_open(p))
        return;
    p->why = *why;
    set_state_locked(p, STINT__PIPE_CLOSING);
    stint__pipe_timer_disarm_locked(p);
    stint__stream_close(p->stream);
    if (!p->reading && !p->running) {
        p->reading = true;
        stint__pipe_ref(p);
        stint__stream_read(p->stream, &p->nothing, 1, &p->read_op); /* the inbox may be full */
    }
}

void stint__pipe_close_stalled_locked(struct stint__pipe *p, const stint_error *why)
{
    stint__count(&p->end->counters.stalled);
    p->pending |= WORK_STALLED;
    stint__pipe_close_locked(p, why);
}

void stint__pipe_shut_down(struct stint__pipe *p, const stint_error *why)
{
    pthread_mutex_lock(p->lock);
    stint__pipe_close_locked(p, why);
    while (p->running)
        pthread_cond_wait(&p->idle, p->lock);
    if (state_of(p) != STINT__PIPE_GONE) {
        set_state_locked(p, STINT__PIPE_GONE);
        p->running = true;
        pthread_mutex_unlock(p->lock);
        stint__transport_enter();
        do_work(p, WORK_GONE);
        stint__transport_leave();
        pthread_mutex_lock(p->lock);
        p->running = false;
        pthread_cond_broadcast(&p->idle);
    }
    pthread_mutex_unlock(p->lock);
}
