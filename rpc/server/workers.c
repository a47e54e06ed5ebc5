/* workers.c - the queue of calls and the threads that run them.
 *
 * The queue's mutex guards everything in it. One waiter is woken for one call, and none when all
 * workers are busy: they look again before they sleep. */
#include <signal.h>

#include "alloc.h"
#include "server_internal.h"

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
    while ((call = queue_pop(&s->queue)) != NULL) {
        stint__call_run(call);
        stint__call_unref(call);
    }
    return NULL;
}

stint_code stint__workers_start(stint_server *s, stint_error *err)
{
    sigset_t all, before;
    s->workers = stint__alloc_array(s->opts.workers, sizeof *s->workers);
    if (s->workers == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    /* Signals are the program's business: none is to be delivered to our threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (failed == 0 && s->n_workers < s->opts.workers) {
        failed = pthread_create(&s->workers[s->n_workers], NULL, worker, s);
        s->n_workers += failed == 0 ? 1 : 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
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
