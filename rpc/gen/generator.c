/* generator.c - from a request to a response: model, checks, and only then text.
 *
 * Invariant: a response has files or an error, never both. Single-threaded. */
#include "generator.h"

#include <string.h>

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

struct parameters {
    bool check;
};

static struct parameters read_parameters(struct gen_errors *errors, const char *text)
{
    struct parameters result = {.check = false};
    for (const char *s = text != NULL ? text : ""; *s != '\0';) {
        size_t n = strcspn(s, ",");
        const char *name = gen_format(errors->text.arena, "%.*s", (int)n, s);
        if (strcmp(name, "check") == 0)
            result.check = true;
        else if (strcmp(name, "werror") == 0)
            errors->strict = true;
        else
            gen_error(errors, NULL, "unknown parameter \"%s\": there are check and werror", name);
        s += n + (s[n] == ',');
    }
    errors->labelled = result.check;
    return result;
}

static void check_budgets(const struct gen_model *model)
{
    struct check_graph graph = check_graph_build(model);
    gen_check_budgets(&graph);
}

/* We say that we know proto3 `optional`, so that it is us and not protoc who refuses it: with the
 * line of the field. */
static void answer(response_proto *response, struct gen_errors *errors,
                   const request_proto *request)
{
    response->has_supported_features = 1;
    response->supported_features =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
    struct parameters parameters = read_parameters(errors, request->parameter);
    struct gen_model model = gen_model_build(
        request, errors, parameters.check ? GEN_OPTIONS_OF_ALL : GEN_OPTIONS_OF_WANTED);
    gen_check_supported(&model);
    gen_check_clashes(&model);
    if (parameters.check && errors->count == 0)
        check_budgets(&model);
    if (errors->count == 0)
        add_files(response, &model);
    else
        response->error = gen_format(model.arena, "%s", gen_errors_text(errors));
}

bool gen_run(struct stint__arena *arena, struct gen_bytes bytes, struct gen_answer *ret,
             const char **ret_problem)
{
    const request_proto *request = gen_request_read(arena, bytes.data, bytes.len, ret_problem);
    if (request == NULL)
        return false;
    response_proto response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    struct gen_errors errors = gen_errors_none(arena);
    answer(&response, &errors, request);
    size_t len = google__protobuf__compiler__code_generator_response__get_packed_size(&response);
    uint8_t *data = gen_alloc(arena, len);
    google__protobuf__compiler__code_generator_response__pack(&response, data);
    *ret = (struct gen_answer){{data, len}, gen_warnings_text(&errors)};
    return true;
}
