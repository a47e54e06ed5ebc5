/* supported.c - refuses what is not supported, at its line. Single-threaded. */
#include "check.h"

#include <string.h>

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

static void check_streams(const struct gen_model *model, const struct gen_service *service)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct gen_method *method = &service->methods[i];
        const Google__Protobuf__MethodDescriptorProto *proto = method->proto;
        bool client = proto->has_client_streaming && proto->client_streaming;
        bool server = proto->has_server_streaming && proto->server_streaming;
        if (client || server)
            gen_error(model->errors, &method->at,
                      "method %s of %s has a stream of %s: streams are not supported yet",
                      proto->name, service->full_name,
                      client && server ? "requests and one of replies"
                      : client         ? "requests"
                                       : "replies");
    }
}

static void check_file(const struct gen_model *model, const struct gen_file *file)
{
    check_syntax(model, file);
    if (!file->wanted)
        return;
    if (file->options.no_generate)
        gen_error(model->errors, &file->at,
                  "option (pb_c_file).no_generate: without %s.pb-c.h there are no types to call "
                  "services with",
                  file->base);
    for (size_t i = 0; i < file->n_services; i++)
        check_streams(model, &file->services[i]);
}

void gen_check_supported(const struct gen_model *model)
{
    for (size_t i = 0; i < model->n_files; i++)
        check_file(model, &model->files[i]);
    /* In imported files as well: their headers are included. */
    for (size_t i = 0; i < model->n_messages; i++)
        check_optional(model, &model->messages[i]);
}
