/* metadata.c - lists of keys and values, and the context that carries one.
 *
 * Each entry's key and value stand in one block, whose address is the key's. Invariant: count <=
 * STINT_METADATA_MAX_ENTRIES and bytes, the sum of all lengths, <= STINT_METADATA_MAX_BYTES. */
#include <string.h>

#include "alloc.h"
#include "ctx_internal.h"
#include "ctx_tree.h"

#define CAPACITY_MIN    8
#define RESERVED_PREFIX "stint-"

struct stint_metadata {
    struct entry {
        stint_metadata_entry public;
        char *block;
    } * entries;
    size_t count, capacity, bytes;
};

stint_metadata *stint_metadata_new(void)
{
    return stint__alloc_zeroed(sizeof(stint_metadata));
}

void stint_metadata_free(stint_metadata *md)
{
    if (md == NULL)
        return;
    for (size_t i = 0; i < md->count; i++)
        stint__free(md->entries[i].block);
    stint__free(md->entries);
    stint__free(md);
}

static bool key_char_valid(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* The length of a valid key; 0 for any other text. */
static size_t key_length(const char *key)
{
    size_t n = 0;
    while (n <= STINT_METADATA_MAX_KEY && key_char_valid(key[n]))
        n++;
    return n <= STINT_METADATA_MAX_KEY && key[n] == '\0' ? n : 0;
}

static stint_code check(const stint_metadata *md, const char *key, size_t value_len,
                        stint_error *err)
{
    size_t key_len = key != NULL ? key_length(key) : 0;
    if (key_len == 0)
        return stint_error_set(
            err, STINT_INVALID_ARGUMENT, "metadata key \"%.*s\": must be 1-%d of a-z 0-9 . _ -",
            STINT_METADATA_MAX_KEY, key != NULL ? key : "", STINT_METADATA_MAX_KEY);
    if (strncmp(key, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "metadata key \"%s\": \"%s\" is reserved", key, RESERVED_PREFIX);
    if (md->count == STINT_METADATA_MAX_ENTRIES)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                               "metadata has %d entries already, as many as it may",
                               STINT_METADATA_MAX_ENTRIES);
    size_t room = STINT_METADATA_MAX_BYTES - md->bytes;
    if (value_len > room || key_len > room - value_len)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                               "metadata \"%s\" of %zu bytes: only %zu of %d are left", key,
                               value_len, room, STINT_METADATA_MAX_BYTES);
    return STINT_OK;
}

static bool reserve(stint_metadata *md)
{
    if (md->count < md->capacity)
        return true;
    size_t capacity = md->capacity > 0 ? md->capacity * 2 : CAPACITY_MIN;
    struct entry *entries = stint__realloc(md->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    md->entries = entries;
    md->capacity = capacity;
    return true;
}

static bool append(stint_metadata *md, const char *key, const void *value, size_t value_len)
{
    size_t key_len = strlen(key);
    char *block = reserve(md) ? stint__alloc(key_len + 1 + value_len) : NULL;
    if (block == NULL)
        return false;
    memcpy(block, key, key_len + 1);
    if (value_len > 0)
        memcpy(block + key_len + 1, value, value_len);
    md->entries[md->count++] = (struct entry){
        .public = {.key = block, .value = block + key_len + 1, .value_len = value_len},
        .block = block,
    };
    md->bytes += key_len + value_len;
    return true;
}

stint_code stint_metadata_add(stint_metadata *md, const char *key, const void *value,
                              size_t value_len, stint_error *err)
{
    stint_code code = check(md, key, value_len, err);
    if (code == STINT_OK && !append(md, key, value, value_len))
        code = stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for metadata \"%s\"",
                               key);
    return code;
}

size_t stint_metadata_count(const stint_metadata *md)
{
    return md != NULL ? md->count : 0;
}

const stint_metadata_entry *stint_metadata_at(const stint_metadata *md, size_t i)
{
    return i < stint_metadata_count(md) ? &md->entries[i].public : NULL;
}

const stint_metadata_entry *stint_metadata_find(const stint_metadata *md, const char *key)
{
    for (size_t i = 0; i < stint_metadata_count(md); i++) {
        if (strcmp(md->entries[i].public.key, key) == 0)
            return &md->entries[i].public;
    }
    return NULL;
}

/* ---- in a context ---- */

struct metadata_ctx {
    stint_ctx ctx;
    struct stint__carried carried;
    stint_metadata *metadata;
};

static stint_metadata *copy_of(const stint_metadata *md)
{
    stint_metadata *copy = stint_metadata_new();
    for (size_t i = 0; copy != NULL && i < stint_metadata_count(md); i++) {
        const stint_metadata_entry *e = &md->entries[i].public;
        if (!append(copy, e->key, e->value, e->value_len)) {
            stint_metadata_free(copy);
            copy = NULL;
        }
    }
    return copy;
}

void stint__metadata_fini(stint_ctx *ctx)
{
    stint_metadata_free(((struct metadata_ctx *)ctx)->metadata);
}

stint_ctx *stint_ctx_with_metadata(const stint_ctx *parent, const stint_metadata *md)
{
    stint_metadata *copy = copy_of(md);
    struct metadata_ctx *m = NULL;
    if (copy != NULL)
        m = (struct metadata_ctx *)stint__ctx_derive(parent, STINT__NEVER, STINT__CTX_METADATA,
                                                     sizeof *m);
    if (m == NULL) {
        stint_metadata_free(copy);
        return stint__ctx_exhausted();
    }
    m->metadata = copy;
    m->carried = *parent->carried;
    m->carried.metadata = copy;
    m->ctx.carried = &m->carried;
    return &m->ctx;
}

const stint_metadata *stint_ctx_metadata(const stint_ctx *ctx)
{
    return ctx->carried->metadata;
}
