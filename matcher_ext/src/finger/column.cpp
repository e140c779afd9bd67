#include "idmesh/matcher/finger_column.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "finger/score.hpp"
#include "finger/tables.hpp"

namespace idmesh::matcher {

namespace {

constexpr std::size_t kRowWords = kScanWords * sizeof(std::uint64_t);
constexpr std::size_t kRowMinutiae = kScanMinutiae * sizeof(std::uint32_t);
constexpr std::size_t kMostOthers = (kMaxMinutiae - kScanMinutiae) * sizeof(std::uint32_t);
constexpr unsigned kCoordinateBits = 12;
constexpr std::uint32_t kCoordinateMask = (1U << kCoordinateBits) - 1;
static_assert(kMaxCoordinate <= static_cast<int>(kCoordinateMask));

std::uint32_t packed(const Minutia& m) noexcept {
    return static_cast<std::uint32_t>(m.x) << (kCoordinateBits + 8) |
           static_cast<std::uint32_t>(m.y) << 8 | m.direction;
}

Minutia unpacked(std::uint32_t value) noexcept {
    return {static_cast<std::int16_t>(value >> (kCoordinateBits + 8)),
            static_cast<std::int16_t>(value >> 8 & kCoordinateMask),
            static_cast<std::uint8_t>(value), 0};
}

std::uint8_t bits_of(const Descriptor& descriptor) noexcept {
    int bits = 0;
    for (const std::uint64_t word : descriptor.bits) {
        bits += std::popcount(word);
    }
    return static_cast<std::uint8_t>(bits);
}

// Of a gallery, times the minutiae of the probe: one of 40 has 1 %, 23 % and 1.75 %.
constexpr double kTrusted = 0.4;
constexpr double kRefined = 9.2;
constexpr double kCompared = 0.7;

const FingerKernels& kernels_here() noexcept {
    static const FingerKernels& once = finger_kernels(instruction_set());
    return once;
}

}  // namespace

FingerShares finger_shares(std::size_t minutiae) noexcept {
    const auto count =
        static_cast<double>(std::clamp<std::size_t>(minutiae, 1, kScanProbeMinutiae));
    const auto share = [&](double of_one) { return std::min(1.0, of_one / count); };
    return {share(kTrusted), share(kRefined), share(kCompared)};
}

FingerProbe::FingerProbe(FingerTemplate finger) : finger_(std::move(finger)), scan_{} {
    to_points(finger_.view(), points_);
    scan_.count =
        static_cast<std::uint32_t>(std::min(finger_.descriptors.size(), kScanProbeMinutiae));
    for (std::size_t k = 0; k < scan_.count; ++k) {
        const Descriptor& descriptor = finger_.descriptors[k];
        std::copy_n(descriptor.bits, kDescriptorWords, scan_.words[k]);
        scan_.direction[k] = finger_.minutiae[k].direction;
        scan_.weight[k] = finger_tables().weight[bits_of(descriptor)];
    }
}

FingerColumn::FingerColumn(std::size_t rows)
    : counts_(rows),
      bits_(rows * kScanMinutiae),
      words_(rows * kRowWords),
      minutiae_(rows * kRowMinutiae),
      others_(rows * kMostOthers),
      starts_(rows * sizeof(std::uint32_t)) {}

std::uint32_t* FingerColumn::best(std::size_t row) const noexcept {
    return reinterpret_cast<std::uint32_t*>(minutiae_.data() + row * kRowMinutiae);
}

std::uint32_t* FingerColumn::others(std::size_t row) const noexcept {
    return reinterpret_cast<std::uint32_t*>(others_.data()) +
           reinterpret_cast<const std::uint32_t*>(starts_.data())[row];
}

// Gives a row its place among the others.
void FingerColumn::begin(std::size_t row, std::size_t count) noexcept {
    reinterpret_cast<std::uint32_t*>(starts_.data())[row] = static_cast<std::uint32_t>(used_);
    used_ += count - std::min(count, kScanMinutiae);
}

std::size_t FingerColumn::bytes_beyond(const FingerTemplate& finger) noexcept {
    const std::size_t count = std::min(finger.minutiae.size(), kMaxMinutiae);
    return (count - std::min(count, kScanMinutiae)) * sizeof(std::uint32_t);
}

void FingerColumn::put(std::size_t row, const FingerTemplate& finger) noexcept {
    const std::size_t count = std::min(finger.minutiae.size(), kMaxMinutiae);
    const std::size_t first = std::min(count, kScanMinutiae);
    begin(row, count);
    const Minutia* minutiae = finger.minutiae.data();
    std::transform(minutiae, minutiae + first, best(row), packed);
    std::transform(minutiae + first, minutiae + count, others(row), packed);
    auto* words = reinterpret_cast<std::uint64_t*>(words_.data() + row * kRowWords);
    auto* bits = reinterpret_cast<std::uint8_t*>(bits_.data() + row * kScanMinutiae);
    for (std::size_t k = 0; k < first; ++k) {
        const Descriptor& descriptor = finger.descriptors[k];
        for (std::size_t w = 0; w < kDescriptorWords; ++w) {
            words[k / 8 * 8 * kDescriptorWords + w * 8 + k % 8] = descriptor.bits[w];
        }
        bits[k] = bits_of(descriptor);
    }
    counts_.data()[row] = static_cast<std::byte>(count);
}

bool FingerColumn::has(std::size_t row) const noexcept {
    return counts_.data()[row] != std::byte{0};
}

FingerScanRows FingerColumn::scan_rows() const noexcept {
    return {reinterpret_cast<const std::uint64_t*>(words_.data()),
            reinterpret_cast<const std::uint8_t*>(bits_.data()),
            reinterpret_cast<const std::uint32_t*>(minutiae_.data())};
}

void FingerColumn::scan(std::size_t first, std::size_t last, const FingerProbe& probe,
                        std::uint16_t* scores) const noexcept {
    kernels_here().scan(probe.scan(), scan_rows(), first, last, scores);
}

std::size_t FingerColumn::unpack(std::size_t row, Minutia* out) const noexcept {
    const auto count = std::to_integer<std::size_t>(counts_.data()[row]);
    const std::size_t first = std::min(count, kScanMinutiae);
    std::transform(best(row), best(row) + first, out, unpacked);
    std::transform(others(row), others(row) + (count - first), out + first, unpacked);
    return count;
}

std::vector<Minutia> FingerColumn::minutiae(std::size_t row) const {
    std::vector<Minutia> made(kMaxMinutiae);
    made.resize(unpack(row, made.data()));
    return made;
}

float FingerColumn::refine(std::size_t row, const FingerProbe& probe) const noexcept {
    const auto* words = reinterpret_cast<const std::uint64_t*>(words_.data() + row * kRowWords);
    const std::uint32_t* minutiae = best(row);
    const auto count = std::to_integer<std::size_t>(counts_.data()[row]);
    FingerPoints reference{};
    reference.count = std::min(count, kScanMinutiae);
    for (std::size_t k = 0; k < reference.count; ++k) {
        const Minutia minutia = unpacked(minutiae[k]);
        reference.x[k] = minutia.x;
        reference.y[k] = minutia.y;
        reference.direction[k] = minutia.direction;
        for (std::size_t w = 0; w < kDescriptorWords; ++w) {
            reference.descriptors[k].bits[w] = words[k / 8 * 8 * kDescriptorWords + w * 8 + k % 8];
        }
    }
    return finger_promise(probe.points(), reference, kernels_here());
}

float FingerColumn::compare(std::size_t row, const FingerProbe& probe) const noexcept {
    Minutia minutiae[kMaxMinutiae];
    Descriptor descriptors[kMaxMinutiae];
    const std::size_t count = unpack(row, minutiae);
    const FingerKernels& kernels = kernels_here();
    kernels.describe(minutiae, count, descriptors);
    FingerPoints reference;
    to_points({minutiae, descriptors, count}, reference);
    return finger_similarity(finger_features(probe.points(), reference, kernels));
}

std::vector<PlaneBytes> FingerColumn::planes(std::size_t rows) {
    return {{"counts", {counts_.data(), rows}},
            {"bits", {bits_.data(), rows * kScanMinutiae}},
            {"words", {words_.data(), rows * kRowWords}},
            {"minutiae", {minutiae_.data(), rows * kRowMinutiae}},
            {"others", {others_.data(), used_ * sizeof(std::uint32_t)}, rows * kMostOthers}};
}

bool FingerColumn::settle(std::size_t rows) noexcept {
    const bool locked[] = {counts_.settle(rows),
                           bits_.settle(rows * kScanMinutiae),
                           words_.settle(rows * kRowWords),
                           minutiae_.settle(rows * kRowMinutiae),
                           others_.settle(used_ * sizeof(std::uint32_t)),
                           starts_.settle(rows * sizeof(std::uint32_t))};
    return std::all_of(std::begin(locked), std::end(locked), [](bool one) { return one; });
}

std::size_t FingerColumn::bytes(std::size_t rows) const noexcept {
    return rows * (1 + kScanMinutiae + kRowWords + kRowMinutiae + sizeof(std::uint32_t)) +
           used_ * sizeof(std::uint32_t);
}

}  // namespace idmesh::matcher
