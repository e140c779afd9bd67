// The inner loops over a face column, one implementation per instruction set. Plain structs only:
// the linker may keep any file's copy of an inline function, one built for another set included.
#pragma once

#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/instruction_set.hpp"

namespace idmesh::matcher {

inline constexpr std::size_t kMaxFaceProbes = 64;
// Codes are padded with zeros to a multiple: one 64-byte line of either nibble plane.
inline constexpr std::size_t kFaceCodesPerLine = 128;

// Rows of a column, the first of them at each pointer. Byte k of a row's line j has, in its high
// half, the nibble of element 128 j + k, and in its low half that of element 128 j + 64 + k. With
// both nibbles signed, the code is 16 high + low. A row of zeros is absent.
struct FaceRows {
    const std::uint8_t* high;
    const std::uint8_t* low;
    const float* codes_per_unit;  // code = element * codes_per_unit, rounded
    const float* fine_error;      // length of what rounding lost, in codes
    const float* coarse_error;    // of what rounding lost and the low nibbles hold
    std::size_t row_bytes;        // of one plane of nibbles: 64 per line
    std::size_t count;
};

// Probes as the kernels read them. A row hits probe q if
//   float(codes . probe codes) > codes_per_unit * reach[q] - fine_error * spread[q],
// each operation rounded by itself; an absent row never does. And only if it does so with the high
// nibbles alone and coarse_error: that a kernel may test first.
struct FaceQuery {
    const std::int8_t* codes;      // probes x 2 row_bytes, 64-byte aligned, in [-127, 127]
    const std::int8_t* tiles;      // per 16 probes, per 64 codes: 1,024 bytes, row r has of each
                                   // probe the codes 4 r to 4 r + 3
    const std::int32_t* code_sum;  // of each probe, to undo what kernels add to signed nibbles
    const float* reach;            // infinite beyond the last probe
    const float* spread;           // zero beyond the last probe
    std::size_t probes;            // all arrays have room for kMaxFaceProbes
};

// Sets bit q of hits[row] if the row hits probe q, else clears it; rows.count words are written.
// Reads no row but these. Takes no lock, allocates nothing, cannot fail, equals serial bit for bit.
using GateFaces = void(const FaceRows& rows, const FaceQuery& query, std::uint64_t* hits) noexcept;

namespace serial {
GateFaces gate_faces;
}
namespace avx2 {
GateFaces gate_faces;
}
namespace avx512 {
GateFaces gate_faces;
}
namespace amx {
GateFaces gate_faces;
}

// The kernel of a set that can run here.
GateFaces& face_gate(InstructionSet set) noexcept;

}  // namespace idmesh::matcher
