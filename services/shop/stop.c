/* stop.c - SIGTERM, SIGINT and SIGHUP, turned into a cancelled context.
 *
 * They are blocked before there is a second thread, so that every thread has them blocked and one
 * thread alone takes them, with sigwait: unlike a signal handler, it may do anything. */
#include "stop.h"

#include <signal.h>

static void stop_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
    sigaddset(ret_set, SIGHUP);
}

static const char *signal_name(int signo)
{
    return signo == SIGINT ? "SIGINT" : signo == SIGHUP ? "SIGHUP" : "SIGTERM";
}

static void *take_signal(void *arg)
{
    struct shop_stop *stop = arg;
    sigset_t set;
    int signo = 0;

    stop_signals(&set);
    sigwait(&set, &signo); /* fails only for a set that is not valid */
    stint_ctx_cancel(stop->ctx, STINT_CANCELLED, signal_name(signo));
    return NULL;
}

bool shop_stop_init(struct shop_stop *stop)
{
    sigset_t set;

    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    stop->ctx = stint_ctx_with_cancel(stint_ctx_background());
    stop->running = pthread_create(&stop->thread, NULL, take_signal, stop) == 0;
    return stop->running;
}

void shop_stop_wait(struct shop_stop *stop)
{
    sigset_t set;

    pthread_join(stop->thread, NULL);
    stop->running = false;
    stop_signals(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void shop_stop_fini(struct shop_stop *stop)
{
    if (stop->running) {
        pthread_kill(stop->thread, SIGINT);
        pthread_join(stop->thread, NULL);
    }
    stint_ctx_drop(stop->ctx);
}
