/* workers.c - the queue of calls and the threads that run them.
 *
 * The queue's mutex guards everything in it. One waiter is woken for one call, and none when all
 * workers are busy: they look again before they sleep. */
#include <signal.h>

#include "alloc.h"
#include "server_internal.h"

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

bool stint__queue_push(stint_server *s, stint_call *call)
{
    struct stint__queue *q = &s->queue;
    pthread_mutex_lock(&q->mutex);
    bool ok = !q->closed && q->length < q->max;
    if (ok) {
        stint__list_push_back(&q->calls, &call->queue_link);
        q->length++;
    }
    bool wake = ok && q->idle > 0;
    pthread_mutex_unlock(&q->mutex);
    if (wake)
        pthread_cond_signal(&q->nonempty);
    return ok;
}

/* The next call; NULL when the queue is closed and empty. */
static stint_call *queue_pop(struct stint__queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (stint__list_empty(&q->calls) && !q->closed) {
        q->idle++;
        pthread_cond_wait(&q->nonempty, &q->mutex);
        q->idle--;
    }
    struct stint__list *link = stint__list_pop_front(&q->calls);
    if (link != NULL)
        q->length--;
    pthread_mutex_unlock(&q->mutex);
    return link != NULL ? STINT__CONTAINER_OF(link, stint_call, queue_link) : NULL;
}

static void *worker(void *arg)
{
    stint_server *s = arg;
    stint_call *call;
    stint__work_for(s);
    while ((call = queue_pop(&s->queue)) != NULL) {
        stint__call_run(call);
        stint__call_unref(call);
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

stint_code stint__workers_start(stint_server *s, stint_error *err)
{
    s->workers = stint__alloc_array(s->opts.workers, sizeof *s->workers);
    if (s->workers == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    while (s->n_workers < s->opts.workers &&
           stint__thread_start(&s->workers[s->n_workers], worker, s))
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
    struct stint__queue *q = &s->queue;
    pthread_mutex_lock(&q->mutex);
    q->closed = true;
    pthread_cond_broadcast(&q->nonempty);
    pthread_mutex_unlock(&q->mutex);
    for (uint32_t i = 0; i < s->n_workers; i++)
        pthread_join(s->workers[i], NULL);
    s->n_workers = 0;
}
