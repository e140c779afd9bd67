// Which of the kernels this machine runs.
#pragma once

#include <string_view>

namespace idmesh::matcher {

// Ascending: each has what the ones before it have. A modality without a kernel for a set uses the
// one below.
//   serial: x86-64-v2, or any other architecture
//   avx2:   AVX2
//   avx512: AVX-512 F, BW, DQ, VL, VNNI, VPOPCNTDQ, VBMI (Ice Lake, Zen 4, and later)
//   amx:    avx512 and AMX-INT8, with the kernel's permission to use its tiles
enum class InstructionSet { serial, avx2, avx512, amx };
inline constexpr InstructionSet kInstructionSets[] = {InstructionSet::serial, InstructionSet::avx2,
                                                      InstructionSet::avx512, InstructionSet::amx};

const char* name_of(InstructionSet set) noexcept;

// Whether processor and operating system can run it. Asks for the permission that AMX needs.
bool can_run(InstructionSet set) noexcept;

// The set in use, chosen once: the last one that can run. IDMESH_MATCHER_SET names another one,
// for tests.
InstructionSet instruction_set() noexcept;

// The name asked for in IDMESH_MATCHER_SET if there is no such set here, else null. The bindings
// refuse to load then: a test of one set must not pass on another.
const char* refused_instruction_set() noexcept;

}  // namespace idmesh::matcher
