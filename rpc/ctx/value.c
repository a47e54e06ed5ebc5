/* value.c - typed values. Each context points to the list of the values that it can see, so that
 * looking one up visits values only, not every context on the way. */
#include "ctx_tree.h"

struct value_ctx {
    stint_ctx ctx;
    struct stint__carried carried;
    struct stint__value entry;
    void (*destroy)(void *value);
};

void stint__value_fini(stint_ctx *ctx)
{
    struct value_ctx *v = (struct value_ctx *)ctx;
    if (v->destroy != NULL)
        v->destroy(v->entry.value);
}

stint_ctx *stint_ctx_with_value(const stint_ctx *parent, const stint_key *key, void *value,
                                void (*destroy)(void *value))
{
    struct value_ctx *v =
        (struct value_ctx *)stint__ctx_derive(parent, STINT__NEVER, STINT__CTX_VALUE, sizeof *v);
    if (v == NULL) {
        if (destroy != NULL)
            destroy(value);
        return stint__ctx_or_exhausted(NULL);
    }
    v->entry = (struct stint__value){.key = key, .value = value, .next = parent->carried->values};
    v->destroy = destroy;
    v->carried = *parent->carried;
    v->carried.values = &v->entry;
    v->ctx.carried = &v->carried;
    return &v->ctx;
}

/* Recursive only at branches, which merges of contexts that both have values make. */
static const struct stint__value *find(const struct stint__value *list, const stint_key *key)
{
    while (list != NULL && list->key != key) {
        const struct stint__value *found = list->key == NULL ? find(list->next, key) : NULL;
        if (found != NULL)
            return found;
        list = list->key == NULL ? list->other : list->next;
    }
    return list;
}

void *stint_ctx_value(const stint_ctx *ctx, const stint_key *key)
{
    const struct stint__value *entry = find(ctx->carried->values, key);
    return entry != NULL ? entry->value : NULL;
}
