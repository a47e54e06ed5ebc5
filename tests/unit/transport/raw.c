/* raw.c - see raw.h. No state. */
#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "patience.h"
#include "unit.h"

/* ---- sockets ---- */

static socklen_t address_of(const char *url, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (strncmp(url, "ipc://", 6) == 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)ret;
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof un->sun_path, "%s", url + 6);
        return sizeof *un;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    char host[32];
    const char *colon = strrchr(url, ':');
    assert_int_equal(strncmp(url, "tcp://", 6), 0);
    snprintf(host, sizeof host, "%.*s", (int)(colon - url - 6), url + 6);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    assert_int_equal(inet_pton(AF_INET, host, &in->sin_addr), 1);
    return sizeof *in;
}

static int new_socket(const struct sockaddr_storage *addr)
{
    int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    return fd;
}

int raw_listen(const char *ipc_url)
{
    struct sockaddr_storage addr;
    socklen_t len = address_of(ipc_url, &addr);
    int fd = new_socket(&addr);
    unlink(ipc_url + 6);
    assert_return_code(bind(fd, (struct sockaddr *)&addr, len), errno);
    assert_return_code(listen(fd, 16), errno);
    return fd;
}

static bool is_ready(int fd, short events, int ms)
{
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, ms) == 1;
}

bool raw_readable(int fd, int ms)
{
    return is_ready(fd, POLLIN, ms);
}

bool raw_writable(int fd, int ms)
{
    return is_ready(fd, POLLOUT, ms);
}

static void wait_readable(int fd)
{
    if (!raw_readable(fd, (int)patience_ms()))
        fail_msg("nothing to read from the peer");
}

int raw_accept(int listener)
{
    wait_readable(listener);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_return_code(fd, errno);
    return fd;
}

bool raw_try_connect(const char *url, int *ret_fd)
{
    struct sockaddr_storage addr;
    socklen_t len = address_of(url, &addr);
    *ret_fd = new_socket(&addr);
    if (connect(*ret_fd, (struct sockaddr *)&addr, len) == 0)
        return true;
    close(*ret_fd);
    return false;
}

int raw_connect(const char *url)
{
    int fd;
    assert_true(raw_try_connect(url, &fd));
    return fd;
}

int raw_socket(const char *url)
{
    struct sockaddr_storage addr;
    address_of(url, &addr);
    return new_socket(&addr);
}

void raw_connect_socket(int fd, const char *url)
{
    struct sockaddr_storage addr;
    socklen_t len = address_of(url, &addr);
    assert_return_code(connect(fd, (struct sockaddr *)&addr, len), errno);
}

void raw_send(int fd, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        assert_return_code((int)n, errno);
        p += n;
        len -= (size_t)n;
    }
}

void raw_receive(int fd, void *data, size_t len)
{
    uint8_t *p = data;
    while (len > 0) {
        wait_readable(fd);
        ssize_t n = recv(fd, p, len, 0);
        if (n <= 0)
            fail_msg("the peer closed with %zu bytes still to come", len);
        p += n;
        len -= (size_t)n;
    }
}

size_t raw_receive_end(int fd)
{
    size_t count = 0;
    for (;;) {
        uint8_t bytes[4096];
        wait_readable(fd);
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            return count;
        count += (size_t)n;
    }
}

/* ---- SP ---- */

void raw_shake_hands(int fd, uint16_t ours, uint16_t theirs)
{
    uint8_t bytes[STINT__SP_HANDSHAKE_SIZE];
    stint__sp_handshake_encode(ours, bytes);
    raw_send(fd, bytes, sizeof bytes);
    raw_receive(fd, bytes, sizeof bytes);
    assert_int_equal(stint__sp_handshake_check(bytes, theirs, NULL), STINT_OK);
}

static uint8_t *allocate(size_t size)
{
    uint8_t *p = malloc(size + 1);
    assert_non_null(p);
    return p;
}

void raw_send_frame(int fd, bool ipc, const struct stint__sp_stack *stack,
                    const struct stint__envelope *e)
{
    size_t header = stint__envelope_header_size(e);
    size_t payload = e->has_payload ? e->payload.len : 0;
    uint8_t *bytes = allocate(STINT__SP_FRAME_HEAD_MAX + stack->len + header + payload);
    size_t n = stint__sp_frame_head(ipc, stack->len + header + payload, bytes);
    memcpy(bytes + n, stack->bytes, stack->len);
    n += stack->len;
    stint__envelope_encode_header(e, bytes + n);
    n += header;
    if (payload > 0)
        memcpy(bytes + n, e->payload.data, payload);
    raw_send(fd, bytes, n + payload);
    free(bytes);
}

void raw_receive_frame(int fd, bool ipc, struct raw_frame *ret)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    size_t head_len = ipc ? 9 : 8;
    raw_receive(fd, head, head_len);
    struct stint__reader r;
    stint__reader_init(&r, head + head_len - 8, 8);
    size_t len = stint__read_be64(&r);
    ret->bytes = allocate(len);
    raw_receive(fd, ret->bytes, len);
    struct stint__slice body;
    stint_error err;
    assert_int_equal(
        stint__sp_stack_split((struct stint__slice){ret->bytes, len}, &ret->stack, &body, &err),
        STINT_OK);
    if (stint__envelope_decode(&ret->env, body, &err) != STINT_OK)
        fail_msg("%s", err.message);
}

void raw_frame_free(struct raw_frame *f)
{
    free(f->bytes);
    f->bytes = NULL;
}

void raw_send_kind(int fd, bool ipc, uint32_t id, enum stint__kind kind, uint64_t call_id,
                   uint32_t features)
{
    struct stint__sp_stack stack = stint__sp_stack_of(id);
    struct stint__envelope e = {.kind = kind, .call_id = call_id, .features = features};
    raw_send_frame(fd, ipc, &stack, &e);
}

uint32_t raw_expect_kind(int fd, bool ipc, enum stint__kind kind)
{
    struct raw_frame f;
    raw_receive_frame(fd, ipc, &f);
    assert_int_equal(f.env.kind, kind);
    uint32_t id = stint__sp_stack_id(&f.stack);
    raw_frame_free(&f);
    return id;
}

int raw_connect_with_features(const char *ipc_url)
{
    int fd = raw_connect(ipc_url);
    raw_shake_hands(fd, STINT__SP_REQ, STINT__SP_REP);
    raw_send_kind(fd, true, 7, STINT__KIND_REQUEST, 1, STINT__FEATURES_ALL);
    raw_expect_kind(fd, true, STINT__KIND_HELLO);
    raw_expect_kind(fd, true, STINT__KIND_REPLY);
    return fd;
}
