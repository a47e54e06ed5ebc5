/* client.c - ping-pong of framed bytes on one blocking socket: what the kernel alone costs.
 *
 * With N in flight it sends N frames ahead, then writes one for each that it reads. Mode spin
 * measures the machine instead. */
#include "sock.h"

struct conn {
    int fd;
    size_t frame;
    char *out, *in;
};

static int dial(const char *addr)
{
    union any_addr a;
    socklen_t len = parse_addr(addr, &a);
    int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &a.sa, len) != 0)
        die_errno(addr);
    no_delay(fd, &a);
    return fd;
}

static int call(void *arg)
{
    struct conn *c = arg;
    if (write_all(c->fd, c->out, c->frame) != 0)
        return -1;
    return read_all(c->fd, c->in, c->frame);
}

static int closed_loop(const struct opts *o, struct conn *c)
{
    struct loop l;
    if (o->inflight > 1 && c->frame * (size_t)o->inflight > (size_t)128 * 1024) {
        puts("skip=1"); /* both ends would block in write */
        return 0;
    }
    loop_start(&l, o, o->inflight);
    for (int i = 0; i < o->inflight; i++)
        if (write_all(c->fd, c->out, c->frame) != 0)
            die_errno("write");
    for (int i = 0; !loop_idle(&l); i = (i + 1) % o->inflight) {
        int good = read_all(c->fd, c->in, c->frame) == 0;
        if (loop_done(&l, i, good) && write_all(c->fd, c->out, c->frame) != 0)
            die_errno("write");
    }
    return loop_finish(&l);
}

/* The speed of the machine just now: the best and the median of 15 times a fixed integer loop (a
 * shared host makes them differ). */
static int spin(void)
{
    uint64_t v[15];
    volatile uint64_t sink = 0;
    for (int i = 0; i < 15; i++) {
        uint64_t t = now_ns();
        for (unsigned k = 0; k < 4000000; k++)
            sink = sink + k;
        v[i] = now_ns() - t;
    }
    sort_u64(v, 15);
    printf("spin_best_ms=%.2f spin_median_ms=%.2f\n", (double)v[0] / 1e6, (double)v[7] / 1e6);
    return 0;
}

static int run_mode(const struct opts *o, struct conn *c)
{
    if (strcmp(o->mode, "lat") == 0)
        return run_lat(o, call, c);
    if (strcmp(o->mode, "thr") == 0)
        return closed_loop(o, c);
    die("floor has no mode", o->mode);
}

int main(int argc, char **argv)
{
    struct opts o = parse_opts(argc, argv);
    if (strcmp(o.mode, "spin") == 0)
        return spin();
    uint32_t len = (uint32_t)o.size;
    struct conn c = {.fd = dial(o.addr), .frame = sizeof len + len};
    c.out = calloc(1, c.frame);
    c.in = calloc(1, c.frame);
    if (c.out == NULL || c.in == NULL)
        die("calloc", "frame");
    memcpy(c.out, &len, sizeof len);
    int rc = run_mode(&o, &c);
    free(c.out);
    free(c.in);
    return rc;
}
