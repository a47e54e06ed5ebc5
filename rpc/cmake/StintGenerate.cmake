# StintGenerate.cmake - C from .proto files, and a check of them, in this project and in those that
# use it.
#
#   stint_generate(target proto... [IMPORT_DIRS dir...])
#
# Adds to the target what protoc-c (x.pb-c.h, x.pb-c.c) and protoc-gen-stint (x.stint.h, x.stint.c)
# make of each x.proto, and the folder to include them from: `#include "shop/v1/shop.stint.h"` for
# the file that is shop/v1/shop.proto below one of the import dirs. Import dirs are where protos are
# found, both those named here and those they import; without any, the current source dir. Stint's
# own (stint/options.proto) and protobuf's (google/protobuf/empty.proto) are found by themselves, and
# need not be named: Stint::stint brings the C code for them.
#
# The target must have been made in the same CMakeLists.txt, and links Stint::stint by itself.

# stint__protoc(name OUT_DIR dir RETURN_SOURCES variable [STINT] [IMPORT_DIRS dir...]): the rule
# that makes C of the proto `name`, relative to an import dir; with STINT, stubs as well.
function(stint__protoc name)
  cmake_parse_arguments(ARG "STINT" "OUT_DIR;RETURN_SOURCES" "IMPORT_DIRS" ${ARGN})
  find_program(STINT_PROTOC protoc)
  find_program(STINT_PROTOC_GEN_C protoc-gen-c)
  if(NOT STINT_PROTOC OR NOT STINT_PROTOC_GEN_C)
    message(FATAL_ERROR "protoc or protoc-gen-c is missing: install protobuf-compiler and "
                        "protobuf-c-compiler")
  endif()

  string(REGEX REPLACE "\\.proto$" "" base ${name})
  # In alphabetical order, as protoc has them in the depfile: Ninja wants the same to be first.
  set(outputs ${ARG_OUT_DIR}/${base}.pb-c.c ${ARG_OUT_DIR}/${base}.pb-c.h)
  set(plugins)
  if(ARG_STINT)
    # In front of protoc-gen-c, so that it is the one to refuse what neither can do.
    list(APPEND outputs ${ARG_OUT_DIR}/${base}.stint.c ${ARG_OUT_DIR}/${base}.stint.h)
    set(plugins --plugin=protoc-gen-stint=$<TARGET_FILE:Stint::protoc-gen-stint>
                --stint_out=${ARG_OUT_DIR})
  endif()
  list(APPEND plugins --plugin=protoc-gen-c=${STINT_PROTOC_GEN_C} --c_out=${ARG_OUT_DIR})

  get_filename_component(folder ${ARG_OUT_DIR}/${base} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  list(TRANSFORM ARG_IMPORT_DIRS PREPEND -I)
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${STINT_PROTOC} ${ARG_IMPORT_DIRS} --dependency_out=${ARG_OUT_DIR}/${base}.d ${plugins}
            ${name}
    DEPENDS $<$<BOOL:${ARG_STINT}>:Stint::protoc-gen-stint>
    DEPFILE ${ARG_OUT_DIR}/${base}.d
    COMMENT "Generating C from ${name}"
    VERBATIM)
  # protoc-c's code is not held to the warnings of whoever compiles it.
  if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    set_source_files_properties(${ARG_OUT_DIR}/${base}.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
  endif()
  set(${ARG_RETURN_SOURCES} ${outputs} PARENT_SCOPE)
endfunction()

# stint__proto_name(proto RETURN variable IMPORT_DIRS dir...): what the proto, a path relative to
# the current source dir or to an import dir, is called relative to an import dir.
function(stint__proto_name proto)
  cmake_parse_arguments(ARG "" "RETURN" "IMPORT_DIRS" ${ARGN})
  foreach(dir IN LISTS ARG_IMPORT_DIRS)
    if(NOT IS_ABSOLUTE ${proto} AND EXISTS ${dir}/${proto})
      set(${ARG_RETURN} ${proto} PARENT_SCOPE)
      return()
    endif()
  endforeach()

  cmake_path(ABSOLUTE_PATH proto NORMALIZE)
  if(NOT EXISTS ${proto})
    message(FATAL_ERROR "stint_generate: there is no ${proto}")
  endif()
  foreach(dir IN LISTS ARG_IMPORT_DIRS)
    cmake_path(IS_PREFIX dir ${proto} is_below)
    if(is_below)
      cmake_path(RELATIVE_PATH proto BASE_DIRECTORY ${dir})
      set(${ARG_RETURN} ${proto} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "stint_generate: ${proto} is below none of the import dirs: "
                      "${ARG_IMPORT_DIRS}")
endfunction()

# stint__import_dirs(RETURN variable [dir...]): the import dirs, absolute; without any, the current
# source dir.
function(stint__import_dirs)
  cmake_parse_arguments(ARG "" "RETURN" "" ${ARGN})
  set(dirs)
  foreach(dir IN LISTS ARG_UNPARSED_ARGUMENTS)
    cmake_path(ABSOLUTE_PATH dir NORMALIZE)
    string(REGEX REPLACE "(.)/$" "\\1" dir ${dir})
    list(APPEND dirs ${dir})
  endforeach()
  if(NOT dirs)
    set(dirs ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  set(${ARG_RETURN} ${dirs} PARENT_SCOPE)
endfunction()

function(stint_generate target)
  cmake_parse_arguments(ARG "" "" "IMPORT_DIRS" ${ARGN})
  if(NOT TARGET ${target})
    message(FATAL_ERROR "stint_generate: there is no target ${target}")
  endif()
  get_target_property(target_dir ${target} SOURCE_DIR)
  if(NOT target_dir STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "stint_generate: call it where target ${target} is made, in ${target_dir}")
  endif()
  if(NOT ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "stint_generate: no proto for target ${target}")
  endif()

  stint__import_dirs(RETURN dirs ${ARG_IMPORT_DIRS})
  get_property(stint_dir GLOBAL PROPERTY STINT_PROTO_DIR)

  set(out_dir ${CMAKE_CURRENT_BINARY_DIR}/${target}.protos)
  foreach(proto IN LISTS ARG_UNPARSED_ARGUMENTS)
    stint__proto_name(${proto} RETURN name IMPORT_DIRS ${dirs})
    stint__protoc(${name} STINT OUT_DIR ${out_dir} RETURN_SOURCES sources
                  IMPORT_DIRS ${dirs} ${stint_dir})
    target_sources(${target} PRIVATE ${sources})
  endforeach()
  # SYSTEM, so that nobody is warned about code that he did not write.
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${out_dir}>)
endfunction()

# stint_check(target proto... [IMPORT_DIRS dir...] [WERROR])
#
# Adds a target, part of `all`, that fails if the budgets which these protos and those they import
# declare do not fit (stint-check; docs/budget.md); with WERROR, if they are doubtful. Name the protos
# of all services that call each other: it looks again when one of them changes.
function(stint_check target)
  cmake_parse_arguments(ARG "WERROR" "" "IMPORT_DIRS" ${ARGN})
  if(NOT ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "stint_check: no proto for target ${target}")
  endif()
  stint__import_dirs(RETURN dirs ${ARG_IMPORT_DIRS})
  get_property(stint_dir GLOBAL PROPERTY STINT_PROTO_DIR)

  set(names)
  set(files)
  foreach(proto IN LISTS ARG_UNPARSED_ARGUMENTS)
    stint__proto_name(${proto} RETURN name IMPORT_DIRS ${dirs})
    list(APPEND names ${name})
    foreach(dir IN LISTS dirs)
      if(EXISTS ${dir}/${name})
        list(APPEND files ${dir}/${name})
        break()
      endif()
    endforeach()
  endforeach()

  find_program(STINT_PROTOC protoc REQUIRED)
  set(set ${CMAKE_CURRENT_BINARY_DIR}/${target}.pb)
  set(imports ${dirs} ${stint_dir})
  list(TRANSFORM imports PREPEND -I)
  add_custom_command(
    OUTPUT ${set}.checked
    COMMAND ${STINT_PROTOC} ${imports} --include_imports --include_source_info
            --descriptor_set_out=${set} ${names}
    COMMAND Stint::stint-check $<$<BOOL:${ARG_WERROR}>:--werror> ${set}
    COMMAND ${CMAKE_COMMAND} -E touch ${set}.checked
    DEPENDS ${files} Stint::stint-check
    BYPRODUCTS ${set}
    COMMENT "Checking the budgets of ${target}"
    COMMAND_EXPAND_LISTS
    VERBATIM)
  add_custom_target(${target} ALL DEPENDS ${set}.checked)
endfunction()
