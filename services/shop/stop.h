/* stop.h - a context that is done when the process is asked to end. */
#ifndef SHOP_STOP_H
#define SHOP_STOP_H

#include <pthread.h>
#include <stdbool.h>

#include <stint/ctx.h>

struct shop_stop {
    stint_ctx *ctx; /* done with the first SIGTERM, SIGINT or SIGHUP, which its cause names */
    pthread_t thread;
    bool running; /* the thread, until it is joined */
};

/* Must be called while the process has one thread. False: there is no thread to be had. */
bool shop_stop_init(struct shop_stop *stop);

/* Waits for the signal. The next one kills: nobody should have to look for SIGKILL. */
void shop_stop_wait(struct shop_stop *stop);

/* Releases what init made. The signal may or may not have come, and been waited for. */
void shop_stop_fini(struct shop_stop *stop);

#endif
