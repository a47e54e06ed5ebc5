/* request.c - decodes and validates a CodeGeneratorRequest.
 *
 * protobuf-c recurses as deep as the bytes say, so its allocator refuses below a distance down the
 * stack. What protoc vouches for is checked again: these names become C. Single-threaded. */
#include "request.h"

#include <stdbool.h>
#include <string.h>

#include "names.h"
#include "reader.h"

#define STACK_MAX ((uintptr_t)512 * 1024)

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

struct guard {
    struct stint__arena *arena;
    uintptr_t stack; /* an address in the frame that began to decode */
};

static uintptr_t stack_here(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static void *guarded_alloc(void *data, size_t n)
{
    const struct guard *g = data;
    uintptr_t here = stack_here();
    uintptr_t distance = here < g->stack ? g->stack - here : here - g->stack;
    return distance > STACK_MAX ? NULL : stint__arena_alloc(g->arena, n);
}

static void guarded_free(void *data, void *p)
{
    (void)data;
    (void)p;
}

static bool identifier(const char *s)
{
    return s != NULL && gen_name_is_identifier(s);
}

static bool type_name(const char *s)
{
    return s != NULL && s[0] == '.' && gen_name_is_qualified(s + 1);
}

/* A file name goes into comments and between the quotes of an #include. */
static bool file_name(const char *s)
{
    if (s == NULL || s[0] == '\0' || strstr(s, "*/") != NULL || strstr(s, "/*") != NULL)
        return false;
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7F || *s == '"' || *s == '\\')
            return false;
    }
    return true;
}

static bool message_names(const message_proto *m)
{
    bool good = identifier(m->name);
    for (size_t i = 0; good && i < m->n_nested_type; i++)
        good = message_names(m->nested_type[i]);
    return good;
}

static bool service_names(const service_proto *s)
{
    bool good = identifier(s->name);
    for (size_t i = 0; good && i < s->n_method; i++) {
        const method_proto *m = s->method[i];
        good = identifier(m->name) && type_name(m->input_type) && type_name(m->output_type);
    }
    return good;
}

static bool file_names(const file_proto *f)
{
    bool good = f->package == NULL || f->package[0] == '\0' || gen_name_is_qualified(f->package);
    for (size_t i = 0; good && i < f->n_message_type; i++)
        good = message_names(f->message_type[i]);
    for (size_t i = 0; good && i < f->n_service; i++)
        good = service_names(f->service[i]);
    return good;
}

/* Files whose names can be relied on. */
static bool good_files(struct stint__arena *arena, file_proto *const *files, size_t n,
                       const char **ret_problem)
{
    for (size_t i = 0; i < n; i++) {
        const file_proto *f = files[i];
        if (!file_name(f->name)) {
            *ret_problem = "it has a file whose name C cannot include";
            return false;
        }
        if (!file_names(f)) {
            *ret_problem = gen_format(arena, "%s in it has a name that is no identifier", f->name);
            return false;
        }
    }
    return true;
}

const Google__Protobuf__Compiler__CodeGeneratorRequest *gen_request_read(struct stint__arena *arena,
                                                                         const uint8_t *bytes,
                                                                         size_t len,
                                                                         const char **ret_problem)
{
    struct guard guard = {arena, stack_here()};
    ProtobufCAllocator allocator = {guarded_alloc, guarded_free, &guard};
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request =
        google__protobuf__compiler__code_generator_request__unpack(&allocator, len, bytes);
    if (request == NULL)
        *ret_problem = "it does not decode";
    else if (request->n_file_to_generate == 0)
        *ret_problem = "it names no file to generate";
    else if (good_files(arena, request->proto_file, request->n_proto_file, ret_problem))
        return request;
    return NULL;
}

static struct stint__slice pack(struct stint__arena *arena, const file_proto *f)
{
    size_t len = google__protobuf__file_descriptor_proto__get_packed_size(f);
    uint8_t *data = gen_alloc(arena, len);
    google__protobuf__file_descriptor_proto__pack(f, data);
    return (struct stint__slice){data, len};
}

static bool same(struct stint__arena *arena, const file_proto *a, const file_proto *b)
{
    struct stint__slice x = pack(arena, a);
    struct stint__slice y = pack(arena, b);
    return x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
}

/* Sets that were made apart and then put one after the other share what all of them import: leaves
 * only the first of each file. */
static bool drop_repeated(struct stint__arena *arena, Google__Protobuf__FileDescriptorSet *set,
                          const char **ret_problem)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n_file; i++) {
        file_proto *f = set->file[i];
        size_t j = 0;
        while (j < n && strcmp(set->file[j]->name, f->name) != 0)
            j++;
        if (j == n) {
            set->file[n++] = f;
        } else if (!same(arena, set->file[j], f)) {
            *ret_problem = gen_format(arena, "%s is in it twice, and not alike", f->name);
            return false;
        }
    }
    set->n_file = n;
    return true;
}

const Google__Protobuf__Compiler__CodeGeneratorRequest *gen_request_of_set(
    struct stint__arena *arena, const uint8_t *bytes, size_t len, const char **ret_problem)
{
    struct guard guard = {arena, stack_here()};
    ProtobufCAllocator allocator = {guarded_alloc, guarded_free, &guard};
    Google__Protobuf__FileDescriptorSet *set =
        google__protobuf__file_descriptor_set__unpack(&allocator, len, bytes);
    if (set == NULL) {
        *ret_problem = "it is no descriptor set";
        return NULL;
    }
    if (!good_files(arena, set->file, set->n_file, ret_problem) ||
        !drop_repeated(arena, set, ret_problem))
        return NULL;
    Google__Protobuf__Compiler__CodeGeneratorRequest *request = gen_alloc(arena, sizeof *request);
    google__protobuf__compiler__code_generator_request__init(request);
    request->proto_file = set->file;
    request->n_proto_file = set->n_file;
    request->file_to_generate = gen_alloc_array(arena, set->n_file, sizeof(char *));
    for (; request->n_file_to_generate < set->n_file; request->n_file_to_generate++) {
        size_t i = request->n_file_to_generate;
        request->file_to_generate[i] = set->file[i]->name;
    }
    return request;
}
