/* program.h - what protoc-gen-stint and stint-check share: reading, and how they fail. */
#ifndef STINT_GEN_PROGRAM_H
#define STINT_GEN_PROGRAM_H

#include <stdio.h>

#include <stint/version.h>

#include "text.h"

#define GEN_STRING(x) #x
#define GEN_EXPAND(x) GEN_STRING(x)
#define GEN_VERSION                                                                                \
    GEN_EXPAND(STINT_VERSION_MAJOR)                                                                \
    "." GEN_EXPAND(STINT_VERSION_MINOR) "." GEN_EXPAND(STINT_VERSION_PATCH)

/* "program: what: why" on stderr. */
void gen_program_tell(const char *program, const char *what, const char *why);

/* All that f has; ferror tells whether it could be read. */
struct gen_text gen_program_read(struct stint__arena *arena, FILE *f);

#endif
