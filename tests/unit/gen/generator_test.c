/* generator_test.c - requests that protoc does not make: cut, changed, nested, forged.
 *
 * argv[1] has the descriptors of sample.proto and of what it imports. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <google/protobuf/compiler/plugin.pb-c.h>

#include "alloc.h"
#include "generator.h"
#include "program.h"
#include "text.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_proto;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_proto;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__FileDescriptorSet file_set;

static const char *descriptors_path; /* set once by main */

/* What protoc would send for sample.proto, for a test to change; and a run of the generator. */
struct fixture {
    struct stint__arena arena;
    ProtobufCAllocator allocator;
    request_proto request;
    file_proto *sample; /* in the request */
    char *names[1];
    response_proto *response;
    const char *warnings;
    const char *problem;
};

static int set_up(void **state)
{
    struct fixture *f = stint__alloc_zeroed(sizeof *f);
    assert_non_null(f);
    stint__arena_init(&f->arena, NULL, 0, GEN_MEMORY_MAX);
    f->allocator = stint__arena_allocator(&f->arena);
    FILE *descriptors = fopen(descriptors_path, "rb");
    assert_non_null(descriptors);
    struct gen_text bytes = gen_program_read(&f->arena, descriptors);
    fclose(descriptors);
    file_set *set = google__protobuf__file_descriptor_set__unpack(&f->allocator, bytes.len,
                                                                  (const uint8_t *)bytes.data);
    assert_non_null(set);
    f->request = (request_proto)GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_REQUEST__INIT;
    f->request.proto_file = set->file;
    f->request.n_proto_file = set->n_file;
    for (size_t i = 0; i < set->n_file; i++) {
        if (strcmp(set->file[i]->name, "sample.proto") == 0)
            f->sample = set->file[i];
        else
            set->file[i]->source_code_info = NULL; /* so large that cutting takes too long */
    }
    assert_non_null(f->sample);
    f->names[0] = f->sample->name;
    f->request.file_to_generate = f->names;
    f->request.n_file_to_generate = 1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    stint__arena_fini(&f->arena);
    stint__free(f);
    return 0;
}

/* Runs the generator on any bytes: true if it answered, and then with files or with an error. */
static bool run_bytes(struct fixture *f, const uint8_t *data, size_t len)
{
    struct gen_answer answer;
    f->problem = NULL;
    if (!gen_run(&f->arena, (struct gen_bytes){data, len}, &answer, &f->problem)) {
        assert_non_null(f->problem);
        assert_true(strlen(f->problem) > 0);
        return false;
    }
    f->response = google__protobuf__compiler__code_generator_response__unpack(
        &f->allocator, answer.response.len, answer.response.data);
    assert_non_null(f->response);
    f->warnings = answer.warnings;
    assert_true((f->response->error != NULL) != (f->response->n_file > 0));
    return true;
}

static struct gen_bytes pack(struct fixture *f)
{
    size_t len = protobuf_c_message_get_packed_size(&f->request.base);
    uint8_t *data = gen_alloc(&f->arena, len);
    protobuf_c_message_pack(&f->request.base, data);
    return (struct gen_bytes){data, len};
}

static bool run(struct fixture *f)
{
    struct gen_bytes bytes = pack(f);
    return run_bytes(f, bytes.data, bytes.len);
}

static void expect_error(struct fixture *f, const char *text)
{
    assert_true(run(f));
    assert_string_equal(f->response->error != NULL ? f->response->error : "(none)", text);
}

static void expect_unreadable(struct fixture *f, const char *problem)
{
    assert_false(run(f));
    assert_string_equal(f->problem, problem);
}

static void a_request_is_answered_with_two_files(void **state)
{
    struct fixture *f = *state;
    assert_true(run(f));
    assert_null(f->response->error);
    assert_int_equal(f->response->n_file, 2);
    assert_string_equal(f->response->file[0]->name, "sample.stint.h");
    assert_string_equal(f->response->file[1]->name, "sample.stint.c");
    assert_non_null(strstr(f->response->file[0]->content, "/* The comment of a method. */"));
    assert_non_null(strstr(f->response->file[1]->content, "STINT_MS(250)"));
    assert_int_equal(f->response->supported_features, 1); /* proto3 optional: we refuse it */
}

static void every_cut_is_refused_or_answered(void **state)
{
    struct fixture *f = *state;
    struct gen_bytes whole = pack(f);
    size_t refused = 0;
    for (size_t len = 0; len < whole.len; len++) {
        struct fixture cut = {.problem = NULL};
        stint__arena_init(&cut.arena, NULL, 0, GEN_MEMORY_MAX);
        cut.allocator = stint__arena_allocator(&cut.arena);
        /* Allocated apart, so that a sanitizer sees a read past the end. */
        uint8_t *copy = stint__alloc(len);
        assert_non_null(copy);
        memcpy(copy, whole.data, len);
        refused += !run_bytes(&cut, copy, len) || cut.response->error != NULL;
        stint__free(copy);
        stint__arena_fini(&cut.arena);
    }
    /* The last file is sample.proto: without all of it, there is nothing to generate. */
    assert_int_equal(refused, whole.len);
}

static void changed_bytes_do_no_harm(void **state)
{
    struct fixture *f = *state;
    struct gen_bytes whole = pack(f);
    uint8_t *bytes = gen_alloc(&f->arena, whole.len);
    uint64_t random = 0x9E3779B97F4A7C15u; /* xorshift64, from a fixed seed */
    size_t refused = 0;
    for (int round = 0; round < 3000; round++) {
        memcpy(bytes, whole.data, whole.len);
        for (int i = 0; i < 3; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[(random >> 16) % whole.len] = (uint8_t)random;
        }
        struct fixture changed = {.problem = NULL};
        stint__arena_init(&changed.arena, NULL, 0, GEN_MEMORY_MAX);
        changed.allocator = stint__arena_allocator(&changed.arena);
        refused += !run_bytes(&changed, bytes, whole.len);
        stint__arena_fini(&changed.arena);
    }
    assert_in_range(refused, 1, 2999); /* the changes do reach both */
}

/* Puts the n bytes that end at `end` into a length-delimited field in front of them. */
static uint8_t *wrap(uint8_t *begin, const uint8_t *end, uint8_t tag)
{
    size_t n = (size_t)(end - begin);
    uint8_t length[10];
    size_t used = 0;
    for (; n >= 0x80; n >>= 7)
        length[used++] = (uint8_t)(n | 0x80);
    length[used++] = (uint8_t)n;
    begin -= used;
    memcpy(begin, length, used);
    *--begin = tag;
    return begin;
}

static void deep_nesting_is_refused(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 1 << 20, DEPTH = 100000 };
    uint8_t *bytes = gen_alloc(&f->arena, SIZE);
    const uint8_t *end = bytes + SIZE;
    uint8_t *begin = bytes + SIZE;
    for (int i = 0; i < DEPTH; i++)
        begin = wrap(begin, end, 3 << 3 | 2); /* nested_type */
    begin = wrap(begin, end, 4 << 3 | 2);     /* message_type */
    begin = wrap(begin, end, 15 << 3 | 2);    /* proto_file */
    assert_false(run_bytes(f, begin, (size_t)(end - begin)));
    assert_string_equal(f->problem, "it does not decode");
}

static void what_is_no_request_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_false(run_bytes(f, NULL, 0));
    assert_string_equal(f->problem, "it names no file to generate");
    static const char text[] = "syntax = \"proto3\";\n";
    assert_false(run_bytes(f, (const uint8_t *)text, sizeof text - 1));
    assert_string_equal(f->problem, "it does not decode");
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    struct fixture *f = *state;
    f->names[0] = gen_format(&f->arena, "other.proto");
    expect_error(f, "other.proto is to be generated but is not in the request");
}

static void a_parameter_is_an_error(void **state)
{
    struct fixture *f = *state;
    f->request.parameter = gen_format(&f->arena, "a=b");
    expect_error(f, "unknown parameter \"a=b\": there are check and werror");
    f->request.parameter = gen_format(&f->arena, "%s", "");
    assert_true(run(f));
    assert_null(f->response->error);
}

static void check_is_told_what_does_not_fit(void **state)
{
    struct fixture *f = *state;
    f->request.parameter = gen_format(&f->arena, "check");
    assert_true(run(f));
    assert_null(f->response->error);
    assert_int_equal(f->response->n_file, 2);
    assert_string_equal(f->warnings, "");

    f->sample->service[0]->method[2]->name = gen_format(&f->arena, "Parrot");
    expect_error(f, "sample.proto:21:5: error: sample.v1.Oracle/Ask calls sample.v1.Oracle/Echo, "
                    "which is in none of the files");
    f->request.parameter = NULL;
    assert_true(run(f));
    assert_null(f->response->error);
}

static void warnings_count_if_asked(void **state)
{
    struct fixture *f = *state;
    static const char warning[] =
        "minimum 10ms of sample.v1.Oracle/Echo is less than the 10.5ms that its work, reserve and "
        "calls need";
    Google__Protobuf__MethodOptions *options = f->sample->service[0]->method[2]->options;
    static uint8_t bytes[] = "\x0F\x22\x04"
                             "10ms"
                             "\x32\x07"
                             "10500us"; /* minimum, work */
    options->base.unknown_fields[0].data = bytes;
    options->base.unknown_fields[0].len = sizeof bytes - 1;
    f->request.parameter = gen_format(&f->arena, "check");
    assert_true(run(f));
    assert_null(f->response->error);
    assert_string_equal(f->warnings,
                        gen_format(&f->arena, "sample.proto:24:3: warning: %s", warning));
    f->request.parameter = gen_format(&f->arena, "check,werror");
    expect_error(f, gen_format(&f->arena, "sample.proto:24:3: error: %s", warning));
    assert_string_equal(f->warnings, "");
}

static void an_unknown_syntax_is_an_error(void **state)
{
    struct fixture *f = *state;
    f->sample->syntax = gen_format(&f->arena, "editions");
    expect_error(f, "sample.proto:2:1: syntax \"editions\" is not supported: write \"proto2\" or "
                    "\"proto3\"");
}

static void an_unknown_type_is_an_error(void **state)
{
    struct fixture *f = *state;
    f->sample->service[0]->method[1]->input_type = gen_format(&f->arena, ".sample.v1.Nothing");
    expect_error(f, "sample.proto:23:14: message sample.v1.Nothing is not in the request");
}

static void places_without_lines_name_the_file(void **state)
{
    struct fixture *f = *state;
    f->sample->source_code_info = NULL;
    f->sample->service[0]->method[1]->input_type = gen_format(&f->arena, ".sample.v1.Nothing");
    expect_error(f, "sample.proto: message sample.v1.Nothing is not in the request");
}

static void names_that_are_no_identifiers_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char problem[] = "sample.proto in it has a name that is no identifier";
    Google__Protobuf__ServiceDescriptorProto *service = f->sample->service[0];
    char **names[] = {
        &service->name,
        &service->method[0]->name,
        &service->method[0]->input_type,
        &service->method[0]->output_type,
        &f->sample->message_type[0]->name,
        &f->sample->message_type[0]->nested_type[0]->name,
        &f->sample->package,
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *name = *names[i];
        *names[i] = gen_format(&f->arena, "%s(void); int x", name);
        expect_unreadable(f, problem);
        *names[i] = NULL;
        if (names[i] != &f->sample->package)
            expect_unreadable(f, problem);
        *names[i] = name;
    }
    assert_true(run(f));
}

static void file_names_that_c_cannot_include_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a\"b.proto", "a\nb.proto", "a*/b.proto", "a\\b.proto", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        f->sample->name = gen_format(&f->arena, "%s", names[i]);
        expect_unreadable(f, "it has a file whose name C cannot include");
    }
}

static void an_option_that_does_not_decode_is_an_error(void **state)
{
    struct fixture *f = *state;
    ProtobufCMessage *options = &f->sample->service[0]->method[0]->options->base;
    assert_int_equal(options->n_unknown_fields, 2);
    /* Two bytes: field 1, of 127 bytes. */
    static uint8_t bad[] = {2, 1 << 3 | 2, 127};
    options->unknown_fields[0].data = bad;
    options->unknown_fields[0].len = sizeof bad;
    expect_error(f, "sample.proto:20:5: option stint.method does not decode");
}

static void an_extension_of_others_is_not_ours(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->request.n_proto_file; i++) {
        if (strcmp(f->request.proto_file[i]->name, "stint/options.proto") == 0)
            f->request.proto_file[i]->name = gen_format(&f->arena, "other/options.proto");
    }
    assert_true(run(f));
    assert_null(f->response->error);
    assert_null(strstr(f->response->file[1]->content, "STINT_MS(250)"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_with_two_files),
        TEST(every_cut_is_refused_or_answered),
        TEST(changed_bytes_do_no_harm),
        TEST(deep_nesting_is_refused),
        TEST(what_is_no_request_is_refused),
        TEST(a_file_that_is_not_there_is_an_error),
        TEST(a_parameter_is_an_error),
        TEST(check_is_told_what_does_not_fit),
        TEST(warnings_count_if_asked),
        TEST(an_unknown_syntax_is_an_error),
        TEST(an_unknown_type_is_an_error),
        TEST(places_without_lines_name_the_file),
        TEST(names_that_are_no_identifiers_are_refused),
        TEST(file_names_that_c_cannot_include_are_refused),
        TEST(an_option_that_does_not_decode_is_an_error),
        TEST(an_extension_of_others_is_not_ours),
    };
    if (argc != 2)
        return 2;
    descriptors_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
