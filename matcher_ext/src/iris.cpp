#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

static_assert(std::endian::native == std::endian::little, "codes are copied in little bit order");

namespace {

constexpr std::size_t kRowWords = kIrisAngles / 64;
constexpr std::size_t kRows = kIrisWords / kRowWords;
// Below this many compared bits, chance alone makes distances far from 0.5.
constexpr float kTypicalCompared = 911.0F;

// Turns rows of 128 bits: bit b goes to bit b + angles.
void rotate_rows(const std::uint64_t* in, unsigned angles, std::uint64_t* out) noexcept {
    for (std::size_t row = 0; row < kRows; ++row) {
        std::uint64_t low = in[row * kRowWords];
        std::uint64_t high = in[row * kRowWords + 1];
        if (angles >= 64) {
            std::swap(low, high);
        }
        const unsigned shift = angles % 64;
        if (shift == 0) {
            out[row * kRowWords] = low;
            out[row * kRowWords + 1] = high;
        } else {
            out[row * kRowWords] = low << shift | high >> (64 - shift);
            out[row * kRowWords + 1] = high << shift | low >> (64 - shift);
        }
    }
}

void copy_bits(std::span<const std::uint8_t> bytes, const char* field, std::uint64_t* out) {
    if (bytes.size() != kIrisBytes) {
        throw MatcherError("TEMPLATE_MALFORMED", field,
                           "An iris code and its mask have 256 bytes.");
    }
    std::memcpy(out, bytes.data(), kIrisBytes);
}

}  // namespace

IrisTemplate iris_from_bytes(std::span<const std::uint8_t> code,
                             std::span<const std::uint8_t> mask) {
    IrisTemplate made{};
    copy_bits(code, "code", made.code);
    copy_bits(mask, "mask", made.mask);
    if (std::all_of(made.mask, made.mask + kIrisWords, [](std::uint64_t w) { return w == 0; })) {
        throw MatcherError("MASK_EMPTY", "mask", "No bit of the iris code is valid.");
    }
    return made;
}

IrisTemplate iris_rotated(const IrisTemplate& iris, int angles) noexcept {
    const int turn = static_cast<int>(kIrisAngles);
    const auto forward = static_cast<unsigned>(((angles % turn) + turn) % turn);
    IrisTemplate made;
    rotate_rows(iris.code, forward, made.code);
    rotate_rows(iris.mask, forward, made.mask);
    return made;
}

float iris_similarity(MaskedHamming hamming) noexcept {
    if (hamming.compared == 0) {
        return 0.5F;  // nothing is known: as alike as chance
    }
    const auto compared = static_cast<float>(hamming.compared);
    const float distance = static_cast<float>(hamming.mismatched) / compared;
    const float weight = std::sqrt(std::min(1.0F, compared / kTypicalCompared));
    return 0.5F + (0.5F - distance) * weight;
}

}  // namespace idmesh::matcher
