/* field.h - the fields of a protobuf message, one at a time. */
#ifndef STINT_WIRE_FIELD_H
#define STINT_WIRE_FIELD_H

#include <stdint.h>

#include <stint/macros.h>

#include "reader.h"

enum stint__wire_type {
    STINT__WIRE_VARINT = 0,
    STINT__WIRE_I64 = 1,
    STINT__WIRE_LEN = 2,
    STINT__WIRE_I32 = 5,
};

#define STINT__FIELD_NUMBER_MAX ((1u << 29) - 1)

struct stint__field {
    uint32_t number; /* 1 to STINT__FIELD_NUMBER_MAX */
    enum stint__wire_type wire_type;
    uint64_t value;            /* VARINT, I64, I32 */
    struct stint__slice bytes; /* LEN */
};

/* Reads the next field of a message that has bytes left. NULL, or what is wrong with it (static
 * text); its number is then set if that could be read, else 0. Groups are refused. */
STINT_NODISCARD const char *stint__field_read(struct stint__reader *r, struct stint__field *ret);

#endif
