/* options.h - structs of options that grow: the caller's may be of an older or a newer version. */
#ifndef STINT_BASE_OPTIONS_H
#define STINT_BASE_OPTIONS_H

#include <stddef.h>

#include <stint/macros.h>
#include <stint/status.h>

/* Copies *given, whose first member is its size (a size_t), to the ret_size bytes at `ret`; what
 * it lacks is zero, and the size is the copy's own. given may be NULL: all zero. `name` is for the
 * text. Errors: INVALID_ARGUMENT (size is not set; or it is larger, and what this version does not
 * know is not zero), all of *ret but its size is then zero. */
STINT_NODISCARD stint_code stint__options_copy(void *ret, size_t ret_size, const void *given,
                                               const char *name, stint_error *err);

#endif
