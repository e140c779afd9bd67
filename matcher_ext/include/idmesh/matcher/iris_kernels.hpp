// The inner loops of iris search, one table per instruction set. Every set equals serial bit for
// bit. Plain structs and pointers only: see kernels.hpp for why.
//
// A block is 16 templates, nibble-transposed: word i holds bits 4i to 4i + 3 of each, template j in
// bits 4j to 4j + 3. 16 such words are, with every bit widened to a byte, one B tile of AMX. A
// block's 16 * words words of code come first, then as many of mask. Absent: an empty mask.
#pragma once

#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/instruction_set.hpp"

namespace idmesh::matcher {

struct MaskedHamming {
    std::uint32_t compared;    // bits set in both masks
    std::uint32_t mismatched;  // of those, the bits that differ
};

inline constexpr std::size_t kIrisLanes = 16;  // templates of a block

// A rotation passes where code * (compared - 2 mismatched) - mask * compared > 0, in integers.
struct IrisWeights {
    std::int8_t code;
    std::int8_t mask;
};

// Probes ready for a gate over `words` words of code. Rotation i of them turns by i - rotation.
struct IrisScan {
    std::size_t words;
    std::size_t row_words;
    std::size_t rotations;
    std::size_t probes;
    const IrisWeights* weights;    // [probe]
    const std::uint64_t* rotated;  // [probe][rotation][words of code, words of mask]
    // [probe]: bits of the layout that a probe masks, at the rotation where they are the most.
    const std::int32_t* masked;
    // For AMX, the probe in bytes, weighted: of code 0 where masked, 1 bits as -weights.code, 0
    // bits as weights.code; of mask -weights.mask. Any may be null. [probe][code,
    // mask][row][line_bytes]: byte t is that of angle t - rotation, going round, so that byte k + j
    // is what the rotation before the last by j has at angle k.
    const std::int8_t* lines;
    std::size_t line_bytes;
    // [probe][16 rotations][words][16][64]: a tile of each 64 bits, a row for each rotation from
    // the last down; 64-byte aligned.
    const std::int8_t* code_tiles;
    const std::int8_t* mask_tiles;
};

// hits[block * probes + probe] gets bit j where a rotation of the probe passes for template j.
// None takes a lock, allocates or fails.
using GateIris = void(const std::uint64_t* blocks, std::size_t count, const IrisScan& scan,
                      std::uint16_t* hits) noexcept;
// The same for those rotations only that pass `spread` on the blocks of spread bits as well.
using GateIrisSpread = void(const std::uint64_t* spread_blocks, const std::uint64_t* blocks,
                            std::size_t count, const IrisScan& spread, const IrisScan& scan,
                            std::uint16_t* hits) noexcept;
// Template `lane` of a block: words of code, words of mask.
using ExtractIris = void(const std::uint64_t* block, std::size_t lane, std::size_t words,
                         std::uint64_t* out) noexcept;
// rotated as in IrisScan, of one probe; reference: words of code, words of mask.
using CompareIrisRotations = void(const std::uint64_t* rotated, std::size_t rotations,
                                  const std::uint64_t* reference, std::size_t words,
                                  MaskedHamming* out) noexcept;

struct IrisKernels {
    GateIris* gate;
    GateIrisSpread* gate_spread;
    ExtractIris* extract;
    CompareIrisRotations* compare_rotations;
};

// Those of a set that can run; what a set has none of its own for is that of the set below.
const IrisKernels& iris_kernels(InstructionSet set) noexcept;
const IrisKernels& iris_kernels() noexcept;

namespace serial {
extern const IrisKernels iris;
}
namespace avx2 {
extern const IrisKernels iris;
}
namespace avx512 {
extern const IrisKernels iris;
}
namespace amx {
extern const IrisKernels iris;
}

}  // namespace idmesh::matcher
