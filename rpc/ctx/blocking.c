/* blocking.c - sleeping and waiting until a context is done.
 *
 * A wait's state is on the waiter's stack. Before it returns, the waiter stops its hook and disarms
 * its timer, both of which wait for a function that is running: nothing refers to the stack, or to
 * the user's mutex and condition variable, afterwards. */
#include "ctx_internal.h"
#include "ctx_tree.h"

/* ---- sleep ---- */

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool ended; /* guarded by lock */
};

static void wake_sleeper(void *arg)
{
    struct sleeper *s = arg;
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static void sleep_until(struct sleeper *s, stint_time when)
{
    pthread_mutex_lock(&s->lock);
    while (!s->ended && stint_time_before(stint_now(), when))
        (void)stint__cond_wait_until(&s->cond, &s->lock, when);
    pthread_mutex_unlock(&s->lock);
}

stint_code stint_ctx_sleep(const stint_ctx *ctx, stint_duration d)
{
    stint_code code = stint_ctx_err(ctx);
    if (code != STINT_OK || d <= 0)
        return code;
    stint_time until = stint_time_add(stint_now(), d);
    struct sleeper s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    if (stint__cond_init(&s.cond) != 0)
        return STINT_RESOURCE_EXHAUSTED;
    stint_hook hook;
    if (stint__ctx_after_cancel(ctx, &hook, wake_sleeper, &s)) {
        sleep_until(&s, stint_time_min(until, ctx->deadline));
        (void)stint_hook_stop(&hook);
    }
    pthread_cond_destroy(&s.cond);
    pthread_mutex_destroy(&s.lock);
    return stint_ctx_err(ctx);
}

/* ---- cond_wait ---- */

#define RETRY STINT_MS(1)

struct cond_waiter {
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    struct stint__timer timer; /* at the deadline; then, until it has worked, again and again */
    stint_hook hook;
};

/* A signal without the mutex is lost on a waiter that has not begun to wait yet. But it may be the
 * mutex of the very thread that ends the context, so we can only try to lock it. If that fails, a
 * waiter who waits has heard the signal all the same; for one who does not yet, we try again. */
static void wake_cond_waiter(struct cond_waiter *w)
{
    bool heard;
    do {
        heard = pthread_mutex_trylock(w->mutex) == 0;
        pthread_cond_broadcast(w->cond);
        if (heard)
            pthread_mutex_unlock(w->mutex);
        /* Arming fails, out of memory, only in the timer's own function: elsewhere it is armed and
         * but moves. That thread holds no mutex, so it may as well try until it works. */
    } while (!heard && !stint__vclock_in_use() &&
             !stint__timer_arm(&w->timer, stint_time_add(stint_now(), RETRY)));
}

static void cond_waiter_ended(void *arg)
{
    wake_cond_waiter(arg);
}

static void cond_waiter_timer(struct stint__timer *t)
{
    wake_cond_waiter(STINT__CONTAINER_OF(t, struct cond_waiter, timer));
}

stint_code stint_ctx_cond_wait(const stint_ctx *ctx, pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (stint__ctx_is_eternal(ctx)) {
        pthread_cond_wait(cond, mutex);
        return STINT_OK;
    }
    stint_code code = stint_ctx_err(ctx);
    if (code != STINT_OK)
        return code;
    struct cond_waiter w = {.cond = cond, .mutex = mutex};
    stint__timer_init(&w.timer, cond_waiter_timer);
    if (!stint__timer_arm(&w.timer, ctx->deadline)) /* first: the hook moves it */
        return STINT_RESOURCE_EXHAUSTED;
    if (stint__ctx_after_cancel(ctx, &w.hook, cond_waiter_ended, &w)) {
        stint__cond_wait_any(cond, mutex);
        (void)stint_hook_stop(&w.hook);
    }
    stint__timer_disarm_wait(&w.timer);
    return stint_ctx_err(ctx);
}
