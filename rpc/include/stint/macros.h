/* stint/macros.h - what the compiler can check for us: visibility, results that
 * must be looked at, printf formats, scope-bound release. */
#ifndef STINT_MACROS_H
#define STINT_MACROS_H

#if defined(__GNUC__) || defined(__clang__)
#define STINT_API          __attribute__((visibility("default")))
#define STINT_NODISCARD    __attribute__((warn_unused_result))
#define STINT_DEPRECATED   __attribute__((deprecated))
#define STINT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define STINT_MAYBE_UNUSED __attribute__((unused))
#define STINT_CLEANUP(fn)  __attribute__((cleanup(fn)))
#define STINT_HAVE_CLEANUP 1
#else
#define STINT_API
#define STINT_NODISCARD
#define STINT_DEPRECATED
#define STINT_PRINTF(f, a)
#define STINT_MAYBE_UNUSED
#define STINT_HAVE_CLEANUP 0
#endif

/* The address of a struct that lives as long as the statement it stands in, its `size` and the
 * named members set: STINT_CHANNEL_OPTIONS and its like. In C++ the names need C++20 and the order
 * of their declaration. */
#ifdef __cplusplus
template <typename T> static inline const T *stint__address_of(const T &t)
{
    return &t;
}
#define STINT_TEMPORARY(type, ...)                                                                 \
    (stint__address_of<type>(type{.size = sizeof(type), __VA_ARGS__}))
#else
#define STINT_TEMPORARY(type, ...) (&(const type){.size = sizeof(type), __VA_ARGS__})
#endif

#ifdef __cplusplus
#define STINT_BEGIN_DECLS extern "C" {
#define STINT_END_DECLS   }
#else
#define STINT_BEGIN_DECLS
#define STINT_END_DECLS
#endif

#endif
