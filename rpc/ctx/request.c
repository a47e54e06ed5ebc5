/* request.c - trace, span and request IDs, and the context that carries them. */
#include <string.h>

#include "ctx_internal.h"
#include "ctx_tree.h"
#include "random.h"

struct request_ctx {
    stint_ctx ctx;
    struct stint__carried carried;
    stint_request_info info;
    struct stint__slot slot; /* in use only if carried.slot points to it */
};

static const char digits[] = "0123456789abcdef";

static void format_hex(const uint8_t *bytes, size_t n, char *text)
{
    for (size_t i = 0; i < n; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return any == 0;
}

/* Random, and not all zero, which would mean that there is none. */
static void fill_id(uint8_t *id, size_t n)
{
    do {
        for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
            uint64_t r = stint__random();
            memcpy(id + i, &r, sizeof r);
        }
    } while (all_zero(id, n));
}

stint_request_info stint_request_info_new(void)
{
    stint_request_info info = {0};
    fill_id(info.trace_id, sizeof info.trace_id);
    fill_id(info.span_id, sizeof info.span_id);
    uint64_t r = stint__random();
    uint8_t bytes[sizeof r];
    memcpy(bytes, &r, sizeof r);
    format_hex(bytes, sizeof bytes, info.request_id);
    return info;
}

static bool request_id_valid(const char *id)
{
    for (size_t i = 0; i <= STINT_REQUEST_ID_MAX; i++) {
        if (id[i] == '\0')
            return true;
        if (id[i] <= ' ' || id[i] > '~')
            return false;
    }
    return false;
}

static stint_ctx *attach_info(struct request_ctx *r, const stint_request_info *info)
{
    if (r == NULL)
        return stint__ctx_exhausted();
    r->info = *info;
    if (!request_id_valid(r->info.request_id))
        r->info.request_id[0] = '\0';
    r->carried = *r->ctx.carried;
    r->carried.info = &r->info;
    r->ctx.carried = &r->carried;
    return &r->ctx;
}

stint_ctx *stint_ctx_with_request_info(const stint_ctx *parent, const stint_request_info *info)
{
    stint_ctx *ctx =
        stint__ctx_derive(parent, STINT__NEVER, STINT__CTX_REQUEST, sizeof(struct request_ctx));
    return attach_info((struct request_ctx *)ctx, info);
}

static stint_criticality level_of(uint32_t number)
{
    bool known = number >= STINT_CRITICALITY_SHEDDABLE && number <= STINT_CRITICALITY_CRITICAL_PLUS;
    return known ? (stint_criticality)number : STINT_CRITICALITY_CRITICAL;
}

stint_ctx *stint__ctx_new_call(stint_time deadline, const stint_request_info *info,
                               uint32_t criticality, bool probe)
{
    struct request_ctx *r = (struct request_ctx *)stint__ctx_derive(
        stint_ctx_background(), deadline, STINT__CTX_REQUEST, sizeof *r);
    stint_ctx *ctx = attach_info(r, info);
    if (r == NULL)
        return ctx;
    atomic_init(&r->slot.content, NULL);
    atomic_init(&r->slot.destroy, NULL);
    r->slot.ledger = false;
    r->carried.slot = &r->slot;
    r->carried.criticality = level_of(criticality);
    r->carried.probe = probe;
    return ctx;
}

bool stint__ctx_is_probe(const stint_ctx *ctx)
{
    return ctx->carried->probe;
}

struct stint__slot *stint__ctx_slot(const stint_ctx *ctx)
{
    return ctx->carried->slot;
}

void stint__request_fini(stint_ctx *ctx)
{
    struct request_ctx *r = (struct request_ctx *)ctx;
    if (r->carried.slot != &r->slot)
        return;
    void *content = atomic_load_explicit(&r->slot.content, memory_order_acquire);
    if (content != NULL)
        atomic_load_explicit(&r->slot.destroy, memory_order_acquire)(content);
}

const stint_request_info *stint_ctx_request_info(const stint_ctx *ctx)
{
    return ctx->carried->info;
}

const char *stint_trace_id_format(const stint_request_info *info, char text[STINT_TRACE_ID_TEXT])
{
    if (info == NULL || all_zero(info->trace_id, sizeof info->trace_id))
        text[0] = '\0';
    else
        format_hex(info->trace_id, sizeof info->trace_id, text);
    return text;
}
