// The irises of one position (left or right) of a segment of people, and probes to search them by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "idmesh/matcher/iris_kernels.hpp"
#include "idmesh/matcher/iris_template.hpp"
#include "idmesh/matcher/plane.hpp"

namespace idmesh::matcher {

inline constexpr std::size_t kMaxIrisProbes = 64;

// lossless:  hits every template whose similarity is least_similarity or more.
// two_stage: first looks at a quarter of the bits, so it may miss some: see iris_loss_bound.
// Layouts
//            it is not calibrated for are searched losslessly.
enum class IrisGate { lossless, two_stage };

// The proportion of mated pairs accepted losslessly that a gate is expected to miss at most, by the
// codes on which it was calibrated.
float iris_loss_bound(IrisLayout layout, IrisGate gate) noexcept;

// 1 to 64 probes made ready to be compared with many. Immutable; any threads.
class IrisProbes {
  public:
    // least_similarity: of each probe, what a gate is to find.
    // Throws MatcherError: DIMENSION_MISMATCH (no probe, too many, or of different layouts),
    // ROTATION_OUT_OF_RANGE, VALUE_NOT_FINITE.
    IrisProbes(std::span<const IrisTemplate* const> probes, int rotation,
               std::span<const float> least_similarity);
    // A probe for exact comparisons; a gate hits what is more alike than chance, slowly.
    IrisProbes(const IrisTemplate& probe, int rotation);
    IrisProbes(IrisProbes&&) = default;
    IrisProbes& operator=(IrisProbes&&) = default;

    std::size_t count() const noexcept { return least_.size(); }
    IrisLayout layout() const noexcept { return layout_; }
    float least_similarity(std::size_t probe) const noexcept { return least_[probe]; }

    const IrisScan& all_bits() const noexcept { return all_; }
    // Null where the layout has no gate of two stages.
    const IrisScan* spread_bits() const noexcept {
        return spread_.probes != 0 ? &spread_ : nullptr;
    }

    // At the rotation with the greatest similarity, compared as exact integers; of equals the first
    // from -rotation up. reference: words of code, words of mask.
    MaskedHamming best_rotation(std::size_t probe, const std::uint64_t* reference) const noexcept;
    float similarity(std::size_t probe, const std::uint64_t* reference) const noexcept;

  private:
    struct alignas(64) TileRow {
        std::int8_t bytes[64];
    };

    void rotate_all(std::span<const IrisTemplate* const> probes, int rotation);
    void weigh();
    void lay_lines(std::span<const IrisTemplate* const> probes, int rotation);
    void lay_tiles();

    IrisLayout layout_;
    std::vector<float> least_;
    std::vector<IrisWeights> weights_;
    std::vector<IrisWeights> spread_weights_;
    std::vector<std::int32_t> masked_;
    std::vector<std::int32_t> spread_masked_;
    std::vector<std::uint64_t> rotated_;
    std::vector<std::uint64_t> spread_rotated_;
    std::vector<std::int8_t> lines_;
    std::vector<TileRow> code_tiles_;
    std::vector<TileRow> mask_tiles_;
    IrisScan all_{};
    IrisScan spread_{};
};

// One comparison. Throws MatcherError: DIMENSION_MISMATCH (of different layouts),
// ROTATION_OUT_OF_RANGE.
float iris_similarity(const IrisTemplate& probe, const IrisTemplate& reference, int rotation);

// What a column held when it was asked; rows put later may or may not be there. Valid while the
// column lives.
class IrisView {
  public:
    bool has(std::size_t row) const noexcept { return present_[row] != 0; }

    // hits[row - first] gets bit q where row may reach the least similarity of probe q; rows that
    // are absent get 0. The probes must be of the column's layout.
    void gate(std::size_t first, std::size_t last, const IrisProbes& probes, IrisGate how,
              std::uint64_t* hits) const noexcept;

    // Of a row that is there; exact, the same on every instruction set.
    MaskedHamming best_rotation(std::size_t row, const IrisProbes& probes,
                                std::size_t probe) const noexcept;
    float similarity(std::size_t row, const IrisProbes& probes, std::size_t probe) const noexcept;

    // The template that was put; the row is there.
    IrisTemplate iris(std::size_t row) const;

    void use(const IrisKernels& kernels) noexcept { kernels_ = &kernels; }  // for tests

  private:
    friend class IrisColumn;
    struct Tail;

    void gate_blocks(std::size_t first, std::size_t last, const IrisProbes& probes, IrisGate how,
                     std::uint16_t* hits) const noexcept;

    IrisLayout layout_;
    const std::uint64_t* blocks_ = nullptr;
    const std::uint64_t* spread_blocks_ = nullptr;  // null where the layout has none
    const std::uint8_t* present_ = nullptr;
    std::size_t complete_ = 0;          // blocks that are written no more
    std::shared_ptr<const Tail> tail_;  // the block after them, or null
    const IrisKernels* kernels_ = nullptr;
};

class IrisColumn {
  public:
    // Throws MatcherError: OUT_OF_MEMORY, LAYOUT_OUT_OF_RANGE.
    IrisColumn(std::size_t rows, IrisLayout layout = kDefaultIrisLayout);
    ~IrisColumn();
    IrisColumn(IrisColumn&&) noexcept;
    IrisColumn& operator=(IrisColumn&&) noexcept;

    // Writers come one at a time, in ascending rows; a row never put is absent. The template must
    // be of the column's layout. Changes nothing when it throws MatcherError: OUT_OF_MEMORY.
    void put(std::size_t row, const IrisTemplate& iris);

    // Not at the same time as put (take it under the gallery's lock); it may be used while rows are
    // put.
    IrisView view() const noexcept;

    // What holds the first `rows` rows, of a column that is settled (to save it) or empty (to fill
    // it when loaded, and settle it then).
    std::vector<PlaneBytes> planes(std::size_t rows);
    // Whether rows that were filled in are such as put() writes; else nothing may be compared.
    bool well_formed(std::size_t rows) const noexcept;
    // No more writes. Not at the same time as put or view. Returns whether the memory is locked.
    bool settle(std::size_t rows) noexcept;
    // Of memory that the first `rows` rows take.
    std::size_t bytes(std::size_t rows) const noexcept;
    IrisLayout layout() const noexcept { return layout_; }

  private:
    void write_tail() noexcept;

    IrisLayout layout_;
    Plane blocks_;
    Plane spread_blocks_;
    Plane present_;
    std::size_t complete_ = 0;
    std::shared_ptr<IrisView::Tail> tail_;
};

}  // namespace idmesh::matcher
