/* hello - a server, a client and one call that may take 200 ms. */
#include <stdio.h>

#include "hello/v1/hello.stint.h"

static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    (void)self;
    (void)ctx;
    if (req->name[0] == '\0')
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "whom should I greet?");
    rep->text = stint_call_printf(call, "Hello, %s!", req->name);
    return STINT_OK;
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    char name[] = "world";
    Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
    Hello__V1__GreetReply *rep = NULL;
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;

    if (stint_server_new(&server, NULL, &err) == STINT_OK &&
        hello_v1_greeter_register(server, &ops, NULL, &err) == STINT_OK &&
        stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
        stint_server_start(server, &err) == STINT_OK &&
        stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(200));

        req.name = name;
        if (hello_v1_greeter_greet(ctx, ch, &req, &rep, &err) == STINT_OK)
            printf("%s\n", rep->text);
        stint_ctx_drop(ctx);
    }
    if (err.code != STINT_OK)
        fprintf(stderr, "hello: %s: %s\n", stint_code_name(err.code), err.message);
    hello__v1__greet_reply__free_unpacked(rep, NULL);
    stint_channel_close(ch);
    stint_server_free(server);
    return err.code == STINT_OK ? 0 : 1;
}
