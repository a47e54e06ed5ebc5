/* options.c - reads options, and what of them has a meaning here.
 *
 * Extensions that protobuf-c was not compiled with arrive as unknown fields; one that is a message
 * carries its length in front. An option set in several statements arrives as several fields, to be
 * merged in order. Single-threaded. */
#include "options.h"

#include <string.h>

#include "fields.h"
#include "span.h"

/* Numbers of stint/options.proto. */
enum {
    STINT_METHOD_EXTENSION = 51871,
    METHOD_TIMEOUT = 1,
    METHOD_IDEMPOTENT = 2,
    METHOD_SHORT = 3,
    METHOD_MINIMUM = 4,
    METHOD_RESERVE = 5,
    METHOD_WORK = 6,
    METHOD_CALLS = GEN_STINT_METHOD_CALLS,
};

enum { PB_C_FILE_EXTENSION = 1019 }; /* of protobuf-c/protobuf-c.proto */

struct gen_file_options gen_options_file(struct stint__arena *arena,
                                         const Google__Protobuf__FileDescriptorProto *file)
{
    struct gen_file_options result = {0};
    for (unsigned i = 0; file->options != NULL && i < file->options->base.n_unknown_fields; i++) {
        struct stint__reader r;
        if (!gen_fields_open(&r, &file->options->base.unknown_fields[i], PB_C_FILE_EXTENSION))
            continue;
        for (struct gen_field f; gen_fields_next(&r, &f);) {
            if (f.number == GEN_OPTION_NO_GENERATE && f.wire == GEN_WIRE_VARINT)
                result.no_generate = f.value != 0;
            else if (f.number == GEN_OPTION_C_PACKAGE && f.wire == GEN_WIRE_BYTES)
                result.c_package =
                    gen_format(arena, "%.*s", (int)f.bytes.len, (const char *)f.bytes.data);
        }
    }
    return result;
}

struct gen_place gen_options_file_place(const Google__Protobuf__FileDescriptorProto *file,
                                        enum gen_file_option option)
{
    struct gen_place at = gen_place_step(gen_place_file(file), GEN_FILE_OPTIONS);
    return gen_place_step(gen_place_step(at, PB_C_FILE_EXTENSION), (int32_t)option);
}

struct method_reader {
    struct gen_errors *errors;
    struct gen_place at; /* of the option */
    bool says_idempotent;
    struct gen_calls_found calls;
    struct gen_method_options result;
};

/* A field that is a time, in microseconds. */
static int64_t read_time(struct method_reader *m, const struct gen_field *f, const char *name)
{
    const char *text =
        gen_format(m->errors->text.arena, "%.*s", (int)f->bytes.len, (const char *)f->bytes.data);
    int64_t us = gen_span_parse(text);
    if (us > 0)
        return us;
    struct gen_place at = gen_place_step(m->at, (int32_t)f->number);
    gen_error(m->errors, &at,
              "%s \"%s\" is not a time: write a whole number above 0 and a unit (us, ms, s, m "
              "or h), as in \"250ms\"",
              name, text);
    return 0;
}

static void read_method_field(struct method_reader *m, const struct gen_field *f)
{
    if (f->number == METHOD_TIMEOUT && f->wire == GEN_WIRE_BYTES) {
        m->result.timeout_us = read_time(m, f, "timeout");
    } else if (f->number == METHOD_MINIMUM && f->wire == GEN_WIRE_BYTES) {
        m->result.minimum_us = read_time(m, f, "minimum");
    } else if (f->number == METHOD_RESERVE && f->wire == GEN_WIRE_BYTES) {
        m->result.reserve_us = read_time(m, f, "reserve");
    } else if (f->number == METHOD_WORK && f->wire == GEN_WIRE_BYTES) {
        m->result.work_us = read_time(m, f, "work");
    } else if (f->number == METHOD_CALLS && f->wire == GEN_WIRE_BYTES) {
        gen_calls_add(&m->calls, f->bytes);
    } else if (f->number == METHOD_IDEMPOTENT && f->wire == GEN_WIRE_VARINT) {
        m->result.idempotent = f->value != 0;
        m->says_idempotent = true;
    } else if (f->number == METHOD_SHORT && f->wire == GEN_WIRE_VARINT) {
        m->result.is_short = f->value != 0;
    } else {
        struct gen_place at = gen_place_step(m->at, (int32_t)(f->number & INT32_MAX));
        gen_error(m->errors, &at,
                  "this protoc-gen-stint does not know field %llu of option stint.method: its "
                  "stint/options.proto is of another version",
                  (unsigned long long)f->number);
    }
}

static void read_method_extension(struct method_reader *m,
                                  const ProtobufCMessageUnknownField *unknown)
{
    struct stint__reader r;
    if (!gen_fields_open(&r, unknown, STINT_METHOD_EXTENSION))
        return;
    for (struct gen_field f; gen_fields_next(&r, &f);)
        read_method_field(m, &f);
    if (r.bad)
        gen_error(m->errors, &m->at, "option stint.method does not decode");
}

struct gen_method_options gen_options_method(struct gen_errors *errors, const struct gen_place *at,
                                             const Google__Protobuf__MethodOptions *options,
                                             bool stint)
{
    struct method_reader m = {.errors = errors};
    if (options == NULL)
        return m.result;
    struct gen_place all = gen_place_step(*at, GEN_METHOD_OPTIONS);
    m.at = gen_place_step(all, STINT_METHOD_EXTENSION);
    m.result.deprecated = options->has_deprecated && options->deprecated;
    for (unsigned i = 0; stint && i < options->base.n_unknown_fields; i++)
        read_method_extension(&m, &options->base.unknown_fields[i]);
    m.result.budget = gen_calls_build(errors, &m.at, &m.calls);

    /* NO_SIDE_EFFECTS is the stronger promise. */
    if (!options->has_idempotency_level ||
        options->idempotency_level ==
            GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__IDEMPOTENCY_UNKNOWN)
        return m.result;
    if (m.says_idempotent && !m.result.idempotent) {
        struct gen_place place = gen_place_step(m.at, METHOD_IDEMPOTENT);
        gen_error(errors, &place, "idempotent: false contradicts the method's idempotency_level");
    }
    m.result.idempotent = true;
    return m.result;
}
