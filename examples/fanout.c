/* fanout - three calls at once, ended as one: the first failure cancels the rest. */
#include <stdio.h>
#include <string.h>

#include "hello/v1/hello.stint.h"

#define GUESTS 3

/* Takes a while, with Sleepy a long one. A guest without a name is an error, at once. */
static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    bool sleepy = strcmp(req->name, "Sleepy") == 0;

    (void)self;
    if (req->name[0] == '\0')
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "a guest has no name");
    if (stint_ctx_sleep(ctx, sleepy ? STINT_SECONDS(60) : STINT_MS(50)) != STINT_OK)
        return stint_ctx_err(ctx);
    rep->text = stint_call_printf(call, "Hello, %s!", req->name);
    return STINT_OK;
}

/* Greets all of them, or none. */
static stint_code greet_all(const stint_ctx *ctx, stint_channel *ch, char *names[GUESTS],
                            stint_error *err)
{
    Hello__V1__GreetReply *replies[GUESTS] = {NULL};
    stint_group *group = stint_group_new(ctx, STINT_MS(10)); /* what we keep for printing */
    stint_code code;

    for (int i = 0; i < GUESTS; i++) {
        Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
        req.name = names[i];
        hello_v1_greeter_greet_group(group, ch, &req, &replies[i]);
    }
    code = stint_group_wait(group, err);
    for (int i = 0; i < GUESTS; i++) {
        if (code == STINT_OK)
            printf("%s\n", replies[i]->text);
        hello__v1__greet_reply__free_unpacked(replies[i], NULL);
    }
    return code;
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    char ann[] = "Ann", ben[] = "Ben", cleo[] = "Cleo", sleepy[] = "Sleepy", nobody[] = "";
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;

    if (stint_server_new(&server, NULL, &err) == STINT_OK &&
        hello_v1_greeter_register(server, &ops, NULL, &err) == STINT_OK &&
        stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
        stint_server_start(server, &err) == STINT_OK &&
        stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(90));

        /* Nobody waits for Sleepy: the failure comes first. */
        if (greet_all(ctx, ch, (char *[]){ann, ben, cleo}, &err) == STINT_OK &&
            greet_all(ctx, ch, (char *[]){ann, sleepy, nobody}, &err) != STINT_OK)
            printf("%s: %s\n", stint_code_name(err.code), err.message);
        stint_ctx_drop(ctx);
    }
    stint_channel_close(ch);
    stint_server_free(server);
    return err.code == STINT_INVALID_ARGUMENT ? 0 : 1;
}
