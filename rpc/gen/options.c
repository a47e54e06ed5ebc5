/* options.c - reads options, and what of them has a meaning here.
 *
 * Extensions that protobuf-c was not compiled with arrive as unknown fields; one that is a message
 * carries its length in front. An option set in several statements arrives as several fields, to be
 * merged in order. Their bytes are read by the bounded reader. Single-threaded. */
#include "options.h"

#include <string.h>

#include "reader.h"

/* Numbers of stint/options.proto. */
enum {
    STINT_METHOD_EXTENSION = 51871,
    METHOD_TIMEOUT = 1,
    METHOD_IDEMPOTENT = 2,
    METHOD_SHORT = 3,
    METHOD_MINIMUM = 4,
    METHOD_RESERVE = 5,
};

enum { PB_C_FILE_EXTENSION = 1019 }; /* of protobuf-c/protobuf-c.proto */

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value;
    struct stint__slice bytes;
};

/* The next field; false at the end and at what is no field. */
static bool next_field(struct stint__reader *r, struct field *f)
{
    if (stint__reader_left(r) == 0)
        return false;
    uint64_t key = stint__read_varint(r);
    *f = (struct field){.number = key >> 3, .wire = (unsigned)(key & 7)};
    switch (f->wire) {
    case WIRE_VARINT:
        f->value = stint__read_varint(r);
        break;
    case WIRE_FIXED64:
        f->value = stint__read_le64(r);
        break;
    case WIRE_BYTES:
        f->bytes = stint__read_bytes(r, stint__read_varint(r));
        break;
    case WIRE_FIXED32:
        f->value = stint__read_le32(r);
        break;
    default:
        r->bad = true;
    }
    return !r->bad;
}

/* Begins to read an unknown field as a message, if it is the extension `number`. */
static bool open_extension(struct stint__reader *r, const ProtobufCMessageUnknownField *unknown,
                           uint32_t number)
{
    if (unknown->tag != number || unknown->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return false;
    stint__reader_init(r, unknown->data, unknown->len);
    struct stint__slice body = stint__read_bytes(r, stint__read_varint(r));
    if (r->bad)
        return false;
    stint__reader_init(r, body.data, body.len);
    return true;
}

struct gen_file_options gen_options_file(struct stint__arena *arena,
                                         const Google__Protobuf__FileDescriptorProto *file)
{
    struct gen_file_options result = {0};
    for (unsigned i = 0; file->options != NULL && i < file->options->base.n_unknown_fields; i++) {
        struct stint__reader r;
        if (!open_extension(&r, &file->options->base.unknown_fields[i], PB_C_FILE_EXTENSION))
            continue;
        for (struct field f; next_field(&r, &f);) {
            if (f.number == GEN_OPTION_NO_GENERATE && f.wire == WIRE_VARINT)
                result.no_generate = f.value != 0;
            else if (f.number == GEN_OPTION_C_PACKAGE && f.wire == WIRE_BYTES)
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

/* "250ms" in microseconds; 0 if s is not a whole number above 0 with a unit, or too large. */
static int64_t parse_time(const char *s)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};

    const int64_t number_max = 1000000000; /* 10^9 h still fits */
    int64_t number = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        number = 10 * number + (*s - '0');
        if (number > number_max)
            return 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(s, units[i].name) == 0)
            return number * units[i].us;
    }
    return 0;
}

struct method_reader {
    struct gen_errors *errors;
    struct gen_place at; /* of the option */
    bool says_idempotent;
    struct gen_method_options result;
};

/* A field that is a time, in microseconds. */
static int64_t read_time(struct method_reader *m, const struct field *f, const char *name)
{
    /* The nanoseconds of a stint_duration must not overflow. */
    const int64_t time_max_us = INT64_MAX / 1000;
    const char *text =
        gen_format(m->errors->text.arena, "%.*s", (int)f->bytes.len, (const char *)f->bytes.data);
    int64_t us = parse_time(text);
    if (us > 0 && us <= time_max_us)
        return us;
    struct gen_place at = gen_place_step(m->at, (int32_t)f->number);
    gen_error(m->errors, &at,
              "%s \"%s\" is not a time: write a whole number above 0 and a unit (us, ms, s, m "
              "or h), as in \"250ms\"",
              name, text);
    return 0;
}

static void read_method_field(struct method_reader *m, const struct field *f)
{
    if (f->number == METHOD_TIMEOUT && f->wire == WIRE_BYTES) {
        m->result.timeout_us = read_time(m, f, "timeout");
    } else if (f->number == METHOD_MINIMUM && f->wire == WIRE_BYTES) {
        m->result.minimum_us = read_time(m, f, "minimum");
    } else if (f->number == METHOD_RESERVE && f->wire == WIRE_BYTES) {
        m->result.reserve_us = read_time(m, f, "reserve");
    } else if (f->number == METHOD_IDEMPOTENT && f->wire == WIRE_VARINT) {
        m->result.idempotent = f->value != 0;
        m->says_idempotent = true;
    } else if (f->number == METHOD_SHORT && f->wire == WIRE_VARINT) {
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
    if (!open_extension(&r, unknown, STINT_METHOD_EXTENSION))
        return;
    for (struct field f; next_field(&r, &f);)
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
