# SPDX-License-Identifier: MIT
# lavo_add_kernels(TARGET SOURCE...): adds each source to the target once for each instruction set, with
# LAVO_ISA set to the namespace of that set (lavo/kernels/cpu/engine/isa.h).
set(lavo_isas portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND lavo_isas avx2 avx512)
endif()
set(lavo_flags_avx2 -mavx2 -mfma -mf16c)
set(lavo_flags_avx512 ${lavo_flags_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq
    -mprefer-vector-width=512)

function(lavo_add_kernels target)
  foreach(isa IN LISTS lavo_isas)
    add_library(${target}_${isa} OBJECT ${ARGN})
    set_target_properties(${target}_${isa} PROPERTIES UNITY_BUILD OFF)
    target_link_libraries(${target}_${isa} PRIVATE lavo_flags)
    target_compile_definitions(${target}_${isa} PRIVATE LAVO_ISA=${isa})
    # contract: a product and a sum may become one instruction, as in every matrix product library.
    target_compile_options(${target}_${isa} PRIVATE
      $<$<CONFIG:Release>:-O3> -ffp-contract=fast -Wno-psabi ${lavo_flags_${isa}})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${isa}>)
  endforeach()
endfunction()
