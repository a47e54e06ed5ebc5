/* cancel - the client changes its mind, and the handler stops at once. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "hello/v1/hello.stint.h"

/* What happens, in this order; each waited for, none polled. */
static struct {
    sem_t begun, stopped, ended;
    stint_time stopped_at;
    stint_code seen, code;
} events;

/* Works for ever, as long as somebody wants it. */
static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    (void)self, (void)req, (void)rep, (void)call;
    sem_post(&events.begun);
    while (stint_ctx_err(ctx) == STINT_OK)
        events.seen = stint_ctx_sleep(ctx, STINT_SECONDS(1));
    events.stopped_at = stint_now();
    sem_post(&events.stopped);
    return events.seen;
}

static void done(void *arg, stint_code code, Hello__V1__GreetReply *rep, const stint_error *err)
{
    (void)arg, (void)err;
    hello__v1__greet_reply__free_unpacked(rep, NULL);
    events.code = code;
    sem_post(&events.ended);
}

static void call_and_cancel(stint_channel *ch, stint_error *err)
{
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
    stint_time start;

    if (hello_v1_greeter_greet_async(ctx, ch, &req, done, NULL, err) == STINT_OK) {
        sem_wait(&events.begun);
        start = stint_now();
        stint_ctx_cancel(ctx, STINT_CANCELLED, "changed my mind");
        sem_wait(&events.ended);
        sem_wait(&events.stopped);
        printf("the call ended: %s; the handler stopped: %s, %.2f ms after the cancel\n",
               stint_code_name(events.code), stint_code_name(events.seen),
               (double)stint_time_sub(events.stopped_at, start) / 1e6);
    }
    stint_ctx_drop(ctx);
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;

    if (sem_init(&events.begun, 0, 0) == 0 && sem_init(&events.stopped, 0, 0) == 0 &&
        sem_init(&events.ended, 0, 0) == 0 && stint_server_new(&server, NULL, &err) == STINT_OK &&
        hello_v1_greeter_register(server, &ops, NULL, &err) == STINT_OK &&
        stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
        stint_server_start(server, &err) == STINT_OK &&
        stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK)
        call_and_cancel(ch, &err);
    if (err.code != STINT_OK)
        fprintf(stderr, "cancel: %s: %s\n", stint_code_name(err.code), err.message);
    stint_channel_close(ch);
    stint_server_free(server);
    return events.code == STINT_CANCELLED && events.seen == STINT_CANCELLED ? 0 : 1;
}
