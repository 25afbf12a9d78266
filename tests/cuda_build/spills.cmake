# SPDX-License-Identifier: MIT
# Prints registers and spills of each kernel that a case of tests/emulation/cases compiles for nvcc, and
# fails when one spills.
#   cmake -DNVCC=... -DSOURCE_DIR=... -P spills.cmake
file(GLOB cases ${SOURCE_DIR}/tests/emulation/cases/*_case.cpp)
set(spilled "")
foreach(case IN LISTS cases)
  foreach(architecture 80 90 100)
    execute_process(
      COMMAND ${NVCC} -std=c++17 -O3 -I${SOURCE_DIR} -Xptxas -v -cubin -o /dev/null
              -arch=sm_${architecture} -x cu ${case}
      RESULT_VARIABLE failed ERROR_VARIABLE log OUTPUT_VARIABLE log)
    if(failed)
      message(FATAL_ERROR "${log}")
    endif()
    string(REGEX MATCHALL "Function properties for [^\n]+\n[^\n]+\n[^\n]+" kernels "${log}")
    if(NOT kernels)
      message(FATAL_ERROR "no kernel of ${case} in what ptxas said:\n${log}")
    endif()
    foreach(kernel IN LISTS kernels)
      string(REGEX MATCH "[a-z_]+_kernel" name "${kernel}")
      string(REGEX MATCH "([0-9]+) bytes spill stores" stores "${kernel}")
      set(stores ${CMAKE_MATCH_1})
      string(REGEX MATCH "Used ([0-9]+) registers" registers "${kernel}")
      message(STATUS "sm_${architecture} ${name}: ${CMAKE_MATCH_1} registers, ${stores} bytes spilled")
      if(NOT stores EQUAL 0)
        list(APPEND spilled "${name} on sm_${architecture}")
      endif()
    endforeach()
  endforeach()
endforeach()
if(spilled)
  message(FATAL_ERROR "spills: ${spilled}")
endif()
