# SPDX-License-Identifier: MIT
add_library(lavo_warnings INTERFACE)
target_compile_options(lavo_warnings INTERFACE
  -fPIC  # programs too, so that they share the libraries' precompiled header
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
  # gcc 12 reports temporaries that outlive the call they are used in; clang's -Wconversion reports
  # counts that become doubles, and gcc's does not
  $<IF:$<CXX_COMPILER_ID:GNU>,-Wno-dangling-pointer,-Wno-implicit-int-float-conversion>
  $<$<BOOL:${LAVO_WERROR}>:-Werror>)
target_include_directories(lavo_warnings INTERFACE ${CMAKE_SOURCE_DIR})

add_library(lavo_flags INTERFACE)
target_link_libraries(lavo_flags INTERFACE lavo_warnings)
if(LAVO_SANITIZE)
  # vptr is left out: LibTorch is built without the type information that it needs.
  set(sanitize -fsanitize=${LAVO_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer -O1)
  # gcc 12 takes what it has inserted itself for uses of what is not initialised
  target_compile_options(lavo_flags INTERFACE ${sanitize} -fno-sanitize-recover=undefined
                         -Wno-maybe-uninitialized)
  target_link_options(lavo_flags INTERFACE -fsanitize=${LAVO_SANITIZE})
endif()
