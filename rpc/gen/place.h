/* place.h - where something stands in a .proto, and the errors about it.
 *
 * protoc describes places by paths of field numbers and indexes through the descriptor
 * (SourceCodeInfo in google/protobuf/descriptor.proto). */
#ifndef STINT_GEN_PLACE_H
#define STINT_GEN_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <google/protobuf/descriptor.pb-c.h>

#include "text.h"

#define GEN_PATH_MAX 16 /* steps; what lies deeper is placed at what holds it */

/* Field numbers of descriptor.proto that paths are made of. */
enum gen_step {
    GEN_FILE_MESSAGE = 4,
    GEN_FILE_SERVICE = 6,
    GEN_FILE_OPTIONS = 8,
    GEN_FILE_SYNTAX = 12,
    GEN_MESSAGE_FIELD = 2,
    GEN_MESSAGE_NESTED = 3,
    GEN_SERVICE_METHOD = 2,
    GEN_METHOD_INPUT = 2,
    GEN_METHOD_OUTPUT = 3,
    GEN_METHOD_OPTIONS = 4,
    GEN_STINT_METHOD_CALLS = 7, /* of stint/options.proto */
};

struct gen_path {
    int32_t step[GEN_PATH_MAX];
    size_t len;
};

struct gen_place {
    const Google__Protobuf__FileDescriptorProto *file;
    struct gen_path path;
};

/* The place of the whole file, and of what lies one step, or a numbered member, below `at`. */
struct gen_place gen_place_file(const Google__Protobuf__FileDescriptorProto *file);
struct gen_place gen_place_step(struct gen_place at, int32_t step);
struct gen_place gen_place_member(struct gen_place at, enum gen_step field, size_t index);

/* "file:line:column", counted from 1, of the place or of the nearest known one that holds it; only
 * "file" when nothing is known. */
const char *gen_place_text(struct stint__arena *arena, const struct gen_place *at);

/* True if protoc says where the place itself is. */
bool gen_place_known(const struct gen_place *at);

/* The comment before (or, failing that, behind) the place; NULL if there is none. */
const char *gen_place_comment(const struct gen_place *at);

/* Errors for the user, one on a line: "file:line:column: text"; just the text if `at` is NULL. Only
 * the first 20 are kept, and as many warnings. */
struct gen_errors {
    struct gen_text text;
    size_t count;
    struct gen_text warnings; /* the same, apart: they stop nothing */
    size_t n_warnings;
    bool labelled; /* "file:line:column: error: text", as compilers do */
    bool strict;   /* warnings are errors */
};

struct gen_errors gen_errors_none(struct stint__arena *arena);

void gen_error(struct gen_errors *errors, const struct gen_place *at, const char *fmt, ...)
    STINT_PRINTF(3, 4);
void gen_warning(struct gen_errors *errors, const struct gen_place *at, const char *fmt, ...)
    STINT_PRINTF(3, 4);

/* All of them, and how many were not kept; "" if there are none. */
const char *gen_errors_text(struct gen_errors *errors);
const char *gen_warnings_text(struct gen_errors *errors);

#endif
