// The faces of a segment's people: row k is person k's, or absent.
//
// A vector x is kept as it is, and as codes c = round(a x), |c| <= 119, a = codes_per_unit, in two
// planes of nibbles: c = 16 high + low. A probe y is coded likewise as d, with b codes per unit and
// what rounding lost of length e. With f = |a x - c|, by Cauchy and Schwarz,
//     x . y  <=  c . d / (a b)  +  e |x|  +  (f / a) (|y| + e)
// so that the cosine cannot reach t unless
//     c . d  >=  a (t - e) b  -  f (|y| + e) b,   reach = (t - e) b,  spread = (|y| + e) b,
// where reach is lowered by all that rounding can do, the fp32 cosine's included. The high nibbles
// alone decide for most rows: c . d <= 16 high . d + |low| |d|, and |d| <= spread. So gate() never
// misses a row whose cosine() reaches its threshold, and what it reports is the same whether a
// kernel looks at the high nibbles first or at once at all of the code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "idmesh/matcher/face_kernels.hpp"
#include "idmesh/matcher/face_template.hpp"
#include "idmesh/matcher/plane.hpp"

namespace idmesh::matcher {

// Probes made ready to be compared with many rows. Copies what it needs of the templates.
class FaceProbes {
  public:
    // 1 to kMaxFaceProbes probes, each of `dimension`.
    // Throws MatcherError: DIMENSION_MISMATCH, PROBES_OUT_OF_RANGE.
    FaceProbes(std::span<const FaceTemplate* const> probes, std::size_t dimension);

    std::size_t size() const noexcept { return count_; }
    std::size_t dimension() const noexcept { return dimension_; }

  private:
    friend class FaceColumn;

    struct alignas(64) Line {
        std::int8_t codes[64];
    };
    void encode(std::size_t probe, const FaceTemplate& face);
    void pack_tiles();

    std::size_t count_;
    std::size_t dimension_;
    std::size_t lines_;  // of 64 codes, of one probe
    std::vector<float> vectors_;
    std::vector<Line> codes_;
    std::vector<Line> tiles_;
    std::int32_t code_sum_[kMaxFaceProbes] = {};
    float spread_[kMaxFaceProbes] = {};
    double codes_per_unit_[kMaxFaceProbes] = {};
    double error_[kMaxFaceProbes] = {};  // of the vector, not of the codes
};

class FaceColumn {
  public:
    // Room for `rows` rows. Throws MatcherError: OUT_OF_MEMORY, DIMENSION_MISMATCH.
    FaceColumn(std::size_t rows, std::size_t dimension);

    // Writes a row once. One writer at a time; readers of other rows need not wait.
    void put(std::size_t row, const FaceTemplate& face) noexcept;
    bool has(std::size_t row) const noexcept { return codes_per_unit()[row] != 0.0F; }

    // Puts what another column of the dimension has at from_row, bit for bit.
    void copy(std::size_t row, const FaceColumn& from, std::size_t from_row) noexcept;

    // hits[row - first] gets bit q if cosine(row, probes, q) may be >= least_cosine[q]: always
    // where it is, and never for an absent row. Every instruction set finds the same bits.
    void gate(std::size_t first, std::size_t last, const FaceProbes& probes,
              const float* least_cosine, std::uint64_t* hits,
              InstructionSet set = instruction_set()) const noexcept;

    // The inner product of the vectors: one fixed order of operations on every machine.
    float cosine(std::size_t row, const FaceProbes& probes, std::size_t probe) const noexcept;
    // Asks for the row's vector ahead of cosine().
    void prefetch(std::size_t row) const noexcept;

    // The row's vector, padded with zeros.
    std::span<const float> vector(std::size_t row) const noexcept;

    std::size_t dimension() const noexcept { return dimension_; }
    std::size_t capacity() const noexcept { return rows_; }

    // The bytes that hold the first rows: to save them, and to fill them before any reader.
    std::vector<PlaneBytes> planes(std::size_t rows);
    // Whether rows that were filled in are such as put() writes; else nothing may be compared.
    bool well_formed(std::size_t rows) const noexcept;
    // No row is written any more. Returns whether the memory is locked.
    bool settle(std::size_t rows) noexcept;
    // Memory that the first rows take.
    std::size_t bytes(std::size_t rows) const noexcept;

  private:
    float* codes_per_unit() const noexcept { return reinterpret_cast<float*>(bounds_.data()); }
    float* fine_error() const noexcept { return codes_per_unit() + rows_; }
    float* coarse_error() const noexcept { return fine_error() + rows_; }
    std::uint8_t* high(std::size_t row) const noexcept;
    std::uint8_t* low(std::size_t row) const noexcept;
    float* vector_at(std::size_t row) const noexcept;

    std::size_t rows_;
    std::size_t dimension_;
    std::size_t padded_;     // floats of a row
    std::size_t row_bytes_;  // of one nibble plane
    // All high nibbles, then all low ones: at 512 elements and 4,096 rows one huge page.
    Plane codes_;
    Plane bounds_;   // codes_per_unit of all rows, then fine_error, then coarse_error
    Plane vectors_;  // cold
};

struct FaceNeighbour {
    std::size_t row;
    float cosine;
};

// For each probe its `count` most similar of rows [0, rows) that reach least_cosine, best first,
// equal cosines in the order of rows: the same as by computing every cosine.
std::vector<std::vector<FaceNeighbour>> nearest_faces(const FaceColumn& column, std::size_t rows,
                                                      const FaceProbes& probes, std::size_t count,
                                                      float least_cosine,
                                                      InstructionSet set = instruction_set());

}  // namespace idmesh::matcher
