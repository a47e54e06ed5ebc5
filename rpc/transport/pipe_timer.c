/* pipe_timer.c - the one timer of a pipe: the handshake's limit, heartbeats, the end of a pipe that
 * cannot be written to; and a thread for what followed from a write in somebody else's.
 *
 * The timer is not moved at each read: it runs when the silence would have lasted long enough,
 * looks, and is armed again. Each time it is armed it holds a reference to the pipe, which the
 * function gives up when it has run, or whoever disarms it. All under the pipe's lock.
 *
 * Design notes. Silence counts only if it is the peer's. While the outbox is full, progress in
 * writing shows that the peer lives (this side may be paused), and a peer that makes none is lost
 * even if heartbeats are off or it does not know them: what waits for it is held for it. While it
 * is busy in a callback, or when the timer runs much too late (the whole process was stopped), the
 * answer to a PING may lie in the socket: the peer gets the time again. */
#include "pipe.h"

#define HANDSHAKE_LIMIT STINT_SECONDS(10)
#define BROKEN_LIMIT    STINT_SECONDS(1)
#define STALL_LIMIT     STINT_SECONDS(30) /* without heartbeats; with them, two of them */

static const stint_time never = {INT64_MAX};

static stint_time later(stint_time a, stint_time b)
{
    return stint_time_before(a, b) ? b : a;
}

/* When the peer last showed that it lives. */
static stint_time alive_locked(const struct stint__pipe *p)
{
    return later(p->last_read, p->last_written);
}

static bool beats_locked(const struct stint__pipe *p)
{
    return p->end->opts.heartbeat > 0 && (p->features & STINT__FEATURE_PING) != 0;
}

static stint_duration stall_limit(const struct stint__pipe *p)
{
    stint_duration heartbeat = p->end->opts.heartbeat;
    return heartbeat > 0 && heartbeat < INT64_MAX / 2 ? 2 * heartbeat : STALL_LIMIT;
}

static stint_time due_locked(const struct stint__pipe *p)
{
    if (atomic_load(&p->state) == STINT__PIPE_HANDSHAKE)
        return stint_time_add(p->since, HANDSHAKE_LIMIT);
    if (p->broken)
        return stint_time_add(p->since, BROKEN_LIMIT);
    if (!beats_locked(p))
        return stint__pipe_is_full(p) ? stint_time_add(alive_locked(p), stall_limit(p)) : never;
    return stint_time_add(later(alive_locked(p), p->pinged), p->end->opts.heartbeat);
}

void stint__pipe_timer_disarm_locked(struct stint__pipe *p)
{
    if (stint__timer_disarm(&p->timer))
        stint__pipe_unref(p);
}

/* Without memory for a timer the pipe lives without one. */
static void arm_locked(struct stint__pipe *p, stint_time when)
{
    stint__pipe_timer_disarm_locked(p);
    stint__pipe_ref(p);
    if (!stint__timer_arm(&p->timer, when))
        stint__pipe_unref(p);
}

void stint__pipe_timer_arm_locked(struct stint__pipe *p)
{
    stint_time when = p->pending != 0 ? stint_now() : due_locked(p);
    if (when.ns != never.ns)
        arm_locked(p, when);
}

static void close_silent_locked(struct stint__pipe *p, const char *what, stint_duration limit)
{
    stint_error why;
    stint_error_set(&why, STINT_UNAVAILABLE, "%s: %s within %lld ms", stint__stream_peer(p->stream),
                    what, (long long)(limit / STINT_MS(1)));
    if (stint__pipe_is_full(p))
        stint__pipe_close_stalled_locked(p, &why);
    else
        stint__pipe_close_locked(p, &why);
}

/* The process was stopped, or the machine is far behind. */
static bool is_much_too_late(stint_time now, stint_time due, stint_duration limit)
{
    return stint_time_sub(now, due) >= limit / 2;
}

static const char takes_nothing[] = "the peer took nothing of what waits for it";

static void stall_locked(struct stint__pipe *p, stint_time now, stint_time due)
{
    stint_duration limit = stall_limit(p);
    if (is_much_too_late(now, due, limit))
        p->last_written = now;
    else
        close_silent_locked(p, takes_nothing, limit);
}

static void heartbeat_locked(struct stint__pipe *p, stint_time now, stint_time due)
{
    stint_duration limit = p->end->opts.heartbeat;
    bool waiting = stint_time_before(alive_locked(p), p->pinged);
    if (waiting && !p->running && !is_much_too_late(now, due, limit)) {
        close_silent_locked(
            p, stint__pipe_is_full(p) ? takes_nothing : "the peer is silent: no answer to a PING",
            limit);
        return;
    }
    struct stint__sp_stack nobody = stint__sp_stack_of(0);
    if (!waiting)
        stint__pipe_put_control_locked(p, &nobody, STINT__KIND_PING, 0);
    p->pinged = now;
}

void stint__pipe_timer_fn(struct stint__timer *t)
{
    struct stint__pipe *p = STINT__CONTAINER_OF(t, struct stint__pipe, timer);
    pthread_mutex_lock(p->lock);
    int state = atomic_load(&p->state);
    stint_time now = stint_now();
    stint_time due = due_locked(p);
    if (state < STINT__PIPE_CLOSING && !stint_time_before(now, due)) {
        if (state == STINT__PIPE_HANDSHAKE)
            close_silent_locked(p, "no SP handshake", HANDSHAKE_LIMIT);
        else if (p->broken)
            close_silent_locked(p, "cannot be written to, and did not end", BROKEN_LIMIT);
        else if (beats_locked(p))
            heartbeat_locked(p, now, due);
        else
            stall_locked(p, now, due);
    }
    if (atomic_load(&p->state) < STINT__PIPE_CLOSING)
        stint__pipe_timer_arm_locked(p);
    stint__pipe_run_unlock(p);
    stint__pipe_unref(p);
}
