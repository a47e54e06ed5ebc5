/* supported.c - refuses what is not supported, at its line. Single-threaded. */
#include "check.h"

#include <string.h>

#include "names.h"

static void check_syntax(const struct gen_model *model, const struct gen_file *file)
{
    const char *syntax = file->proto->syntax; /* absent in proto2 */
    if (syntax == NULL || strcmp(syntax, "proto2") == 0 || strcmp(syntax, "proto3") == 0)
        return;
    struct gen_place at = gen_place_step(file->at, GEN_FILE_SYNTAX);
    gen_error(model->errors, &at, "syntax \"%s\" is not supported: write \"proto2\" or \"proto3\"",
              syntax);
}

/* protoc-c says so too, but not where. */
static void check_optional(const struct gen_model *model, const struct gen_message *message)
{
    for (size_t i = 0; i < message->proto->n_field; i++) {
        const Google__Protobuf__FieldDescriptorProto *field = message->proto->field[i];
        if (!field->has_proto3_optional || !field->proto3_optional)
            continue;
        struct gen_place at = gen_place_member(message->at, GEN_MESSAGE_FIELD, i);
        gen_error(model->errors, &at,
                  "field %s of %s: protoc-c cannot compile `optional` in proto3: leave it out, or "
                  "put the field alone into a oneof, or use proto2",
                  field->name != NULL ? field->name : "?", message->full_name);
    }
}

static void check_stream(const struct gen_model *model, const struct gen_service *service,
                         const struct gen_method *method)
{
    const Google__Protobuf__MethodDescriptorProto *proto = method->proto;
    bool client = proto->has_client_streaming && proto->client_streaming;
    bool server = proto->has_server_streaming && proto->server_streaming;
    if (!client && !server)
        return;
    const char *what = client && server ? "requests and one of replies"
                       : client         ? "requests"
                                        : "replies";
    gen_error(model->errors, &method->at,
              "method %s of %s has a stream of %s: streams are not supported yet", proto->name,
              service->full_name, what);
}

/* "package.Service/Method" travels with each request. */
static void check_length(const struct gen_model *model, const struct gen_service *service,
                         const struct gen_method *method)
{
    const size_t path_max = 255; /* what servers accept: STINT__METHOD_MAX */
    size_t n = strlen(service->full_name) + strlen("/") + strlen(method->proto->name);
    if (n > path_max)
        gen_error(model->errors, &method->at,
                  "%s/%s has %zu characters: a method has at most %zu, with its package",
                  service->full_name, method->proto->name, n, path_max);
}

/* protoc-c makes a struct of each service, with a member for each method. */
static void check_keyword(const struct gen_model *model, const struct gen_service *service,
                          const struct gen_method *method)
{
    if (gen_name_is_keyword(model->arena, method->name))
        gen_error(model->errors, &method->at,
                  "method %s of %s: protoc-c cannot compile it, since %s is a keyword of C: rename "
                  "it",
                  method->proto->name, service->full_name, method->name);
}

static void check_methods(const struct gen_model *model, const struct gen_service *service)
{
    if (service->n_methods == 0)
        gen_error(model->errors, &service->at,
                  "service %s: protoc-c cannot compile a service without methods",
                  service->full_name);
    for (size_t i = 0; i < service->n_methods; i++) {
        check_stream(model, service, &service->methods[i]);
        check_length(model, service, &service->methods[i]);
        check_keyword(model, service, &service->methods[i]);
    }
}

static void check_file(const struct gen_model *model, const struct gen_file *file)
{
    check_syntax(model, file);
    if (!file->wanted)
        return;
    if (file->options.no_generate) {
        struct gen_place at = gen_options_file_place(file->proto, GEN_OPTION_NO_GENERATE);
        gen_error(model->errors, &at, "no_generate: without %s.pb-c.h services have no types",
                  file->base);
    }
    for (size_t i = 0; i < file->n_services; i++)
        check_methods(model, &file->services[i]);
}

void gen_check_supported(const struct gen_model *model)
{
    for (size_t i = 0; i < model->n_files; i++)
        check_file(model, &model->files[i]);
    /* In imported files as well: their headers are included. */
    for (size_t i = 0; i < model->n_messages; i++)
        check_optional(model, &model->messages[i]);
}
