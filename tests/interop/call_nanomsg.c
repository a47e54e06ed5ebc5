/* call_nanomsg.c - one call over an old nanomsg REQ socket: call_nanomsg URL METHOD BUDGET_US|- */
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>

#include "envelope_call.h"

int main(int argc, char **argv)
{
    uint8_t request[ENVELOPE_CALL_MAX];
    uint8_t *reply;
    int timeout_ms = 20000;
    if (argc != 4)
        return 2;
    size_t len = envelope_call_pack(argv[2], argv[3], request);
    int socket = nn_socket(AF_SP, NN_REQ);
    if (socket < 0 || nn_connect(socket, argv[1]) < 0)
        return 1;
    nn_setsockopt(socket, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    int n = nn_send(socket, request, len, 0) < 0 ? -1 : nn_recv(socket, &reply, NN_MSG, 0);
    if (n < 0) {
        printf("no reply: %s\n", nn_strerror(nn_errno()));
        return 1;
    }
    int rc = envelope_call_print(reply, (size_t)n);
    nn_freemsg(reply);
    nn_close(socket);
    return rc;
}
