# stint_warnings(target): the warnings every line of the project is held to.
function(stint_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual
    -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef -Wformat=2
    -Wswitch-enum -Wnull-dereference)
  if(STINT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
