/* main.c - a server and a client in one process, built outside of Stint's own project. */
#include <stdio.h>
#include <string.h>

#include <stint/options.pb-c.h>

#include "greet/v1/greet.stint.h"

static stint_code greet(void *self, const stint_ctx *ctx, const Greet__V1__GreetRequest *req,
                        Greet__V1__GreetReply *rep, stint_call *call)
{
    (void)self;
    (void)ctx;
    if (req->since == NULL || req->since->seconds != 42)
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "since when?");
    rep->text = stint_call_printf(call, "hello, %s", req->name);
    return rep->text != NULL ? STINT_OK : STINT_RESOURCE_EXHAUSTED;
}

static const greet_v1_greeter_ops ops = {.greet = greet};

static stint_code start_server(stint_server **ret_server, stint_error *err)
{
    stint_code code = stint_server_new(ret_server, NULL, err);
    if (code == STINT_OK)
        code = greet_v1_greeter_register(*ret_server, &ops, NULL, err);
    if (code == STINT_OK)
        code = stint_server_listen(*ret_server, "tcp://127.0.0.1:0", err);
    if (code == STINT_OK)
        code = stint_server_start(*ret_server, err);
    return code;
}

static stint_code call(const stint_ctx *ctx, stint_channel *ch, stint_error *err)
{
    Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Greet__V1__GreetRequest req = GREET__V1__GREET_REQUEST__INIT;
    Greet__V1__GreetReply *rep;
    since.seconds = 42;
    req.since = &since;
    req.name = "outside";
    stint_code code = stint_channel_wait_ready(ctx, ch, err);
    if (code == STINT_OK)
        code = greet_v1_greeter_greet(ctx, ch, &req, &rep, err);
    if (code != STINT_OK)
        return code;
    puts(rep->text);
    int same = strcmp(rep->text, "hello, outside") == 0;
    greet__v1__greet_reply__free_unpacked(rep, NULL);
    if (!same)
        return stint_error_set(err, STINT_INTERNAL, "another reply was expected");

    /* Nobody handles Ping. */
    const Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
    Google__Protobuf__Empty *nothing;
    code = greet_v1_greeter_ping(ctx, ch, &empty, &nothing, err);
    return code == STINT_UNIMPLEMENTED ? STINT_OK
                                       : stint_error_set(err, STINT_INTERNAL, "Ping was handled");
}

static stint_code run(stint_server **ret_server, stint_error *err)
{
    stint_channel *ch;
    stint_code code = start_server(ret_server, err);
    if (code != STINT_OK)
        return code;
    code = stint_channel_open(&ch, stint_server_url(*ret_server, 0), NULL, err);
    if (code != STINT_OK)
        return code;
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20));
    code = call(ctx, ch, err);
    stint_ctx_unref(ctx);
    stint_channel_close(ch);
    return code;
}

int main(void)
{
    /* The code for imported .proto files comes with Stint. */
    Stint__MethodOptions options = STINT__METHOD_OPTIONS__INIT;
    printf("stint %s, options of %zu bytes\n", stint_version(),
           stint__method_options__get_packed_size(&options));

    stint_server *server = NULL;
    stint_error err;
    stint_code code = run(&server, &err);
    stint_server_free(server);
    if (code == STINT_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", stint_code_name(code), err.message);
    return 1;
}
