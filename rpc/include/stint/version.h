/* stint/version.h - the one place the version is written; CMake reads it here.
 * Versions follow semver 2.0: before 1.0 a minor step may break the API. */
#ifndef STINT_VERSION_H
#define STINT_VERSION_H

#include <stint/macros.h>

#define STINT_VERSION_MAJOR 0
#define STINT_VERSION_MINOR 1
#define STINT_VERSION_PATCH 0

STINT_BEGIN_DECLS

/* The version of the library in use, "MAJOR.MINOR.PATCH"; static storage. */
STINT_API const char *stint_version(void);

STINT_END_DECLS

#endif
