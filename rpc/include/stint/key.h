/* stint/key.h - typed values in contexts.
 *
 *     // session.h
 *     STINT_KEY_DECLARE(session, struct session)
 *     // session.c
 *     STINT_KEY_DEFINE(session);
 *
 *     stint_ctx *child = session_with(ctx, &s);     // s must outlive child
 *     struct session *s = session_of(child);        // NULL if there is none
 *
 * A key is its address, so that two modules cannot collide, and the accessors are typed, so that a
 * wrong type does not compile. Values are for what belongs to the request and crosses layers, not
 * for optional parameters. */
#ifndef STINT_KEY_H
#define STINT_KEY_H

#include <stint/ctx.h>

STINT_BEGIN_DECLS

typedef struct stint_key {
    const char *name; /* for people */
} stint_key;

/* A child with one more value. `destroy` (may be NULL) is called once with the value when the last
 * context that can see it is gone, and also when this constructor fails. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_value(const stint_ctx *parent,
                                                          const stint_key *key, void *value,
                                                          void (*destroy)(void *value));

/* The value nearest to ctx under this key, or NULL. The context keeps owning it. */
STINT_API void *stint_ctx_value(const stint_ctx *ctx, const stint_key *key);

/* `type` is a type: it cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define STINT_KEY_DECLARE(name, type)                                                              \
    extern const stint_key name##_key;                                                             \
    STINT_MAYBE_UNUSED STINT_NODISCARD static inline stint_ctx *name##_with(                       \
        const stint_ctx *parent, type *value)                                                      \
    {                                                                                              \
        return stint_ctx_with_value(parent, &name##_key, value, NULL);                             \
    }                                                                                              \
    STINT_MAYBE_UNUSED STINT_NODISCARD static inline stint_ctx *name##_with_owned(                 \
        const stint_ctx *parent, type *value, void (*destroy)(void *))                             \
    {                                                                                              \
        return stint_ctx_with_value(parent, &name##_key, value, destroy);                          \
    }                                                                                              \
    STINT_MAYBE_UNUSED static inline type *name##_of(const stint_ctx *ctx)                         \
    {                                                                                              \
        return (type *)stint_ctx_value(ctx, &name##_key);                                          \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#define STINT_KEY_DEFINE(name) const stint_key name##_key = {#name}

STINT_END_DECLS

#endif
