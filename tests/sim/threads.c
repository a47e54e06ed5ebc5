/* threads.c - POSIX threads, played by fibers.
 *
 * The linker puts these functions in the place of the real ones wherever the program, and thus the
 * library in it, calls them (--wrap, see CMakeLists.txt). Outside fibers_run they are the real
 * ones.
 *
 * A mutex is the real one, only that whoever finds it locked waits as a fiber: its holder is
 * another one of the same thread. A condition variable is an address to wait on. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "fiber.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker gives the names. */

#define REAL(ret, name, ...)                                                                       \
    ret __real_##name(__VA_ARGS__);                                                                \
    ret __wrap_##name(__VA_ARGS__);

REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
REAL(int, pthread_join, pthread_t, void **)
REAL(int, pthread_detach, pthread_t)
REAL(pthread_t, pthread_self, void)
REAL(int, pthread_mutex_lock, pthread_mutex_t *)
REAL(int, pthread_mutex_unlock, pthread_mutex_t *)
REAL(int, pthread_cond_wait, pthread_cond_t *, pthread_mutex_t *)
REAL(int, pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *, clockid_t,
     const struct timespec *)
REAL(int, pthread_cond_signal, pthread_cond_t *)
REAL(int, pthread_cond_broadcast, pthread_cond_t *)
REAL(int, sched_yield, void)
REAL(ssize_t, getrandom, void *, size_t, unsigned)

/* ---- threads ---- */

static struct fiber *fiber_of(pthread_t thread)
{
    return (struct fiber *)thread; // NOLINT(performance-no-int-to-ptr): we made it of one
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    if (!fibers_active())
        return __real_pthread_create(ret, attr, fn, arg);
    int detached = PTHREAD_CREATE_JOINABLE;
    if (attr != NULL)
        (void)pthread_attr_getdetachstate(attr, &detached);
    struct fiber *f = fiber_start(fn, arg);
    if (detached == PTHREAD_CREATE_DETACHED)
        fiber_detach(f);
    *ret = (pthread_t)f;
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
    if (!fibers_active())
        return __real_pthread_join(thread, ret);
    void *result = fiber_join(fiber_of(thread));
    if (ret != NULL)
        *ret = result;
    return 0;
}

int __wrap_pthread_detach(pthread_t thread)
{
    if (!fibers_active())
        return __real_pthread_detach(thread);
    fiber_detach(fiber_of(thread));
    return 0;
}

pthread_t __wrap_pthread_self(void)
{
    return fibers_active() ? (pthread_t)fiber_self() : __real_pthread_self();
}

int __wrap_sched_yield(void)
{
    if (!fibers_active())
        return __real_sched_yield();
    fiber_yield();
    return 0;
}

/* ---- mutexes ---- */

static unsigned blocked; /* fibers that wait for a mutex */

static void lock(pthread_mutex_t *mutex)
{
    while (pthread_mutex_trylock(mutex) == EBUSY) {
        blocked++;
        fiber_wait(mutex, false);
        blocked--;
    }
}

static int unlock(pthread_mutex_t *mutex)
{
    int rc = __real_pthread_mutex_unlock(mutex);
    if (blocked > 0)
        fiber_wake(mutex, false);
    return rc;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!fibers_active())
        return __real_pthread_mutex_lock(mutex);
    fiber_may_yield();
    lock(mutex);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (!fibers_active())
        return __real_pthread_mutex_unlock(mutex);
    int rc = unlock(mutex);
    fiber_may_yield();
    return rc;
}

/* ---- condition variables ---- */

static int wait_on(pthread_cond_t *cond, pthread_mutex_t *mutex, bool impatient)
{
    (void)unlock(mutex); /* and nobody comes in between */
    fiber_wait(cond, impatient);
    lock(mutex);
    return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!fibers_active())
        return __real_pthread_cond_wait(cond, mutex);
    return wait_on(cond, mutex, false);
}

/* With a limit in real time, of which none passes here: in its place virtual time moves. */
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
    if (!fibers_active())
        return __real_pthread_cond_clockwait(cond, mutex, clock, until);
    return wait_on(cond, mutex, true);
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    if (!fibers_active())
        return __real_pthread_cond_signal(cond);
    fiber_wake(cond, false);
    fiber_may_yield();
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (!fibers_active())
        return __real_pthread_cond_broadcast(cond);
    fiber_wake(cond, true);
    fiber_may_yield();
    return 0;
}

/* ---- entropy ---- */

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
    if (!fibers_active())
        return __real_getrandom(buf, len, flags);
    uint64_t number = fibers_entropy();
    size_t n = len < sizeof number ? len : sizeof number;
    memcpy(buf, &number, n);
    return (ssize_t)n;
}

/* NOLINTEND(bugprone-reserved-identifier) */
