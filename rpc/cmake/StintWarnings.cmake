# stint_warnings(target): the warnings every line of the project is held to. Only gcc looks at casts
# that drop a qualifier: clang blames those in protobuf-c's initialisers on whoever uses them.
function(stint_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef -Wformat=2
    -Wswitch-enum -Wnull-dereference
    $<$<C_COMPILER_ID:GNU>:-Wcast-qual>)
  if(STINT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
