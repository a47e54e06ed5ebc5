/* net.h - byte streams: dial, listen, accept, read, write, close, behind one small vtable.
 *
 * Implementations: nng.c (tcp://, ipc://, later tls+tcp://, over nng_stream) and memory.c (mem://,
 * a simulated network under whichever clock is in use).
 *
 * Every operation is asynchronous and completes exactly once, by calling op->fn from a thread of
 * the implementation: never inside the function that started it, never under a lock. One read and
 * one write may be outstanding on a stream at a time. The op's memory belongs to the caller and
 * must live until fn is called. */
#ifndef STINT_NET_NET_H
#define STINT_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>
#include <stint/status.h>

struct stint__stream;
struct stint__dialer;
struct stint__listener;

struct stint__net_op {
    void (*fn)(struct stint__net_op *op);
    /* Results, valid in fn. */
    stint_code code;              /* STINT_OK, CANCELLED (closed here), UNAVAILABLE, ... */
    size_t count;                 /* bytes read (at least 1) or written (may be fewer than asked) */
    struct stint__stream *stream; /* dial, accept: the new stream, the caller's to free */
    stint_error error;            /* when code is not STINT_OK: a text with the address in it */
};

struct stint__iov {
    const void *data;
    size_t len;
};
#define STINT__NET_IOV_MAX 8

struct stint__net_ops {
    const char *scheme; /* "tcp", "ipc", "mem" */
    bool ipc_framing;   /* SP frames carry the extra byte */
    stint_code (*dialer_new)(struct stint__dialer **ret, const char *url, stint_error *err);
    void (*dial)(struct stint__dialer *d, struct stint__net_op *op);
    void (*dialer_free)(struct stint__dialer *d);
    stint_code (*listener_new)(struct stint__listener **ret, const char *url, stint_error *err);
    const char *(*listener_url)(const struct stint__listener *l);
    void (*accept)(struct stint__listener *l, struct stint__net_op *op);
    void (*listener_free)(struct stint__listener *l);
    void (*read)(struct stint__stream *s, void *buf, size_t len, struct stint__net_op *op);
    void (*write)(struct stint__stream *s, const struct stint__iov *iov, unsigned n,
                  struct stint__net_op *op);
    /* Both may be NULL: nothing is done at once. */
    size_t (*try_read)(struct stint__stream *s, void *buf, size_t len);
    size_t (*try_write)(struct stint__stream *s, const struct stint__iov *iov, unsigned n);
    void (*close)(struct stint__stream *s);
    void (*free)(struct stint__stream *s);
    const char *(*peer)(const struct stint__stream *s);
};

/* Every implementation's struct begins with this. */
struct stint__net_object {
    const struct stint__net_ops *ops;
};

/* The implementation for a URL's scheme; NULL if there is none. */
const struct stint__net_ops *stint__net_find(const char *url);

/* ---- the operations, for every implementation ---- */

/* Checks the URL; nothing is connected yet. Errors: INVALID_ARGUMENT (bad URL, path too long),
 * RESOURCE_EXHAUSTED. */
STINT_NODISCARD stint_code stint__dialer_new(struct stint__dialer **ret, const char *url,
                                             stint_error *err);
/* One attempt to connect; one at a time. Errors in op: UNAVAILABLE (refused, no such host...). */
void stint__dial(struct stint__dialer *d, struct stint__net_op *op);
/* Completes a dial in progress with CANCELLED. Anywhere, also inside fn. NULL is accepted. */
void stint__dialer_free(struct stint__dialer *d);

/* Binds. Errors: INVALID_ARGUMENT, ALREADY_EXISTS (address in use), PERMISSION_DENIED, UNAVAILABLE,
 * RESOURCE_EXHAUSTED. */
STINT_NODISCARD stint_code stint__listener_new(struct stint__listener **ret, const char *url,
                                               stint_error *err);
/* What it is bound to, with the real port; owned by l. */
const char *stint__listener_url(const struct stint__listener *l);
/* One connection; one accept at a time. A passing failure (a connection that was gone at once, no
 * file descriptors) completes with UNAVAILABLE or RESOURCE_EXHAUSTED: accept again, after a pause
 * for the latter. */
void stint__accept(struct stint__listener *l, struct stint__net_op *op);
/* Unbinds (an ipc path is removed); completes an accept in progress with CANCELLED. Anywhere. */
void stint__listener_free(struct stint__listener *l);

void stint__stream_read(struct stint__stream *s, void *buf, size_t len, struct stint__net_op *op);
void stint__stream_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n,
                         struct stint__net_op *op);
/* Reads what is there, or writes what the stream takes, at once and in this thread, and returns how
 * many bytes that was; 0 also after a failure, which the next read or write then reports. Saves the
 * change of threads that a completion costs. No read, or write, may be outstanding. */
size_t stint__stream_try_read(struct stint__stream *s, void *buf, size_t len);
size_t stint__stream_try_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n);
/* Ends the connection: outstanding operations complete with CANCELLED. Idempotent, anywhere. */
void stint__stream_close(struct stint__stream *s);
/* Frees. Every operation has completed (the caller may be inside the last one's fn). Anywhere; an
 * implementation that cannot free there hands over to a thread of its own. NULL is accepted. */
void stint__stream_free(struct stint__stream *s);
/* The peer's address as text, for logs ("tcp://127.0.0.1:41234", "ipc:///path pid 12 uid 0"). */
const char *stint__stream_peer(const struct stint__stream *s);
/* Whether SP frames on it carry ipc's extra byte. */
bool stint__stream_ipc_framing(const struct stint__stream *s);

/* Waits until everything handed to be freed is freed: for leak checks at the end of a test. */
void stint__net_quiesce(void);

/* ---- the simulated network (mem://) ---- */

/* What happens to every stream of mem://NAME, from now on. Zeros: delivered at once, never lost. */
struct stint__mem_faults {
    stint_duration delay;  /* one way */
    stint_duration jitter; /* plus up to this much, at random: connections overtake each other */
    uint32_t cut_ppm;      /* chance, in millionths, that a write breaks the connection instead */
    bool partitioned;      /* nothing passes and nobody is told; delivered after healing */
    bool refuse;           /* new connections are refused */
    size_t window;         /* bytes in flight one way before writes wait; default 256 KiB */
};
/* `name` is the part after mem://; NULL sets all names. Seeded: the same seed and the same calls
 * under a virtual clock give the same run. */
void stint__mem_set_faults(const char *name, const struct stint__mem_faults *faults);
void stint__mem_set_seed(uint64_t seed);
/* Breaks every connection of the name (NULL: all), as a crash of the peer would. */
void stint__mem_cut(const char *name);
/* Forgets all faults. */
void stint__mem_reset(void);

#endif
