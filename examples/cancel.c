/* cancel - the client changes its mind, and the handler stops at once. */
#include <semaphore.h>
#include <stdio.h>

#include "hello/v1/hello.stint.h"

/* What happens, in this order; each waited for, none polled. */
struct events {
    sem_t begun, stopped, ended;
    stint_time stopped_at;
    stint_code seen; /* by the handler */
    stint_code code; /* by the client */
};

/* Works for ever, as long as somebody wants it. */
static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    struct events *e = self;

    (void)req, (void)rep, (void)call;
    sem_post(&e->begun);
    while ((e->seen = stint_ctx_sleep(ctx, STINT_MS(100))) == STINT_OK)
        continue; /* one more piece of work */
    e->stopped_at = stint_now();
    sem_post(&e->stopped);
    return e->seen;
}

static void done(void *arg, stint_code code, Hello__V1__GreetReply *rep, const stint_error *err)
{
    struct events *e = arg;

    (void)err;
    hello__v1__greet_reply__free_unpacked(rep, NULL);
    e->code = code;
    sem_post(&e->ended);
}

static void call_and_cancel(stint_channel *ch, struct events *e, stint_error *err)
{
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(60));
    Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
    stint_time start;

    if (hello_v1_greeter_greet_async(ctx, ch, &req, done, e, err) == STINT_OK) {
        sem_wait(&e->begun);
        start = stint_now();
        stint_ctx_cancel(ctx, STINT_CANCELLED, "changed my mind");
        sem_wait(&e->ended);
        sem_wait(&e->stopped);
        printf("the call ended: %s; the handler stopped: %s, %.2f ms after the cancel\n",
               stint_code_name(e->code), stint_code_name(e->seen),
               (double)stint_time_sub(e->stopped_at, start) / 1e6);
    }
    stint_ctx_drop(ctx);
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    struct events e = {.code = STINT_OK};
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;

    if (sem_init(&e.begun, 0, 0) == 0 && sem_init(&e.stopped, 0, 0) == 0 &&
        sem_init(&e.ended, 0, 0) == 0 && stint_server_new(&server, NULL, &err) == STINT_OK &&
        hello_v1_greeter_register(server, &ops, &e, &err) == STINT_OK &&
        stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
        stint_server_start(server, &err) == STINT_OK &&
        stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK)
        call_and_cancel(ch, &e, &err);
    if (err.code != STINT_OK)
        fprintf(stderr, "cancel: %s: %s\n", stint_code_name(err.code), err.message);
    stint_channel_close(ch);
    stint_server_free(server);
    return e.code == STINT_CANCELLED && e.seen == STINT_CANCELLED ? 0 : 1;
}
