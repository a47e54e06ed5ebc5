/* nng_reap.c - the one thread that closes, stops and frees NNG's objects.
 *
 * It is one for the whole process and is never stopped: what it frees has outlived the object that
 * used it, so nobody is left who could own the thread. `reaper.lock` guards everything in `reaper`.
 * Items are run in the order they came in, without the lock. */
#include "nng_impl.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "net_impl.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct stint__list items;
    bool started;
    uint64_t queued, done; /* items ever handed over, and run */
} reaper = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
    .items = {&reaper.items, &reaper.items},
};

static void *reaper_main(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&reaper.lock);
    for (;;) {
        struct stint__list *link = stint__list_pop_front(&reaper.items);
        if (link == NULL) {
            pthread_cond_wait(&reaper.changed, &reaper.lock);
            continue;
        }
        pthread_mutex_unlock(&reaper.lock);
        struct stint__nng_reap *item = STINT__CONTAINER_OF(link, struct stint__nng_reap, link);
        item->fn(item);
        pthread_mutex_lock(&reaper.lock);
        reaper.done++;
        pthread_cond_broadcast(&reaper.changed);
    }
    return NULL;
}

static int start_thread(void)
{
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_t thread;
    int rv = pthread_create(&thread, NULL, reaper_main, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rv == 0)
        pthread_detach(thread);
    return rv;
}

stint_code stint__nng_reaper_start(stint_error *err)
{
    pthread_mutex_lock(&reaper.lock);
    bool started = reaper.started || start_thread() == 0;
    reaper.started = started;
    pthread_mutex_unlock(&reaper.lock);
    if (!started)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "cannot start a thread");
    return STINT_OK;
}

void stint__nng_reap(struct stint__nng_reap *item, void (*fn)(struct stint__nng_reap *item))
{
    item->fn = fn;
    pthread_mutex_lock(&reaper.lock);
    stint__list_push_back(&reaper.items, &item->link);
    reaper.queued++;
    pthread_cond_broadcast(&reaper.changed);
    pthread_mutex_unlock(&reaper.lock);
}

void stint__nng_quiesce(void)
{
    pthread_mutex_lock(&reaper.lock);
    uint64_t ticket = reaper.queued;
    while (reaper.done < ticket)
        pthread_cond_wait(&reaper.changed, &reaper.lock);
    pthread_mutex_unlock(&reaper.lock);
}
