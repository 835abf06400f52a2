# Writes OUTPUT, a header with the commit of SOURCE, if it says something else than it would now.
cmake_minimum_required(VERSION 3.25)
find_program(GIT git)
if(GIT)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env GIT_OPTIONAL_LOCKS=0
            ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT commit)
  set(commit unknown)  # not in a checkout
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define AMBBPF_COMMIT \"@commit@\"\n" @ONLY)
