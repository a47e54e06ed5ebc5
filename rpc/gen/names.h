/* names.h - from names in a .proto to names in C, by the rules of protoc-c.
 *
 * What protoc-c 1.4.1 does (its c_helpers.cc): a type's full name is split at the dots; in types
 * each part is put in CamelCase (`shop.v1.Quote_request` is `Shop__V1__QuoteRequest`), in functions
 * in snake case (`shop__v1__quote_request`). A file can replace its package for C (c_package). */
#ifndef STINT_GEN_NAMES_H
#define STINT_GEN_NAMES_H

#include <stdbool.h>

#include "text.h"

/* The C type of a message. `full_name` has no leading dot. */
char *gen_name_type(struct stint__arena *arena, const char *full_name);

/* The lower-case name, its parts joined by `separator`. */
char *gen_name_lower(struct stint__arena *arena, const char *full_name, const char *separator);

char *gen_name_upper(struct stint__arena *arena, const char *name); /* toupper of each letter */

/* True for keywords of C11 to C23, for GNU's, and for what <stdbool.h> defines. */
bool gen_name_is_keyword(struct stint__arena *arena, const char *name);

/* `name`, or `name_` if name is a keyword of C or C++, or main. */
const char *gen_name_safe(struct stint__arena *arena, const char *name);

/* "a/b.proto" without its ending. */
char *gen_name_without_proto(struct stint__arena *arena, const char *file);

/* "A_B_STINT_H" for "a/b". */
char *gen_name_guard(struct stint__arena *arena, const char *base);

/* True for one identifier of a .proto, and for several with dots between them. */
bool gen_name_is_identifier(const char *s);
bool gen_name_is_qualified(const char *s);

#endif
