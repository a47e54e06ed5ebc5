/* fleet_test.c - descriptor sets that protoc does not make: cut, changed, without places, forged,
 * and so large that what takes more than one look at each call would not end.
 *
 * argv[1] has the descriptors of sample.proto and of what it imports. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <google/protobuf/descriptor.pb-c.h>

#include "alloc.h"
#include "fleet.h"
#include "program.h"

typedef Google__Protobuf__FileDescriptorSet file_set;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

static const char *descriptors_path; /* set once by main */

struct fixture {
    struct stint__arena arena;
    ProtobufCAllocator allocator;
    file_set *set;
    file_proto *sample; /* in the set */
    struct gen_fleet_result result;
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
    f->set = google__protobuf__file_descriptor_set__unpack(&f->allocator, bytes.len,
                                                           (const uint8_t *)bytes.data);
    assert_non_null(f->set);
    size_t n = 0;
    for (size_t i = 0; i < f->set->n_file; i++) {
        file_proto *file = f->set->file[i];
        /* So large that cutting takes too long, and nothing here is of its types. */
        if (strcmp(file->name, "google/protobuf/descriptor.proto") == 0)
            continue;
        f->set->file[n++] = file;
        if (strcmp(file->name, "sample.proto") == 0)
            f->sample = file;
        else
            file->source_code_info = NULL;
    }
    f->set->n_file = n;
    assert_non_null(f->sample);
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

static struct gen_bytes pack(struct fixture *f)
{
    size_t len = protobuf_c_message_get_packed_size(&f->set->base);
    uint8_t *data = gen_alloc(&f->arena, len);
    protobuf_c_message_pack(&f->set->base, data);
    return (struct gen_bytes){data, len};
}

static bool run_bytes(struct fixture *f, struct gen_bytes bytes)
{
    const struct gen_fleet_options options = {.strict = false};
    f->problem = NULL;
    bool read = gen_fleet_check(&f->arena, bytes, &options, &f->result, &f->problem);
    assert_true(read ? f->result.errors != NULL && f->result.tree != NULL : f->problem != NULL);
    return read;
}

static void expect_errors(struct fixture *f, const char *text)
{
    assert_true(run_bytes(f, pack(f)));
    assert_string_equal(f->result.errors, text);
}

static method_proto *method(const struct fixture *f, size_t index)
{
    return f->sample->service[0]->method[index];
}

/* Replaces the option stint.method of a method. */
static void set_option(struct fixture *f, size_t index, const void *bytes, size_t len)
{
    Google__Protobuf__MethodOptions *options = gen_alloc(&f->arena, sizeof *options);
    google__protobuf__method_options__init(options);
    struct gen_text t;
    gen_text_init(&t, &f->arena);
    for (size_t n = len; n >= 0x80; n >>= 7)
        gen_text_add_bytes(&t, &(char){(char)(0x80 | (n & 0x7F))}, 1);
    size_t top = len;
    while (top >= 0x80)
        top >>= 7;
    gen_text_add_bytes(&t, &(char){(char)top}, 1);
    gen_text_add_bytes(&t, bytes, len);
    ProtobufCMessageUnknownField *unknown = gen_alloc(&f->arena, sizeof *unknown);
    *unknown = (ProtobufCMessageUnknownField){.tag = 51871,
                                              .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                              .len = t.len,
                                              .data = (uint8_t *)t.data};
    options->base.unknown_fields = unknown;
    options->base.n_unknown_fields = 1;
    method(f, index)->options = options;
}

#define SET_OPTION(f, index, literal) set_option(f, index, literal, sizeof(literal) - 1)

static void the_sample_fits(void **state)
{
    struct fixture *f = *state;
    expect_errors(f, "");
    assert_string_equal(f->result.warnings, "");
    assert_string_equal(f->result.tree, "METHOD                      GETS  NEEDS  HOW\n"
                                        "sample.v1.Oracle/Ask       250ms   20ms\n"
                                        "  1 sample.v1.Oracle/Echo  240ms   10ms\n");
}

static void every_cut_is_refused_or_checked(void **state)
{
    struct fixture *f = *state;
    struct gen_bytes whole = pack(f);
    size_t refused = 0;
    for (size_t len = 0; len < whole.len; len++) {
        struct fixture cut = {.problem = NULL};
        stint__arena_init(&cut.arena, NULL, 0, GEN_MEMORY_MAX);
        /* Allocated apart, so that a sanitizer sees a read past the end. */
        uint8_t *copy = stint__alloc(len);
        assert_true(copy != NULL || len == 0);
        if (len > 0)
            memcpy(copy, whole.data, len);
        refused += !run_bytes(&cut, (struct gen_bytes){copy, len});
        stint__free(copy);
        stint__arena_fini(&cut.arena);
    }
    assert_true(refused > whole.len / 2);
}

static void changed_bytes_do_no_harm(void **state)
{
    struct fixture *f = *state;
    struct gen_bytes whole = pack(f);
    uint8_t *copy = stint__alloc(whole.len);
    assert_non_null(copy);
    memcpy(copy, whole.data, whole.len);
    size_t different = 0;
    for (size_t i = 0; i < whole.len; i++) {
        static const uint8_t flips[] = {0x01, 0x80, 0xFF};
        for (size_t j = 0; j < sizeof flips; j++) {
            struct fixture changed = {.problem = NULL};
            stint__arena_init(&changed.arena, NULL, 0, GEN_MEMORY_MAX);
            copy[i] ^= flips[j];
            different += !run_bytes(&changed, (struct gen_bytes){copy, whole.len}) ||
                         changed.result.errors[0] != '\0';
            copy[i] ^= flips[j];
            stint__arena_fini(&changed.arena);
        }
    }
    stint__free(copy);
    assert_true(different > 0);
}

static void without_places_the_file_is_named(void **state)
{
    struct fixture *f = *state;
    f->sample->source_code_info = NULL;
    method(f, 2)->name = gen_format(&f->arena, "Parrot");
    expect_errors(f, "sample.proto: error: sample.v1.Oracle/Ask calls sample.v1.Oracle/Echo, which "
                     "is in none of the files");
}

static void a_set_without_the_options_is_not_checked(void **state)
{
    struct fixture *f = *state;
    f->set->file[0] = f->sample;
    f->set->n_file = 1;
    assert_false(run_bytes(f, pack(f)));
    assert_string_equal(f->problem,
                        "stint/options.proto is not in it: make it with --include_imports");
}

static void sets_can_be_put_together(void **state)
{
    struct fixture *f = *state;
    assert_true(run_bytes(f, pack(f)));
    const char *once = f->result.tree;
    struct gen_text both;
    gen_text_init(&both, &f->arena);
    for (int i = 0; i < 2; i++) {
        struct gen_bytes set = pack(f);
        gen_text_add_bytes(&both, (const char *)set.data, set.len);
    }
    assert_true(run_bytes(f, (struct gen_bytes){(const uint8_t *)both.data, both.len}));
    assert_string_equal(f->result.errors, "");
    assert_string_equal(f->result.tree, once);

    method(f, 2)->name = gen_format(&f->arena, "Parrot");
    struct gen_bytes other = pack(f);
    gen_text_add_bytes(&both, (const char *)other.data, other.len);
    assert_false(run_bytes(f, (struct gen_bytes){(const uint8_t *)both.data, both.len}));
    assert_string_equal(f->problem, "sample.proto is in it twice, and not alike");
}

static void what_is_no_set_is_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t garbage[] = "stint-check reads no text";
    assert_false(run_bytes(f, (struct gen_bytes){garbage, sizeof garbage}));
    assert_string_equal(f->problem, "it is no descriptor set");
}

static void calls_that_do_not_decode_are_errors(void **state)
{
    struct fixture *f = *state;
    SET_OPTION(f, 1, "\x3A\x02\x0A\x7F"); /* a call of two bytes: a method of 127 */
    expect_errors(f, "sample.proto:23:3: error: a call of option stint.method does not decode");
    SET_OPTION(f, 1, "\x3A\x7F"); /* a call of 127 bytes */
    expect_errors(f, "sample.proto:23:3: error: option stint.method does not decode");
    SET_OPTION(f, 1, "\x3A\x02\x20\x09"); /* a mode that there is not */
    expect_errors(f, "sample.proto:23:3: error: this generator knows no mode 9\n"
                     "sample.proto:23:3: error: a call without a method");
    SET_OPTION(f, 1, "\x3A\x02\x40\x01"); /* field 8 */
    expect_errors(f,
                  "sample.proto:23:3: error: this generator does not know field 8 of a call: its "
                  "stint/options.proto is of another version\n"
                  "sample.proto:23:3: error: a call without a method");
    SET_OPTION(f, 1, "\x3A\x02\x08\x01"); /* a method that is a number */
    expect_errors(f,
                  "sample.proto:23:3: error: this generator does not know field 1 of a call: its "
                  "stint/options.proto is of another version\n"
                  "sample.proto:23:3: error: a call without a method");
}

/* One service whose n methods call the next two each: as many paths as Fibonacci has rabbits. */
static void many_paths_end(void **state)
{
    struct fixture *f = *state;
    const size_t n = 60;
    Google__Protobuf__ServiceDescriptorProto *service = f->sample->service[0];
    method_proto *one = method(f, 1);
    service->method = gen_alloc_array(&f->arena, n + 2, sizeof(method_proto *));
    service->n_method = n + 2;
    for (size_t i = 0; i < n + 2; i++) {
        service->method[i] = gen_alloc(&f->arena, sizeof *one);
        *service->method[i] = *one;
        service->method[i]->name = gen_format(&f->arena, "M%02zu", i);
        const char *option = gen_format(&f->arena,
                                        "\x3A\x16\x0A\x14sample.v1.Oracle/M%02zu"
                                        "\x3A\x16\x0A\x14sample.v1.Oracle/M%02zu",
                                        i + 1, i + 2);
        if (i < n)
            set_option(f, i, option, strlen(option));
        else
            service->method[i]->options = NULL;
    }
    f->sample->source_code_info = NULL;
    expect_errors(f, "");
    const char *end = f->result.tree + strlen(f->result.tree);
    assert_string_equal(end - strlen("and more\n"), "and more\n");
    size_t lines = 0;
    for (const char *s = f->result.tree; (s = strchr(s, '\n')) != NULL; s++)
        lines++;
    assert_int_equal(lines, 10001);
}

/* A chain that no stack could follow call by call. */
static void a_long_chain_is_told_and_not_followed(void **state)
{
    struct fixture *f = *state;
    const size_t n = 20000;
    Google__Protobuf__ServiceDescriptorProto *service = f->sample->service[0];
    method_proto *one = method(f, 1);
    service->method = gen_alloc_array(&f->arena, n, sizeof(method_proto *));
    service->n_method = n;
    for (size_t i = 0; i < n; i++) {
        service->method[i] = gen_alloc(&f->arena, sizeof *one);
        *service->method[i] = *one;
        service->method[i]->name = gen_format(&f->arena, "M%05zu", i);
        const char *option =
            gen_format(&f->arena, "\x3A\x19\x0A\x17sample.v1.Oracle/M%05zu", (i + 1) % n);
        if (i < n - 1)
            set_option(f, i, option, strlen(option));
        else
            service->method[i]->options = NULL;
    }
    f->sample->source_code_info = NULL;
    expect_errors(f, "sample.proto: error: a chain of 20000 hops begins with "
                     "sample.v1.Oracle/M00000: servers take 64 at most");
    set_option(f, n - 1, "\x3A\x19\x0A\x17sample.v1.Oracle/M00000", 27);
    assert_true(run_bytes(f, pack(f)));
    static const char cycle[] =
        "sample.proto: error: calls in a cycle: sample.v1.Oracle/M00000 -> ";
    assert_memory_equal(f->result.errors, cycle, strlen(cycle));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sample_fits),
        TEST(every_cut_is_refused_or_checked),
        TEST(changed_bytes_do_no_harm),
        TEST(without_places_the_file_is_named),
        TEST(a_set_without_the_options_is_not_checked),
        TEST(sets_can_be_put_together),
        TEST(what_is_no_set_is_refused),
        TEST(calls_that_do_not_decode_are_errors),
        TEST(many_paths_end),
        TEST(a_long_chain_is_told_and_not_followed),
    };
    if (argc != 2)
        return 2;
    descriptors_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
