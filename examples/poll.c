/* poll - a handler that waits for a file descriptor with poll(2), and for the end of its context in
 * the same place. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "hello/v1/hello.stint.h"

/* Answers with the byte that comes out of a pipe, if one does in time. */
static stint_code greet(void *self, const stint_ctx *ctx, const Hello__V1__GreetRequest *req,
                        Hello__V1__GreetReply *rep, stint_call *call)
{
    const int *pipe_fd = self;
    struct pollfd fds[] = {{.fd = *pipe_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    stint_error err;
    char byte;

    if (stint_ctx_fd(ctx, &fds[1].fd, &err) != STINT_OK)
        return stint_call_fail(call, err.code, "%s", err.message);
    while (poll(fds, 2, -1) < 0) /* interrupted by a signal */
        continue;
    if (fds[1].revents != 0)
        return stint_call_fail(call, stint_ctx_err(ctx), "nothing came out of the pipe");
    if (read(*pipe_fd, &byte, 1) != 1)
        return stint_call_fail(call, STINT_UNAVAILABLE, "the pipe is broken");
    rep->text = stint_call_printf(call, "%s, here is your %c", req->name, byte);
    return STINT_OK;
}

static stint_code call(stint_channel *ch, stint_duration timeout)
{
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), timeout);
    char name[] = "Ann";
    Hello__V1__GreetRequest req = HELLO__V1__GREET_REQUEST__INIT;
    Hello__V1__GreetReply *rep = NULL;
    stint_error err;
    stint_code code;

    req.name = name;
    code = hello_v1_greeter_greet(ctx, ch, &req, &rep, &err);
    printf("%s\n", code == STINT_OK ? rep->text : stint_code_name(code));
    hello__v1__greet_reply__free_unpacked(rep, NULL);
    stint_ctx_drop(ctx);
    return code;
}

int main(void)
{
    static const hello_v1_greeter_ops ops = {.greet = greet};
    stint_code filled = STINT_UNKNOWN, empty = STINT_UNKNOWN;
    stint_server *server = NULL;
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;
    int fds[2];

    if (pipe(fds) == 0 && stint_server_new(&server, NULL, &err) == STINT_OK &&
        hello_v1_greeter_register(server, &ops, &fds[0], &err) == STINT_OK &&
        stint_server_listen(server, "tcp://127.0.0.1:0", &err) == STINT_OK &&
        stint_server_start(server, &err) == STINT_OK &&
        stint_channel_open(&ch, stint_server_url(server, 0), NULL, &err) == STINT_OK) {
        if (write(fds[1], "X", 1) == 1)
            filled = call(ch, STINT_SECONDS(30));
        empty = call(ch, STINT_MS(100));
    }
    if (err.code != STINT_OK)
        fprintf(stderr, "poll: %s: %s\n", stint_code_name(err.code), err.message);
    stint_channel_close(ch);
    stint_server_free(server);
    return filled == STINT_OK && empty == STINT_DEADLINE_EXCEEDED ? 0 : 1;
}
