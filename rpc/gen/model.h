/* model.h - the request, with everything named in C and every type found. */
#ifndef STINT_GEN_MODEL_H
#define STINT_GEN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "place.h"
#include "request.h"

struct gen_file;

struct gen_message {
    const char *full_name; /* "shop.v1.QuoteRequest" */
    const char *type;      /* "Shop__V1__QuoteRequest" */
    const char *lower;     /* "shop__v1__quote_request" */
    const Google__Protobuf__DescriptorProto *proto;
    const struct gen_file *file;
    struct gen_place at;
    bool nested;
};

struct gen_method {
    const Google__Protobuf__MethodDescriptorProto *proto;
    struct gen_place at;
    const char *name;     /* "place_order" */
    const char *member;   /* the same, but no keyword: in the ops table */
    const char *function; /* "shop_v1_gateway_place_order" */
    const struct gen_message *request, *reply;
    struct gen_method_options options;
};

struct gen_service {
    const Google__Protobuf__ServiceDescriptorProto *proto;
    const struct gen_file *file;
    struct gen_place at;
    const char *full_name; /* "shop.v1.Gateway" */
    const char *c_name;    /* the same, with the package that C sees */
    const char *prefix;    /* "shop_v1_gateway" */
    const char *variable;  /* the same, but no keyword */
    const char *name;      /* "gateway" */
    struct gen_method *methods;
    size_t n_methods;
};

struct gen_file {
    const Google__Protobuf__FileDescriptorProto *proto;
    struct gen_place at;
    const char *base; /* "shop/v1/shop" */
    struct gen_file_options options;
    bool wanted; /* to be generated; else only imported */
    struct gen_service *services;
    size_t n_services;
};

/* Whose options are read: what is wrong with those of an imported file is told when that is
 * generated; but its methods may be part of a fleet. */
enum gen_options_scope { GEN_OPTIONS_OF_WANTED, GEN_OPTIONS_OF_ALL };

struct gen_model {
    struct stint__arena *arena;
    struct gen_errors *errors;
    struct gen_file *files;
    size_t n_files;
    enum gen_options_scope scope;
    bool has_options;             /* stint/options.proto is among the files */
    struct gen_message *messages; /* sorted by full_name */
    size_t n_messages;
};

/* The model of the request; what is wrong with the .proto files goes to errors, and parts that
 * depend on it are missing then. */
struct gen_model gen_model_build(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                                 struct gen_errors *errors, enum gen_options_scope scope);

#endif
