/* model.c - names everything in the request in C, and finds the types of methods.
 *
 * Invariant: without errors, every method of a wanted file has a request and a reply.
 * Single-threaded. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* The package as protoc-c sees it, and the rest of a full name behind it. */
static const char *c_full_name(struct stint__arena *arena, const struct gen_file *file,
                               const char *full_name)
{
    if (file->options.c_package == NULL)
        return full_name;
    const char *package = file->proto->package != NULL ? file->proto->package : "";
    return gen_format(arena, "%s%s%s", file->options.c_package, package[0] == '\0' ? "." : "",
                      full_name + strlen(package));
}

static const char *qualify(struct stint__arena *arena, const char *scope, const char *name)
{
    bool global = scope == NULL || scope[0] == '\0';
    return global ? name : gen_format(arena, "%s.%s", scope, name);
}

static size_t count_messages(const Google__Protobuf__DescriptorProto *proto)
{
    size_t n = 1;
    for (size_t i = 0; i < proto->n_nested_type; i++)
        n += count_messages(proto->nested_type[i]);
    return n;
}

static void add_message(struct gen_model *model, struct gen_message message, const char *scope)
{
    struct stint__arena *arena = model->arena;
    message.full_name = qualify(arena, scope, message.proto->name);
    const char *name = c_full_name(arena, message.file, message.full_name);
    message.type = gen_name_type(arena, name);
    message.lower = gen_name_lower(arena, name, "__");
    model->messages[model->n_messages++] = message;
    for (size_t i = 0; i < message.proto->n_nested_type; i++) {
        struct gen_message nested = {.proto = message.proto->nested_type[i],
                                     .file = message.file,
                                     .at = gen_place_member(message.at, GEN_MESSAGE_NESTED, i),
                                     .nested = true};
        add_message(model, nested, message.full_name);
    }
}

static int by_full_name(const void *a, const void *b)
{
    return strcmp(((const struct gen_message *)a)->full_name,
                  ((const struct gen_message *)b)->full_name);
}

static void add_messages(struct gen_model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < model->n_files; i++) {
        const Google__Protobuf__FileDescriptorProto *proto = model->files[i].proto;
        for (size_t j = 0; j < proto->n_message_type; j++)
            n += count_messages(proto->message_type[j]);
    }
    model->messages = gen_alloc_array(model->arena, n, sizeof *model->messages);
    for (size_t i = 0; i < model->n_files; i++) {
        const struct gen_file *file = &model->files[i];
        for (size_t j = 0; j < file->proto->n_message_type; j++) {
            struct gen_message message = {.proto = file->proto->message_type[j],
                                          .file = file,
                                          .at = gen_place_member(file->at, GEN_FILE_MESSAGE, j)};
            add_message(model, message, file->proto->package);
        }
    }
    qsort(model->messages, n, sizeof *model->messages, by_full_name);
}

static const struct gen_message *find_message(const struct gen_model *model, struct gen_place at,
                                              const char *type_name)
{
    struct gen_message key = {.full_name = type_name + 1}; /* behind the dot */
    const struct gen_message *found =
        bsearch(&key, model->messages, model->n_messages, sizeof *model->messages, by_full_name);
    if (found == NULL)
        gen_error(model->errors, &at, "message %s is not in the request", type_name + 1);
    return found;
}

static struct gen_method build_method(struct gen_model *model, const struct gen_service *service,
                                      size_t index)
{
    const Google__Protobuf__MethodDescriptorProto *proto = service->proto->method[index];
    struct gen_place at = gen_place_member(service->at, GEN_SERVICE_METHOD, index);
    const char *name = gen_name_lower(model->arena, proto->name, "");
    struct gen_method_options options = {0};
    if (service->file->wanted || model->scope == GEN_OPTIONS_OF_ALL)
        options = gen_options_method(model->errors, &at, proto->options, model->has_options);
    const Google__Protobuf__ServiceOptions *of_service = service->proto->options;
    if (of_service != NULL && of_service->has_deprecated && of_service->deprecated)
        options.deprecated = true;
    return (struct gen_method){
        .proto = proto,
        .at = at,
        .name = name,
        .member = gen_name_safe(model->arena, name),
        .function = gen_format(model->arena, "%s_%s", service->prefix, name),
        .request = find_message(model, gen_place_step(at, GEN_METHOD_INPUT), proto->input_type),
        .reply = find_message(model, gen_place_step(at, GEN_METHOD_OUTPUT), proto->output_type),
        .options = options,
    };
}

static struct gen_service build_service(struct gen_model *model, const struct gen_file *file,
                                        size_t index)
{
    struct stint__arena *arena = model->arena;
    const Google__Protobuf__ServiceDescriptorProto *proto = file->proto->service[index];
    const char *full_name = qualify(arena, file->proto->package, proto->name);
    struct gen_service service = {
        .proto = proto,
        .file = file,
        .at = gen_place_member(file->at, GEN_FILE_SERVICE, index),
        .full_name = full_name,
        .c_name = c_full_name(arena, file, full_name),
        .name = gen_name_lower(arena, proto->name, ""),
        .methods = gen_alloc_array(arena, proto->n_method, sizeof(struct gen_method)),
        .n_methods = proto->n_method,
    };
    service.prefix = gen_name_lower(arena, service.c_name, "_");
    service.variable = gen_name_safe(arena, service.prefix);
    for (size_t i = 0; i < service.n_methods; i++)
        service.methods[i] = build_method(model, &service, i);
    return service;
}

static struct gen_file build_file(struct gen_model *model,
                                  const Google__Protobuf__FileDescriptorProto *proto)
{
    struct gen_file file = {
        .proto = proto,
        .at = gen_place_file(proto),
        .base = gen_name_without_proto(model->arena, proto->name),
        .options = gen_options_file(model->arena, proto),
    };
    const char *c_package = file.options.c_package;
    if (c_package != NULL && !gen_name_is_qualified(c_package)) {
        struct gen_place at = gen_options_file_place(proto, GEN_OPTION_C_PACKAGE);
        gen_error(model->errors, &at, "c_package \"%s\" is no name of a package", c_package);
        file.options.c_package = NULL;
    }
    return file;
}

static void add_services(struct gen_model *model, struct gen_file *file)
{
    file->n_services = file->proto->n_service;
    file->services = gen_alloc_array(model->arena, file->n_services, sizeof *file->services);
    for (size_t i = 0; i < file->n_services; i++)
        file->services[i] = build_service(model, file, i);
}

static bool mark_wanted(struct gen_model *model, const char *name)
{
    for (size_t i = 0; i < model->n_files; i++) {
        if (strcmp(model->files[i].proto->name, name) == 0)
            return model->files[i].wanted = true;
    }
    return false;
}

struct gen_model gen_model_build(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                                 struct gen_errors *errors, enum gen_options_scope scope)
{
    struct gen_model model = {.arena = errors->text.arena, .errors = errors, .scope = scope};
    model.files = gen_alloc_array(model.arena, request->n_proto_file, sizeof *model.files);
    for (; model.n_files < request->n_proto_file; model.n_files++) {
        const Google__Protobuf__FileDescriptorProto *proto = request->proto_file[model.n_files];
        model.files[model.n_files] = build_file(&model, proto);
        if (strcmp(proto->name, "stint/options.proto") == 0)
            model.has_options = true;
    }
    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        if (!mark_wanted(&model, request->file_to_generate[i]))
            gen_error(errors, NULL, "%s is to be generated but is not in the request",
                      request->file_to_generate[i]);
    }
    add_messages(&model);
    for (size_t i = 0; i < model.n_files; i++)
        add_services(&model, &model.files[i]);
    return model;
}
