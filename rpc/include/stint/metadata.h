/* stint/metadata.h - keys and values beside the message, in both directions.
 *
 * Keys are 1-64 bytes of [a-z0-9._-]; those that start with "stint-" are reserved. Values are
 * bytes. A list holds at most 64 entries and 8 KiB in all; a key may occur more than once. */
#ifndef STINT_METADATA_H
#define STINT_METADATA_H

#include <stddef.h>

#include <stint/ctx.h>
#include <stint/status.h>

STINT_BEGIN_DECLS

#define STINT_METADATA_MAX_ENTRIES 64
#define STINT_METADATA_MAX_BYTES   8192
#define STINT_METADATA_MAX_KEY     64

typedef struct stint_metadata_entry {
    const char *key; /* NUL-terminated */
    const void *value;
    size_t value_len;
} stint_metadata_entry;

typedef struct stint_metadata stint_metadata;

/* An empty list; NULL when out of memory. Lists are not thread-safe. free accepts NULL. */
STINT_API STINT_NODISCARD stint_metadata *stint_metadata_new(void);
STINT_API void stint_metadata_free(stint_metadata *md);

/* Appends a copy. Errors: INVALID_ARGUMENT (bad key), RESOURCE_EXHAUSTED (limits, memory); the list
 * is then unchanged. */
STINT_API STINT_NODISCARD stint_code stint_metadata_add(stint_metadata *md, const char *key,
                                                        const void *value, size_t value_len,
                                                        stint_error *err);

/* Number of entries, and entry i, owned by the list. md may be NULL (no entries); an i out of range
 * gives NULL. */
STINT_API size_t stint_metadata_count(const stint_metadata *md);
STINT_API const stint_metadata_entry *stint_metadata_at(const stint_metadata *md, size_t i);

/* The first entry with this key, or NULL. */
STINT_API const stint_metadata_entry *stint_metadata_find(const stint_metadata *md,
                                                          const char *key);

/* A child whose calls carry this metadata (copied), instead of what the parent's calls carry. It is
 * not passed on by servers: what should travel further, a handler puts into its own calls. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_metadata(const stint_ctx *parent,
                                                             const stint_metadata *md);

/* What calls under ctx will carry, owned by the context, or NULL. */
STINT_API const stint_metadata *stint_ctx_metadata(const stint_ctx *ctx);

STINT_END_DECLS

#endif
