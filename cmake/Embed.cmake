# SPDX-License-Identifier: MIT
# Files that go into a program, so that it needs none beside it.
# lavo_embed(TARGET HEADER FUNCTION FILES...): FUNCTION(name of the file) gives its text; HEADER declares it.
function(lavo_embed target header function)
  set(rows "")
  foreach(file IN LISTS ARGN)
    file(READ ${file} text)
    cmake_path(GET file FILENAME name)
    string(APPEND rows "    {\"${name}\", R\"embedded(${text})embedded\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  file(CONFIGURE OUTPUT ${function}.cpp @ONLY CONTENT [[
// Made by cmake/Embed.cmake.
#include "@header@"

#include <array>

#include "lavo/core/check.h"

namespace lavo {

std::string_view @function@(std::string_view name) {
  struct Row {
    std::string_view name, text;
  };
  static constexpr std::array rows = std::to_array<Row>({
@rows@  });
  for (const Row& row : rows) {
    if (row.name == name) return row.text;
  }
  fail("no file '{}' was embedded", name);
}

}  // namespace lavo
]])
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
endfunction()
