/* generator.c - from a request to a response: model, checks, and only then text.
 *
 * Invariant: a response has files or an error, never both. Single-threaded. */
#include "generator.h"

#include "check.h"
#include "emit.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_proto;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_proto;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File response_file;

typedef void emit_fn(struct gen_text *t, const struct gen_file *file);

static void add_file(response_proto *response, struct stint__arena *arena,
                     const struct gen_file *file, const char *ending, emit_fn *emit)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    emit(&t, file);
    response_file *f = gen_alloc(arena, sizeof *f);
    google__protobuf__compiler__code_generator_response__file__init(f);
    f->name = gen_format(arena, "%s%s", file->base, ending);
    f->content = t.data;
    response->file[response->n_file++] = f;
}

static void add_files(response_proto *response, const struct gen_model *model)
{
    response->file = gen_alloc_array(model->arena, 2 * model->n_files, sizeof(response_file *));
    for (size_t i = 0; i < model->n_files; i++) {
        if (!model->files[i].wanted)
            continue;
        add_file(response, model->arena, &model->files[i], ".stint.h", gen_emit_header);
        add_file(response, model->arena, &model->files[i], ".stint.c", gen_emit_source);
    }
}

static void check_parameter(struct gen_errors *errors, const char *parameter)
{
    if (parameter != NULL && parameter[0] != '\0')
        gen_error(errors, NULL, "unknown parameter \"%s\": protoc-gen-stint has none", parameter);
}

/* We say that we know proto3 `optional`, so that it is us and not protoc who refuses it: with the
 * line of the field. */
static void answer(response_proto *response, struct stint__arena *arena,
                   const request_proto *request)
{
    struct gen_errors errors = gen_errors_none(arena);
    response->has_supported_features = 1;
    response->supported_features =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
    check_parameter(&errors, request->parameter);
    struct gen_model model = gen_model_build(request, &errors);
    gen_check_supported(&model);
    gen_check_clashes(&model);
    if (errors.count == 0)
        add_files(response, &model);
    else
        response->error = gen_format(arena, "%s", gen_errors_text(&errors));
}

bool gen_run(struct stint__arena *arena, struct gen_bytes bytes, struct gen_bytes *ret_response,
             const char **ret_problem)
{
    const request_proto *request = gen_request_read(arena, bytes.data, bytes.len, ret_problem);
    if (request == NULL)
        return false;
    response_proto response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    answer(&response, arena, request);
    size_t len = google__protobuf__compiler__code_generator_response__get_packed_size(&response);
    uint8_t *data = gen_alloc(arena, len);
    google__protobuf__compiler__code_generator_response__pack(&response, data);
    *ret_response = (struct gen_bytes){data, len};
    return true;
}
