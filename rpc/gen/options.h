/* options.h - the options of files and methods that the generator heeds. */
#ifndef STINT_GEN_OPTIONS_H
#define STINT_GEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "place.h"

struct gen_file_options {
    const char *c_package; /* protoc-c's: replaces the package in C names; NULL: not set */
    bool no_generate;      /* protoc-c's: no .pb-c.h is written */
};

struct gen_file_options gen_options_file(struct stint__arena *arena,
                                         const Google__Protobuf__FileDescriptorProto *file);

/* Where the file sets one of them. */
enum gen_file_option { GEN_OPTION_NO_GENERATE = 1, GEN_OPTION_C_PACKAGE = 6 };
struct gen_place gen_options_file_place(const Google__Protobuf__FileDescriptorProto *file,
                                        enum gen_file_option option);

struct gen_method_options {
    int64_t timeout_us, minimum_us, reserve_us, work_us; /* 0: none */
    bool idempotent, is_short, deprecated;
    struct gen_budget budget;
};

/* The options of the method at `at` (may be NULL): idempotency_level, deprecated, and, if `stint`
 * says that stint/options.proto is imported, stint.method. Tells errors about values. */
struct gen_method_options gen_options_method(struct gen_errors *errors, const struct gen_place *at,
                                             const Google__Protobuf__MethodOptions *options,
                                             bool stint);

#endif
