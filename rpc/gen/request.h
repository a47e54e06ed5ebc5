/* request.h - what protoc asks for, read within bounds. */
#ifndef STINT_GEN_REQUEST_H
#define STINT_GEN_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include <google/protobuf/compiler/plugin.pb-c.h>

#include "text.h"

/* The request in `bytes`, in the arena; NULL and *ret_problem if it does not decode, or if it lacks
 * what every other part of the generator relies on: names of files, messages, services and methods,
 * which are identifiers, and types of methods, which are full names. */
const Google__Protobuf__Compiler__CodeGeneratorRequest *gen_request_read(struct stint__arena *arena,
                                                                         const uint8_t *bytes,
                                                                         size_t len,
                                                                         const char **ret_problem);

/* The same for the packed FileDescriptorSet of a whole fleet: a request for all of its files.
 * Several sets may stand one after the other; a file that is in more than one of them must be the
 * same. */
const Google__Protobuf__Compiler__CodeGeneratorRequest *gen_request_of_set(
    struct stint__arena *arena, const uint8_t *bytes, size_t len, const char **ret_problem);

#endif
