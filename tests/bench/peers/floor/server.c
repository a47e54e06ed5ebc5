/* server.c - the other end of client.c: one thread, one connection at a time. A frame is a 4-byte
 * length and that many bytes, and goes back as it came: one read, one write. */
#include "sock.h"

#define MAX_FRAME ((size_t)16 << 20)

static int listen_on(const char *addr, union any_addr *a)
{
    int one = 1;
    socklen_t len = parse_addr(addr, a);
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->sa.sa_family == AF_UNIX)
        unlink(a->un.sun_path);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, &a->sa, len) != 0 || listen(fd, 128) != 0)
        die_errno(addr);
    return fd;
}

/* Answers every whole frame in the buffer, one write each; returns the bytes they took. */
static size_t answer(int fd, const char *buf, size_t have)
{
    size_t used = 0;
    uint32_t len = 0;
    while (have - used >= sizeof len) {
        memcpy(&len, buf + used, sizeof len);
        size_t frame = sizeof len + len;
        if (frame > MAX_FRAME)
            die("frame", "too long");
        if (have - used < frame || write_all(fd, buf + used, frame) != 0)
            break;
        used += frame;
    }
    return used;
}

static void serve(int fd, char *buf)
{
    size_t have = 0;
    for (;;) {
        ssize_t k = read(fd, buf + have, MAX_FRAME - have);
        if (k <= 0)
            return;
        have += (size_t)k;
        size_t used = answer(fd, buf, have);
        have -= used;
        memmove(buf, buf + used, have);
    }
}

int main(int argc, char **argv)
{
    struct opts o = parse_opts(argc, argv);
    union any_addr a;
    int lfd = listen_on(o.addr, &a);
    char *buf = malloc(MAX_FRAME);
    if (buf == NULL)
        die("malloc", "frame");
    server_ready();
    for (;;) {
        int fd = accept(lfd, NULL, NULL);
        if (fd < 0)
            die_errno("accept");
        no_delay(fd, &a);
        serve(fd, buf);
        close(fd);
    }
}
