#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/iris_column.hpp"
#include "iris_gate.hpp"

namespace idmesh::matcher {

namespace {

constexpr std::size_t kRowsOfTile = 16;

// a is more alike than b, exactly: similarity grows with agreed / compared * sqrt(min(compared,
// typical)), so its square is compared crosswise, sign apart.
bool more_alike(MaskedHamming a, MaskedHamming b, std::uint32_t typical) noexcept {
    const auto agreed = [](MaskedHamming h) {
        return std::int64_t{h.compared} - 2 * std::int64_t{h.mismatched};
    };
    const auto sign = [](std::int64_t value) { return (value > 0) - (value < 0); };
    const int of_a = sign(agreed(a));
    const int of_b = sign(agreed(b));
    if (of_a != of_b || of_a == 0) {
        return of_a > of_b;
    }
    // At most 65,536 bits: 34 + 16 + 34 bits, more than 64.
    using Wide = unsigned __int128;
    const auto square = [](std::int64_t value) { return static_cast<Wide>(value * value); };
    const Wide left = square(agreed(a)) * std::min(a.compared, typical) * square(b.compared);
    const Wide right = square(agreed(b)) * std::min(b.compared, typical) * square(a.compared);
    return of_a > 0 ? left > right : left < right;
}

void check_rotation(int rotation) {
    if (rotation < 0 || rotation > kMaxIrisRotation) {
        throw MatcherError("ROTATION_OUT_OF_RANGE", "iris_rotation",
                           "The iris rotation is out of [0, 64] angles.");
    }
}

void check_probes(std::span<const IrisTemplate* const> probes, std::span<const float> least) {
    if (probes.empty() || probes.size() > kMaxIrisProbes || probes.size() != least.size()) {
        throw MatcherError("DIMENSION_MISMATCH", "probes", "Not 1 to 64 irises.");
    }
    for (const IrisTemplate* probe : probes) {
        if (probe->layout != probes[0]->layout) {
            throw MatcherError("DIMENSION_MISMATCH", "probes", "The irises differ in layout.");
        }
    }
    if (!std::all_of(least.begin(), least.end(), [](float l) { return std::isfinite(l); })) {
        throw MatcherError("VALUE_NOT_FINITE", "least_similarity", "Not a number, or infinite.");
    }
}

bool bit(const std::uint64_t* words, std::size_t number) noexcept {
    return (words[number / 64] >> number % 64 & 1U) != 0;
}

// As IrisScan has it, of bit `number`.
std::int8_t code_byte(const std::uint64_t* code, const std::uint64_t* mask, std::size_t number,
                      IrisWeights weights) noexcept {
    const int weighted = bit(code, number) ? -weights.code : weights.code;
    return static_cast<std::int8_t>(bit(mask, number) ? weighted : 0);
}

// The most that any of a probe's rotations masks of `bits` bits. rotated: as IrisScan has it.
std::int32_t most_masked(const std::uint64_t* rotated, const IrisScan& scan,
                         std::size_t bits) noexcept {
    std::size_t least_valid = bits;
    for (std::size_t r = 0; r < scan.rotations; ++r) {
        const std::uint64_t* mask = rotated + (2 * r + 1) * scan.words;
        std::size_t valid = 0;
        for (std::size_t w = 0; w < scan.words; ++w) {
            valid += static_cast<std::size_t>(std::popcount(mask[w]));
        }
        least_valid = std::min(least_valid, valid);
    }
    return static_cast<std::int32_t>(bits - least_valid);
}

std::int8_t mask_byte(const std::uint64_t* mask, std::size_t number, IrisWeights weights) noexcept {
    return static_cast<std::int8_t>(bit(mask, number) ? -weights.mask : 0);
}

}  // namespace

IrisProbes::IrisProbes(std::span<const IrisTemplate* const> probes, int rotation,
                       std::span<const float> least_similarity)
    : least_(least_similarity.begin(), least_similarity.end()) {
    check_probes(probes, least_similarity);
    check_rotation(rotation);
    rotate_all(probes, rotation);
    weigh();
    if (can_run(InstructionSet::amx)) {
        lay_lines(probes, rotation);
        lay_tiles();
    }
}

IrisProbes::IrisProbes(const IrisTemplate& probe, int rotation) : least_{0.5F} {
    check_rotation(rotation);
    const IrisTemplate* pointer = &probe;
    rotate_all({&pointer, 1}, rotation);
    weigh();
}

void IrisProbes::rotate_all(std::span<const IrisTemplate* const> probes, int rotation) {
    layout_ = probes[0]->layout;
    const std::size_t words = layout_.words();
    all_.words = words;
    all_.row_words = layout_.row_words();
    all_.rotations = 2 * static_cast<std::size_t>(rotation) + 1;
    all_.probes = probes.size();
    rotated_.reserve(probes.size() * all_.rotations * 2 * words);
    for (const IrisTemplate* probe : probes) {
        for (int turn = -rotation; turn <= rotation; ++turn) {
            const IrisTemplate rotated = iris_rotated(*probe, turn);
            rotated_.insert(rotated_.end(), rotated.bits.begin(), rotated.bits.end());
        }
    }
    if (!has_spread(layout_)) {
        return;
    }
    spread_ = all_;
    spread_.words = kSpreadWords;
    spread_rotated_.resize(probes.size() * all_.rotations * 2 * kSpreadWords);
    for (std::size_t k = 0; k < probes.size() * all_.rotations; ++k) {
        take_spread(rotated_.data() + k * 2 * words, spread_rotated_.data() + k * 2 * kSpreadWords);
    }
}

void IrisProbes::weigh() {
    for (const float least : least_) {
        weights_.push_back(lossless_weights(least));
        spread_weights_.push_back(spread_weights(least));
    }
    for (std::size_t q = 0; q < all_.probes; ++q) {
        masked_.push_back(most_masked(rotated_.data() + q * all_.rotations * 2 * all_.words, all_,
                                      layout_.bits()));
    }
    for (std::size_t q = 0; q < spread_.probes; ++q) {
        const std::size_t at = q * spread_.rotations * 2 * kSpreadWords;
        spread_masked_.push_back(
            most_masked(spread_rotated_.data() + at, spread_, 64 * kSpreadWords));
    }
    all_.weights = weights_.data();
    all_.rotated = rotated_.data();
    all_.masked = masked_.data();
    spread_.weights = spread_weights_.data();
    spread_.rotated = spread_rotated_.data();
    spread_.masked = spread_masked_.data();
}

void IrisProbes::lay_lines(std::span<const IrisTemplate* const> probes, int rotation) {
    const std::size_t row = 64 * layout_.row_words();
    all_.line_bytes = row + (all_.rotations + 15) / 16 * 16;
    const std::size_t plane = layout_.lines() * all_.line_bytes;
    lines_.resize(probes.size() * 2 * plane);
    std::int8_t* out = lines_.data();
    for (std::size_t q = 0; q < probes.size(); ++q, out += plane) {
        for (std::size_t line = 0; line < layout_.lines(); ++line) {
            const std::size_t turns = std::size_t{layout_.angles} * kMaxIrisRotation;
            for (std::size_t t = 0; t < all_.line_bytes; ++t, ++out) {
                const std::size_t angle =
                    (t + turns - static_cast<std::size_t>(rotation)) % layout_.angles;
                const std::size_t number = line * row + angle;
                *out = code_byte(probes[q]->code(), probes[q]->mask(), number, weights_[q]);
                out[plane] = mask_byte(probes[q]->mask(), number, weights_[q]);
            }
        }
    }
    all_.lines = lines_.data();
}

void IrisProbes::lay_tiles() {
    if (spread_.probes == 0) {
        return;
    }
    const std::size_t groups = (spread_.rotations + kRowsOfTile - 1) / kRowsOfTile;
    code_tiles_.resize(spread_.probes * groups * kSpreadWords * kRowsOfTile);
    mask_tiles_.resize(code_tiles_.size());
    for (std::size_t k = 0; k < spread_.probes * spread_.rotations; ++k) {
        const std::size_t probe = k / spread_.rotations;
        const std::size_t from_last = spread_.rotations - 1 - k % spread_.rotations;
        const IrisWeights weights = spread_weights_[probe];
        const std::uint64_t* code = spread_rotated_.data() + k * 2 * kSpreadWords;
        const std::uint64_t* mask = code + kSpreadWords;
        const std::size_t row =
            from_last % kRowsOfTile +
            (probe * groups + from_last / kRowsOfTile) * kSpreadWords * kRowsOfTile;
        for (std::size_t number = 0; number < 64 * kSpreadWords; ++number) {
            const std::size_t at = row + number / 64 * kRowsOfTile;
            code_tiles_[at].bytes[number % 64] = code_byte(code, mask, number, weights);
            mask_tiles_[at].bytes[number % 64] = mask_byte(mask, number, weights);
        }
    }
    spread_.code_tiles = code_tiles_.data()->bytes;
    spread_.mask_tiles = mask_tiles_.data()->bytes;
}

MaskedHamming IrisProbes::best_rotation(std::size_t probe,
                                        const std::uint64_t* reference) const noexcept {
    MaskedHamming counts[kMaxIrisRotations];
    iris_kernels().compare_rotations(rotated_.data() + probe * all_.rotations * 2 * all_.words,
                                     all_.rotations, reference, all_.words, counts);
    const std::uint32_t typical = iris_typical_compared(layout_);
    MaskedHamming best = counts[0];
    for (std::size_t r = 1; r < all_.rotations; ++r) {
        if (more_alike(counts[r], best, typical)) {
            best = counts[r];
        }
    }
    return best;
}

float IrisProbes::similarity(std::size_t probe, const std::uint64_t* reference) const noexcept {
    return iris_similarity(best_rotation(probe, reference), iris_typical_compared(layout_));
}

float iris_similarity(const IrisTemplate& probe, const IrisTemplate& reference, int rotation) {
    const IrisProbes ready(probe, rotation);
    if (reference.layout != probe.layout) {
        throw MatcherError("DIMENSION_MISMATCH", "reference",
                           "The probe and the reference have different layouts.");
    }
    return ready.similarity(0, reference.bits.data());
}

}  // namespace idmesh::matcher
