/* options.c - see options.h. */
#include "options.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIZE_LIMIT ((size_t)4096) /* no struct of options is as large: the size was never set */

static bool all_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

stint_code stint__options_copy(void *ret, size_t ret_size, const void *given, const char *name,
                               stint_error *err)
{
    memset(ret, 0, ret_size);
    memcpy(ret, &ret_size, sizeof ret_size);
    if (given == NULL)
        return STINT_OK;
    size_t size;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > SIZE_LIMIT)
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "%s.size is %zu: set it to sizeof(%s), as the macro does", name,
                               size, name);
    if (size > ret_size && !all_zero((const uint8_t *)given + ret_size, size - ret_size))
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "%s of %zu bytes has members set that this version of the library "
                               "(%zu bytes) does not know",
                               name, size, ret_size);
    size_t known = size < ret_size ? size : ret_size;
    memcpy((uint8_t *)ret + sizeof size, (const uint8_t *)given + sizeof size, known - sizeof size);
    return STINT_OK;
}
