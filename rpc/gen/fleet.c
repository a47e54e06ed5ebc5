/* fleet.c - from a descriptor set to what is wrong with the budgets in it. Single-threaded. */
#include "fleet.h"

#include "check.h"

bool gen_fleet_check(struct stint__arena *arena, struct gen_bytes set,
                     const struct gen_fleet_options *options, struct gen_fleet_result *ret,
                     const char **ret_problem)
{
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request =
        gen_request_of_set(arena, set.data, set.len, ret_problem);
    if (request == NULL)
        return false;
    struct gen_errors errors = gen_errors_none(arena);
    errors.labelled = true;
    errors.strict = options->strict;
    *ret = (struct gen_fleet_result){.tree = ""};
    struct gen_model model = gen_model_build(request, &errors, GEN_OPTIONS_OF_ALL);
    if (!model.has_options) {
        *ret_problem = "stint/options.proto is not in it: make it with --include_imports";
        return false;
    }
    if (errors.count == 0) {
        struct check_graph graph = check_graph_build(&model);
        gen_check_budgets(&graph);
        ret->tree = gen_check_tree(&graph);
    }
    ret->errors = gen_errors_text(&errors);
    ret->warnings = gen_warnings_text(&errors);
    return true;
}
