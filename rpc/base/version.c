/* version.c - the version as the library was built. */
#include <stint/version.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *stint_version(void)
{
    return TEXT(STINT_VERSION_MAJOR) "." TEXT(STINT_VERSION_MINOR) "." TEXT(STINT_VERSION_PATCH);
}
