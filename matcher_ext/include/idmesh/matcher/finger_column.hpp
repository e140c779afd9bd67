// One finger position of many people: a row to the person, an absent row where he has none.
//
// A search scans all rows by the descriptors of their best minutiae (stage 1, integers only),
// refines the order of the most promising ones, and compares the first of those in full (stage 2).
// Stored are, to the row, 576 bytes of descriptors and 4 bytes to the minutia: those that a scan
// looks at in places of their own, the others one after the other in the order of the rows. The
// other descriptors are made anew for the few rows that reach stage 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "idmesh/matcher/finger_kernels.hpp"
#include "idmesh/matcher/finger_template.hpp"
#include "idmesh/matcher/plane.hpp"

namespace idmesh::matcher {

// What a search by one finger looks at closer, as shares of the gallery: of the rows as the scan
// orders them the first are compared, the next are refined, and the first of these are compared
// too. The fewer minutiae a probe has, the less they say and the less time they take, so that the
// shares go against their number. docs/MATCHING_FINGERS.md has what is lost.
struct FingerShares {
    double trusted;   // by the scan alone
    double refined;   // with the trusted ones
    double compared;  // with the trusted ones
};
FingerShares finger_shares(std::size_t minutiae) noexcept;

// A probe made ready to be compared with many rows, in as many threads as one likes.
class FingerProbe {
  public:
    explicit FingerProbe(FingerTemplate finger);

    const FingerTemplate& finger() const noexcept { return finger_; }
    const FingerScanProbe& scan() const noexcept { return scan_; }
    const FingerPoints& points() const noexcept { return points_; }

  private:
    FingerTemplate finger_;
    FingerScanProbe scan_;
    FingerPoints points_;
};

class FingerColumn {
  public:
    // Throws MatcherError: OUT_OF_MEMORY.
    explicit FingerColumn(std::size_t rows);

    // For the one writer. A row is put once, in ascending order, before it is published; one never
    // put is absent.
    void put(std::size_t row, const FingerTemplate& finger) noexcept;
    bool has(std::size_t row) const noexcept;
    // Puts what another column has at from_row, bit for bit.
    void copy(std::size_t row, const FingerColumn& from, std::size_t from_row) noexcept;

    // Stage 1: scores[row - first], higher is more alike, 0 for absent rows.
    void scan(std::size_t first, std::size_t last, const FingerProbe& probe,
              std::uint16_t* scores) const noexcept;

    // Between the stages: how well the most alike minutiae of those that a scan looks at agree on
    // one motion, and what share of the overlap it pairs; higher is more alike, 0 where none agree.
    // The row is not absent.
    float refine(std::size_t row, const FingerProbe& probe) const noexcept;

    // Stage 2: what finger_similarity() gives for the template that was put. The row is not absent.
    float compare(std::size_t row, const FingerProbe& probe) const noexcept;

    // The minutiae of a row in the order they were put, without their quality; empty if absent.
    std::vector<Minutia> minutiae(std::size_t row) const;

    std::vector<PlaneBytes> planes(std::size_t rows);  // for saving, and for filling when loaded
    // Takes over rows that were filled in. False where they are not such as put() writes: then
    // nothing may be compared.
    bool adopt(std::size_t rows) noexcept;
    bool settle(std::size_t rows) noexcept;  // no more writes: Plane::settle each
    // Of memory that `rows` rows take, of which those that are there have what they have beyond
    // their places.
    std::size_t bytes(std::size_t rows) const noexcept;
    // What a finger takes beyond its place.
    static std::size_t bytes_beyond(const FingerTemplate& finger) noexcept;

  private:
    FingerScanRows scan_rows() const noexcept;
    std::size_t unpack(std::size_t row, Minutia* out) const noexcept;
    std::uint32_t* best(std::size_t row) const noexcept;
    std::uint32_t* others(std::size_t row) const noexcept;
    void begin(std::size_t row, std::size_t count) noexcept;

    Plane counts_;          // of minutiae, a byte to the row
    Plane bits_;            // set in the descriptors below
    Plane words_;           // descriptors of the first kScanMinutiae, see finger_kernels.hpp
    Plane minutiae_;        // those first ones: x, y and direction in 12, 12 and 8 bits
    Plane others_;          // what each row has more, one after the other
    Plane starts_;          // of each row in others_; not saved, the counts give it
    std::size_t used_ = 0;  // of others_
};

}  // namespace idmesh::matcher
