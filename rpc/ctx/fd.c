/* fd.c - a context as a file descriptor: an eventfd made at first use and written to once, when the
 * context is done. Guarded by the tree's lock. */
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ctx_tree.h"

void stint__fd_signal(int fd)
{
    uint64_t one = 1;
    /* Cannot fail: nobody else writes, so the counter is far from its end. */
    ssize_t n = write(fd, &one, sizeof one);
    (void)n;
}

static stint_code open_fd_locked(stint_ctx *ctx, stint_error *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                               "no file descriptor left for a context");
    if (ctx->ended || stint_ctx_err(ctx) != STINT_OK) {
        stint__fd_signal(fd);
    } else if (!stint__ctx_set_alarm_locked(ctx)) {
        close(fd);
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                               "out of memory for the timer of a context");
    }
    ctx->fd = fd;
    return STINT_OK;
}

stint_code stint_ctx_fd(const stint_ctx *looked_at, int *ret_fd, stint_error *err)
{
    stint_ctx *ctx = stint__ctx_mutable(looked_at);
    if (stint__ctx_is_static(ctx) && ctx->ended)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                               "the context was made when memory was exhausted");
    if (stint__ctx_is_static(ctx)) {
        *ret_fd = -1;
        return STINT_OK;
    }
    pthread_mutex_lock(&ctx->tree->lock);
    stint_code code = ctx->fd >= 0 ? STINT_OK : open_fd_locked(ctx, err);
    if (code == STINT_OK)
        *ret_fd = ctx->fd;
    pthread_mutex_unlock(&ctx->tree->lock);
    return code;
}
