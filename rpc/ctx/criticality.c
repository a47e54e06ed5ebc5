/* criticality.c - the level that a context carries: never above its parent's. */
#include <stint/criticality.h>

#include "ctx_tree.h"

struct criticality_ctx {
    stint_ctx ctx;
    struct stint__carried carried;
};

static bool is_level(stint_criticality level)
{
    return level >= STINT_CRITICALITY_SHEDDABLE && level <= STINT_CRITICALITY_CRITICAL_PLUS;
}

stint_ctx *stint_ctx_with_criticality(const stint_ctx *parent, stint_criticality level)
{
    stint_criticality inherited = stint_ctx_criticality(parent);
    if (!is_level(level) || (inherited != STINT_CRITICALITY_UNSET && inherited < level))
        level = inherited;
    struct criticality_ctx *c = (struct criticality_ctx *)stint__ctx_derive(
        parent, STINT__NEVER, STINT__CTX_CRITICALITY, sizeof *c);
    if (c == NULL)
        return stint__ctx_or_exhausted(NULL);
    c->carried = *parent->carried;
    c->carried.criticality = level;
    c->ctx.carried = &c->carried;
    return &c->ctx;
}

stint_criticality stint_ctx_criticality(const stint_ctx *ctx)
{
    return ctx->carried->criticality;
}
