/* nanomsg_client.c - an old nanomsg REQ socket that calls a server. A program of its own:
 * libnanomsg and libnng define the same names.
 *
 *     nanomsg_client URL CALLS */
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An envelope with kind 1 (a request), call_id and a payload of 5 bytes, by hand. */
static size_t make_request(unsigned char *out, unsigned char call_id)
{
    static const unsigned char tail[] = {0xa2, 0x06, 5, 'h', 'e', 'l', 'l', 'o'};
    unsigned char head[] = {0x08, 1, 0x10, call_id};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, tail, sizeof tail);
    return sizeof head + sizeof tail;
}

/* Whether the reply has kind 2, the call's ID and the payload. */
static int is_reply(const unsigned char *in, int len, unsigned char call_id)
{
    return len >= 12 && in[0] == 0x08 && in[1] == 2 && in[2] == 0x10 && in[3] == call_id &&
           memcmp(in + len - 8, "\xa2\x06\x05hello", 8) == 0;
}

static int call(int socket, unsigned char call_id)
{
    unsigned char request[64];
    unsigned char reply[256];
    size_t len = make_request(request, call_id);
    if (nn_send(socket, request, len, 0) != (int)len)
        return 0;
    int n = nn_recv(socket, reply, sizeof reply, 0);
    return n > 0 && is_reply(reply, n, call_id);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int timeout_ms = 20000;
    int socket = nn_socket(AF_SP, NN_REQ);
    if (socket < 0 || nn_connect(socket, argv[1]) < 0)
        return 1;
    nn_setsockopt(socket, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    unsigned long calls = strtoul(argv[2], NULL, 10);
    for (unsigned long i = 0; i < calls; i++) {
        if (!call(socket, (unsigned char)(i % 127 + 1))) {
            printf("call %lu failed: %s\n", i, nn_strerror(nn_errno()));
            return 1;
        }
    }
    printf("all %lu calls answered\n", calls);
    nn_close(socket);
    return 0;
}
