/* stint/group.h - several calls at once, ended as one.
 *
 * As errgroup in Go (golang.org/x/sync/errgroup) and bundles in libdill: the first failure cancels
 * the rest, and wait always joins all of them. */
#ifndef STINT_GROUP_H
#define STINT_GROUP_H

#include <stint/channel.h>

STINT_BEGIN_DECLS

typedef struct stint_group stint_group;

/* A group of calls under a child of ctx, whose deadline is ctx's less `reserve`: what the caller
 * keeps for itself to make something of the results. Never NULL: out of memory gives a shared group
 * on which every call and the wait fail with RESOURCE_EXHAUSTED. */
STINT_API STINT_NODISCARD stint_group *stint_group_new(const stint_ctx *ctx,
                                                       stint_duration reserve);

/* The context that the group's calls run under, owned by the group. */
STINT_API const stint_ctx *stint_group_ctx(const stint_group *g);

/* What generated stubs call. Begins a call; when it ends OK, the reply is stored before
 * stint_group_wait returns, and is the caller's to free; else NULL is. `ret_reply` points to a
 * pointer to the reply's own type (Shop__V1__QuoteReply *), so it is written with memcpy: an
 * assignment through a ProtobufCMessage ** would break the aliasing rules. A call that cannot begin
 * counts as a failure of the group, reported by wait; the rest of the group is cancelled.
 * Thread-safe. */
STINT_API void stint_group_invoke(stint_group *g, stint_channel *ch, const stint_method *method,
                                  const ProtobufCMessage *req, void *ret_reply);

/* Waits for every call to end, and frees the group. Returns STINT_OK if all ended OK, else the
 * first failure, with a text that names its method. Replies of calls that ended OK are there in any
 * case. Not from a `done` function or a short handler: there it cancels the group, frees it when
 * the last call has ended, sets no reply any more, and returns FAILED_PRECONDITION
 * (WOULD_DEADLOCK). */
STINT_API STINT_NODISCARD stint_code stint_group_wait(stint_group *g, stint_error *err);

STINT_END_DECLS

#endif
