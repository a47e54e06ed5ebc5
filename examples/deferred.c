/* deferred - handlers that answer later and hold no thread meanwhile: a server with one worker
 * greets three guests together, once all three are there. */
#include <pthread.h>
#include <stdio.h>

#include "hello/v1/hello.stint.h"

#define GUESTS 3

/* Who is there; the lock guards the rest. */
struct table {
    pthread_mutex_t lock;
    stint_ticket *waiting[GUESTS];
    int n;
};

/* Seats a guest. The one who completes the table answers for all. */
static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    struct table *table = self;
    Hello__V1__GreetReply hello = HELLO__V1__GREET_REPLY__INIT;
    int seat = 0;

    (void)ctx, (void)req, (void)rep;
    pthread_mutex_lock(&table->lock);
    if (table->n < GUESTS && stint_call_defer(call, &table->waiting[table->n], NULL) == STINT_OK)
        seat = ++table->n;
    pthread_mutex_unlock(&table->lock);
    if (seat == 0)
        return stint_call_fail(call, STINT_RESOURCE_EXHAUSTED, "there are only %d seats", GUESTS);
    for (int i = 0; seat == GUESTS && i < GUESTS; i++) {
        stint_call *waiting = stint_ticket_call(table->waiting[i]);
        hello.text = stint_call_printf(waiting, "Hello, guest %d of %d!", i + 1, GUESTS);
        hello_v1_greeter_greet_finish(table->waiting[i], STINT_OK, &hello, NULL);
    }
    return STINT_DEFERRED;
}

static stint_code call_all(stint_channel *ch, stint_error *err)
{
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(30));
    stint_group *group = stint_group_new(ctx, 0);
    Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
    Hello__V1__GreetReply *replies[GUESTS] = {NULL};
    stint_code code;

    for (int i = 0; i < GUESTS; i++)
        hello_v1_greeter_greet_group(group, ch, &req, &replies[i]);
    code = stint_group_wait(group, err);
    for (int i = 0; i < GUESTS; i++) {
        printf("%s\n", replies[i] != NULL ? replies[i]->text : "(no answer)");
        hello__v1__greet_reply__free_unpacked(replies[i], NULL);
    }
    stint_ctx_drop(ctx);
    return code;
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    struct table table = {.lock = PTHREAD_MUTEX_INITIALIZER};
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;
    bool ok = stint_server_new(&server, STINT_SERVER_OPTIONS(.workers = 1), &err) == STINT_OK &&
              hello_v1_greeter_register(server, &ops, &table, &err) == STINT_OK &&
              stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
              stint_server_start(server, &err) == STINT_OK &&
              stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK &&
              call_all(ch, &err) == STINT_OK;

    if (!ok)
        fprintf(stderr, "deferred: %s: %s\n", stint_code_name(err.code), err.message);
    stint_channel_close(ch);
    stint_server_free(server);
    return ok ? 0 : 1;
}
