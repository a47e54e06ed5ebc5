/* net.c - finds the implementation for a URL, and forwards each operation to it. No state. */
#include "net.h"

#include <string.h>
#include <strings.h>

#include "net_impl.h"

static const struct stint__net_ops *const implementations[] = {
    &stint__net_tcp,
    &stint__net_ipc,
    &stint__net_memory,
};

static const struct stint__net_ops *ops_of(const void *object)
{
    return ((const struct stint__net_object *)object)->ops;
}

const struct stint__net_ops *stint__net_find(const char *url)
{
    const char *end = strstr(url, "://");
    size_t len = end == NULL ? 0 : (size_t)(end - url);
    for (size_t i = 0; i < sizeof implementations / sizeof implementations[0]; i++) {
        const struct stint__net_ops *ops = implementations[i];
        if (strlen(ops->scheme) == len && strncasecmp(ops->scheme, url, len) == 0)
            return ops;
    }
    return NULL;
}

static stint_code unknown_scheme(const char *url, stint_error *err)
{
    return stint_error_set(
        err, STINT_INVALID_ARGUMENT,
        "%s: no byte stream for this scheme (tcp://HOST:PORT, ipc://PATH, mem://NAME)", url);
}

stint_code stint__dialer_new(struct stint__dialer **ret, const char *url, stint_error *err)
{
    const struct stint__net_ops *ops = stint__net_find(url);
    return ops == NULL ? unknown_scheme(url, err) : ops->dialer_new(ret, url, err);
}

void stint__dial(struct stint__dialer *d, struct stint__net_op *op)
{
    ops_of(d)->dial(d, op);
}

void stint__dialer_free(struct stint__dialer *d)
{
    if (d != NULL)
        ops_of(d)->dialer_free(d);
}

stint_code stint__listener_new(struct stint__listener **ret, const char *url, stint_error *err)
{
    const struct stint__net_ops *ops = stint__net_find(url);
    return ops == NULL ? unknown_scheme(url, err) : ops->listener_new(ret, url, err);
}

const char *stint__listener_url(const struct stint__listener *l)
{
    return ops_of(l)->listener_url(l);
}

void stint__accept(struct stint__listener *l, struct stint__net_op *op)
{
    ops_of(l)->accept(l, op);
}

void stint__listener_free(struct stint__listener *l)
{
    if (l != NULL)
        ops_of(l)->listener_free(l);
}

void stint__stream_read(struct stint__stream *s, void *buf, size_t len, struct stint__net_op *op)
{
    ops_of(s)->read(s, buf, len, op);
}

void stint__stream_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n,
                         struct stint__net_op *op)
{
    ops_of(s)->write(s, iov, n, op);
}

size_t stint__stream_try_read(struct stint__stream *s, void *buf, size_t len)
{
    const struct stint__net_ops *ops = ops_of(s);
    return ops->try_read == NULL ? 0 : ops->try_read(s, buf, len);
}

size_t stint__stream_try_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n)
{
    const struct stint__net_ops *ops = ops_of(s);
    return ops->try_write == NULL ? 0 : ops->try_write(s, iov, n);
}

void stint__stream_close(struct stint__stream *s)
{
    ops_of(s)->close(s);
}

void stint__stream_free(struct stint__stream *s)
{
    if (s != NULL)
        ops_of(s)->free(s);
}

const char *stint__stream_peer(const struct stint__stream *s)
{
    return ops_of(s)->peer(s);
}

bool stint__stream_ipc_framing(const struct stint__stream *s)
{
    return ops_of(s)->ipc_framing;
}

void stint__net_quiesce(void)
{
    stint__nng_quiesce();
}
