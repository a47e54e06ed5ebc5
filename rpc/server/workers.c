/* workers.c - the threads that run calls, and the queue (queue.h) that they take them from.
 *
 * The work's mutex guards the queue and the limits. One worker is woken for one call, and none when
 * all are busy: they look again before they sleep. Whoever takes something out of the queue has its
 * reference, and answers it without the mutex.
 *
 * Each worker sleeps on a condition variable of its own. Of several that share one, glibc now and
 * then wakes none (its bug 25847, which Debian 12's 2.36 has), and a call would lie in the queue.
 * The worker that fell asleep last is woken first, as its caches are the warmest.
 *
 * A call that waits is given up when what is left is less than it needs: by the worker that comes
 * next, or, if all are busy for longer, by the sweep timer. */
#include <signal.h>

#include "alloc.h"
#include "server_internal.h"

/* Taken out of the queue at once to be given up: the queue's room is used anew meanwhile, so these
 * come on top of it. */
#define GIVE_UP_AT_ONCE 16

#define SWEEP_SLACK STINT_MS(1) /* workers come first: they do it without waking a thread, */
#define SLACK_SHARE 2           /* but this part of the reserve is left for the answer's way */

/* The server that this thread works for. At file scope because a handler that calls the server does
 * not say who it is. */
static _Thread_local const stint_server *employer;

const stint_server *stint__work_for(const stint_server *s)
{
    const stint_server *before = employer;
    employer = s;
    return before;
}

bool stint__is_worker_of(const stint_server *s)
{
    return employer == s;
}

static stint_call *call_of(struct stint__waiter *w)
{
    return w != NULL ? STINT__CONTAINER_OF(w, stint_call, waiter) : NULL;
}

/* ---- what waits too long ---- */

/* Takes out what is to be given up. False: there is more. */
static bool take_due_locked(struct stint__work *work, stint_time now, struct stint__list *given_up)
{
    for (int i = 0; i < GIVE_UP_AT_ONCE; i++) {
        struct stint__waiter *w = stint__queue_take_due(&work->queue, now);
        if (w == NULL)
            return true;
        stint__list_push_back(given_up, &w->link);
    }
    return false;
}

static void give_up(struct stint__list *given_up, stint_time now)
{
    struct stint__list *link;
    while ((link = stint__list_pop_front(given_up)) != NULL) {
        stint_call *call = call_of(STINT__CONTAINER_OF(link, struct stint__waiter, link));
        stint_error why;
        enum stint__outcome outcome = stint__call_given_up(call, now, &why);
        stint__call_refuse(call, &why, outcome);
        stint__call_unref(call);
    }
}

static stint_duration slack_of(const stint_call *call)
{
    stint_duration part = stint_time_sub(call->deadline, call->handler_deadline) / SLACK_SHARE;
    return part < SWEEP_SLACK ? part : SWEEP_SLACK;
}

/* Sees to it that somebody looks when the soonest is due. Out of memory for a timer: the workers
 * still do. */
static void set_sweep_locked(struct stint__work *work)
{
    stint_call *first = call_of(stint__queue_first_due(&work->queue));
    if (work->closed || first == NULL)
        return;
    stint_time at = stint_time_add(first->waiter.due.when, 1 + slack_of(first)); /* past it */
    if (stint_time_before(at, work->sweep_at) && stint__timer_arm(&work->sweep, at))
        work->sweep_at = at;
}

/* True: nothing more is due. */
static bool sweep(struct stint__work *work)
{
    struct stint__list given_up;
    stint__list_init(&given_up);
    stint_time now = stint_now();
    pthread_mutex_lock(&work->mutex);
    bool all = take_due_locked(work, now, &given_up);
    if (all) {
        work->sweep_at = (stint_time){INT64_MAX};
        set_sweep_locked(work);
    }
    pthread_mutex_unlock(&work->mutex);
    give_up(&given_up, now);
    return all;
}

static void on_sweep(struct stint__timer *t)
{
    struct stint__work *work = STINT__CONTAINER_OF(t, struct stint__work, sweep);
    stint__transport_enter(); /* an interceptor's end must not wait here either */
    while (!sweep(work))
        ;
    stint__transport_leave();
}

/* ---- sleeping workers ---- */

/* The worker to wake, by `wake` and without the mutex; NULL: none sleeps. */
static struct stint__worker *pick_idle_locked(struct stint__work *work)
{
    struct stint__list *link = stint__list_pop_front(&work->idle);
    return link != NULL ? STINT__CONTAINER_OF(link, struct stint__worker, idle) : NULL;
}

static void wake(struct stint__worker *w)
{
    if (w != NULL)
        pthread_cond_signal(&w->wake);
}

/* Until it is picked. */
static void sleep_locked(struct stint__work *work, struct stint__worker *self)
{
    stint__list_push_front(&work->idle, &self->idle);
    while (!stint__list_empty(&self->idle))
        pthread_cond_wait(&self->wake, &work->mutex);
}

/* ---- into the queue ---- */

/* Answers one that is given up for a call that found the queue full. Consumes its reference. */
static void displace(stint_call *call)
{
    static const stint_error displaced =
        STINT__REFUSAL(STINT_RESOURCE_EXHAUSTED, STINT_REASON_QUEUE_FULL,
                       "displaced from a full queue by a more critical or a newer call");
    stint_error why = displaced;
    why.pushback = stint__server_pushback(call->server);
    stint__call_refuse(call, &why, STINT__DISPLACED);
    stint__call_unref(call);
}

static enum stint__push push_locked(struct stint__work *work, stint_call *call,
                                    stint_call **ret_displaced)
{
    struct stint__waiter *w = &call->waiter;
    /* Whoever answers a call looks for it in here afterwards, with the mutex. */
    if (work->closed || stint__call_is_answered(call))
        return STINT__PUSH_FULL;
    enum stint__push result = stint__queue_push(&work->queue, w);
    if (result == STINT__PUSH_FULL) {
        *ret_displaced = call_of(stint__queue_make_room(&work->queue, w->level));
        if (*ret_displaced != NULL)
            result = stint__queue_push(&work->queue, w);
    }
    if (result == STINT__PUSH_DONE)
        set_sweep_locked(work);
    return result;
}

stint_code stint__work_push(stint_call *call, stint_error *err)
{
    struct stint__work *work = &call->server->work;
    stint_call *displaced = NULL;
    call->waiter.due.when = stint__call_due(call);
    pthread_mutex_lock(&work->mutex);
    bool closed = work->closed;
    enum stint__push result = push_locked(work, call, &displaced);
    struct stint__worker *next = result == STINT__PUSH_DONE ? pick_idle_locked(work) : NULL;
    pthread_mutex_unlock(&work->mutex);
    wake(next);
    if (displaced != NULL)
        displace(displaced);
    if (result == STINT__PUSH_DONE)
        return STINT_OK;
    if (closed) {
        *err = stint__server_stopped;
        return err->code;
    }
    bool full = result == STINT__PUSH_FULL; /* or it was answered: then this is not sent */
    stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                    full ? "too many calls wait for a worker" : "the server is out of memory");
    if (full) {
        err->reason = STINT_REASON_QUEUE_FULL;
        err->pushback = stint__server_pushback(call->server);
    }
    return STINT_RESOURCE_EXHAUSTED;
}

/* ---- out of it ---- */

/* Lets the limits learn from a call that has run. */
static void sample_limits_locked(struct stint__work *work, const stint_call *call)
{
    struct stint__method_state *m = call->entry->state;
    if (call->taken == 0)
        return; /* it ended in another way than by its handler's answer */
    stint__limit_sample(&m->limit, call->taken, call->needed, m->lane.running);
    stint__limit_sample(&work->limit, call->taken, call->needed, work->queue.running);
    stint__lane_set_limit(&work->queue, &m->lane, stint__limit_get(&m->limit));
    work->queue.limit = stint__limit_get(&work->limit);
}

/* A call that was taken does not run any more. `sample`: this thread answered it, or saw its
 * handler return. */
static void done_locked(struct stint__work *work, stint_call *call, bool sample)
{
    if (!atomic_exchange(&call->occupies, false))
        return;
    if (sample)
        sample_limits_locked(work, call);
    stint__queue_done(&work->queue, &call->entry->state->lane);
}

void stint__work_forget(stint_call *call)
{
    struct stint__work *work = &call->server->work;
    if (call->waiter.lane == NULL)
        return; /* it runs where it was read */
    bool deferred = atomic_load(&call->deferred);
    if (atomic_load(&call->occupies) && !deferred)
        return; /* until its handler returns */
    struct stint__worker *next = NULL;
    pthread_mutex_lock(&work->mutex);
    bool queued = call->waiter.queued;
    stint__queue_remove(&work->queue, &call->waiter);
    if (deferred) {
        done_locked(work, call, true);
        next = work->queue.length > 0 ? pick_idle_locked(work) : NULL;
    }
    pthread_mutex_unlock(&work->mutex);
    wake(next);
    if (queued)
        stint__call_unref(call);
}

/* What a worker has to do next: calls to give up, or one to run. Not both: to give up takes time,
 * and then what was enough for the other may be so no more. */
struct turn {
    stint_time now;
    struct stint__list given_up;
    stint_call *call; /* NULL: none */
};

/* False: there is nothing to do now. */
static bool find_turn_locked(struct stint__work *work, struct turn *t)
{
    t->now = stint_now();
    (void)take_due_locked(work, t->now, &t->given_up);
    if (!stint__list_empty(&t->given_up))
        return true;
    t->call = call_of(stint__queue_take(&work->queue, t->now));
    if (t->call != NULL)
        atomic_store(&t->call->occupies, true);
    return t->call != NULL;
}

/* Whether another worker should look, too: a limit may have risen by more than one. */
static bool is_more_to_do_locked(const struct stint__work *work)
{
    return work->queue.length > 0 && work->queue.running < work->queue.limit;
}

/* Waits for something to do. `done` (may be NULL), what was done before, is released. False: there
 * will be nothing more. */
static bool next_turn(struct stint__worker *self, stint_call *done, struct turn *t)
{
    struct stint__work *work = &self->server->work;
    stint__list_init(&t->given_up);
    t->call = NULL;
    pthread_mutex_lock(&work->mutex);
    if (done != NULL)
        done_locked(work, done, !atomic_load(&done->deferred));
    bool found = find_turn_locked(work, t);
    if (!found && done != NULL) {
        /* Not kept while asleep. */
        pthread_mutex_unlock(&work->mutex);
        stint__call_unref(done);
        done = NULL;
        pthread_mutex_lock(&work->mutex);
        found = find_turn_locked(work, t);
    }
    while (!found && !work->closed) {
        sleep_locked(work, self);
        found = find_turn_locked(work, t);
    }
    struct stint__worker *next =
        found && is_more_to_do_locked(work) ? pick_idle_locked(work) : NULL;
    pthread_mutex_unlock(&work->mutex);
    wake(next);
    if (done != NULL)
        stint__call_unref(done);
    return found;
}

static void *worker(void *arg)
{
    struct stint__worker *self = arg;
    stint_call *done = NULL;
    struct turn t;
    stint__work_for(self->server);
    while (next_turn(self, done, &t)) {
        done = t.call;
        give_up(&t.given_up, t.now);
        if (done == NULL)
            continue;
        done->run_at = t.now;
        stint__call_run(done);
        if (atomic_load(&done->deferred) && !stint__call_is_answered(done)) {
            stint__call_unref(done); /* runs until it is answered */
            done = NULL;
        }
    }
    return NULL;
}

bool stint__thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg)
{
    /* Signals are the program's business: none is to be delivered to our threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

void stint__work_init(stint_server *s)
{
    struct stint__work *work = &s->work;
    uint32_t most = s->opts.max_concurrency;
    pthread_mutex_init(&work->mutex, NULL);
    stint__list_init(&work->idle);
    stint__queue_init(&work->queue, s->opts.max_queue, most, stint_now());
    stint__limit_init(&work->limit, STINT__LIMIT_LEAST, most, most);
    stint__timer_init(&work->sweep, on_sweep);
    work->sweep_at = (stint_time){INT64_MAX};
}

void stint__work_fini(stint_server *s)
{
    for (uint32_t i = 0; s->workers != NULL && i < s->opts.workers; i++)
        pthread_cond_destroy(&s->workers[i].wake);
    stint__free(s->workers);
    stint__queue_fini(&s->work.queue);
    pthread_mutex_destroy(&s->work.mutex);
}

stint_code stint__workers_start(stint_server *s, stint_error *err)
{
    s->workers = stint__alloc_array(s->opts.workers, sizeof *s->workers);
    if (s->workers == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    for (uint32_t i = 0; i < s->opts.workers; i++) {
        s->workers[i].server = s;
        stint__list_init(&s->workers[i].idle);
        stint__cond_init(&s->workers[i].wake);
    }
    while (s->n_workers < s->opts.workers &&
           stint__thread_start(&s->workers[s->n_workers].thread, worker, &s->workers[s->n_workers]))
        s->n_workers++;
    if (s->n_workers == s->opts.workers)
        return STINT_OK;
    uint32_t got = s->n_workers;
    stint__workers_stop(s);
    return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "could start only %u of %u workers",
                           (unsigned)got, (unsigned)s->opts.workers);
}

void stint__workers_stop(stint_server *s)
{
    struct stint__work *work = &s->work;
    pthread_mutex_lock(&work->mutex);
    work->closed = true;
    struct stint__worker *w;
    while ((w = pick_idle_locked(work)) != NULL)
        wake(w);
    pthread_mutex_unlock(&work->mutex);
    stint__timer_disarm_wait(&work->sweep);
    for (uint32_t i = 0; i < s->n_workers; i++)
        pthread_join(s->workers[i].thread, NULL);
    s->n_workers = 0;
}
