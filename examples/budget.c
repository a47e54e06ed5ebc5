/* budget - three calls after each other inside one deadline, of which we keep 20 ms for ourselves.
 * The second overruns its share, and only that; what the first leaves goes to those after it. */
#include <stdio.h>

#include "hello/v1/hello.stint.h"

/* Greets, and says how much time it had. For Slow it would need 30 s. */
static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    double left = (double)stint_ctx_remaining(ctx) / 1e6;

    (void)self;
    if (req->name[0] == 'S' && stint_ctx_sleep(ctx, STINT_SECONDS(30)) != STINT_OK)
        return stint_call_fail(call, stint_ctx_err(ctx), "had %.0f ms, needed 30 s", left);
    rep->text = stint_call_printf(call, "Hello, %s! I had %.0f ms.", req->name, left);
    return STINT_OK;
}

static stint_code call(const stint_ctx *leg, stint_channel *ch, char *name)
{
    double share = (double)stint_ctx_remaining(leg) / 1e6;
    Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
    Hello__V1__GreetReply *rep = NULL;
    stint_error err;
    stint_code code;

    req.name = name;
    code = hello_v1_greeter_greet(leg, ch, &req, &rep, &err);
    printf("%-4s with %3.0f ms: %s\n", name, share,
           code == STINT_OK ? rep->text : stint_code_name(code));
    hello__v1__greet_reply__free_unpacked(rep, NULL);
    return code;
}

/* True if each ended as it should. */
static bool call_all(const stint_ctx *ctx, stint_channel *ch)
{
    char ann[] = "Ann", slow[] = "Slow", ben[] = "Ben";
    stint_code first, second, third;

    STINT_BUDGET(budget, ctx, 3, STINT_MS(20));
    first = call(stint_budget_next(&budget), ch, ann);
    second = call(stint_budget_next(&budget), ch, slow);
    third = call(stint_budget_next(&budget), ch, ben);
    return first == STINT_OK && second == STINT_DEADLINE_EXCEEDED && third == STINT_OK;
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    bool good = false;
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;

    if (stint_server_new(&server, NULL, &err) == STINT_OK &&
        hello_v1_greeter_register(server, &ops, NULL, &err) == STINT_OK &&
        stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
        stint_server_start(server, &err) == STINT_OK &&
        stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK) {
        stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(500));

        good = call_all(ctx, ch);
        stint_ctx_drop(ctx);
    }
    if (err.code != STINT_OK)
        fprintf(stderr, "budget: %s: %s\n", stint_code_name(err.code), err.message);
    stint_channel_close(ch);
    stint_server_free(server);
    return good ? 0 : 1;
}
