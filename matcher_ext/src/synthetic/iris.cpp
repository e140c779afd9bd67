// Iris codes: signs of the real and imaginary part of a band-limited complex field over rows and
// angles, as a Gabor filter gives it. After J. Daugman, "The importance of being random", 2003;
// the correlations, masks and mated distances are those of MMU v1 (docs/synthetic.md).
#include <algorithm>
#include <array>
#include <cmath>

#include "draws.hpp"
#include "idmesh/matcher/synthetic.hpp"

namespace idmesh::matcher::synthetic {

namespace {

constexpr int kRows = kDefaultIrisLayout.rows;
constexpr int kAngles = kDefaultIrisLayout.angles;
constexpr int kWarmUp = 24;  // angles until the filter has forgotten where it began
// The filter over angles: two decaying waves, one after the other.
struct Pole {
    float decay;
    float turns;  // to the angle
};
constexpr Pole kPoles[2] = {{0.854F, 0.0614F}, {0.737F, 0.1528F}};
constexpr float kFilterGain = 0.2635F;  // makes the variance 1
constexpr float kRowCorrelation = 0.47F;
// What eyes have in common: lids and lamps, seen alike in many images. More in some than in others,
// so that strangers' distances spread wider than free bits would make them.
constexpr double kCommonMean = 0.17;
constexpr double kCommonDeviation = 0.18;

// All rows at an angle: of GCC's and clang's vector types, whose operators go lane by lane.
using Column = float __attribute__((vector_size(kRows * sizeof(float))));
// Row by row. GCC 12's bounds sanitizer gets subscripts of a vector itself wrong.
float* rows_of(Column& column) noexcept {
    return reinterpret_cast<float*>(&column);
}
const float* rows_of(const Column& column) noexcept {
    return reinterpret_cast<const float*>(&column);
}

struct Field {
    std::array<Column, kAngles> real;
    std::array<Column, kAngles> imaginary;
};

// Neighbouring rows see overlapping skin. Angle by angle within: no step waits for the one before.
void blend_rows(Field& field) noexcept {
    static const float kFresh = std::sqrt(1 - kRowCorrelation * kRowCorrelation);
    for (int k = 1; k < kRows; ++k) {
        for (auto* part : {&field.real, &field.imaginary}) {
            for (Column& column : *part) {
                float* row = rows_of(column);
                row[k] = kRowCorrelation * row[k - 1] + kFresh * row[k];
            }
        }
    }
}

struct Turn {
    explicit Turn(const Pole& pole) noexcept
        : c(static_cast<float>(cosine(pole.turns)) * pole.decay),
          s(static_cast<float>(sine(pole.turns)) * pole.decay) {}
    float c;
    float s;
};

// A field of variance 1 in each part. The noise goes round, so the field closes on itself.
void draw_field(Draws& draws, Field& out) noexcept {
    static const Turn kFirst(kPoles[0]);
    static const Turn kSecond(kPoles[1]);
    Field noise;
    for (int angle = 0; angle < kAngles; ++angle) {
        draws.signs(rows_of(noise.real[angle]), kRows);
        draws.signs(rows_of(noise.imaginary[angle]), kRows);
    }
    blend_rows(noise);
    Column first_real{};
    Column first_imaginary{};
    Column second_real{};
    Column second_imaginary{};
    for (int step = -kWarmUp; step < kAngles; ++step) {
        const int angle = (step + kAngles) % kAngles;
        const Column was = first_real;
        first_real = was * kFirst.c - first_imaginary * kFirst.s + noise.real[angle];
        first_imaginary = was * kFirst.s + first_imaginary * kFirst.c + noise.imaginary[angle];
        const Column before = second_real;
        second_real = before * kSecond.c - second_imaginary * kSecond.s + first_real;
        second_imaginary = before * kSecond.s + second_imaginary * kSecond.c + first_imaginary;
        if (step >= 0) {
            out.real[angle] = second_real * kFilterGain;
            out.imaginary[angle] = second_imaginary * kFilterGain;
        }
    }
}

const Field& common_field() {
    static const Field once = [] {
        Draws draws(Subject::iris_common, {});
        Field field;
        draw_field(draws, field);
        return field;
    }();
    return once;
}

struct Parts {
    float own;
    float other;
    float common;
};

// The eye's own field and other, turned so many angles forward, and what all eyes have in common.
void mix(const Field& own, const Field& other, const Parts& parts, int turned,
         Field& out) noexcept {
    const Field& common = common_field();
    for (int angle = 0; angle < kAngles; ++angle) {
        const int from = (angle - turned + kAngles) % kAngles;
        out.real[angle] = parts.own * own.real[from] + parts.other * other.real[from] +
                          parts.common * common.real[angle];
        out.imaginary[angle] = parts.own * own.imaginary[from] +
                               parts.other * other.imaginary[from] +
                               parts.common * common.imaginary[angle];
    }
}

// How much of a capture's field is not the eye's. With x of it, two captures differ in
// acos(1 - x^2) / pi of their bits. A few are as good as lost: the boundary was found wrongly.
float unlikeness_of(Draws& draws, double of_eye, double noise) noexcept {
    const double lost = draws.uniform();
    const double z = 0.6 * of_eye + 0.8 * draws.normal();
    const double angle = std::max(0.0, 0.53 + 0.20 * z + 0.03 * z * z);
    if (lost < 0.008 * noise) {
        return 0.99F;
    }
    return static_cast<float>(sine(std::min(0.24, angle * noise / 6.283185307179586)));
}

// One bit to the angle of each row; bands are masked alike.
struct Mask {
    std::array<std::array<std::uint64_t, 2>, kRows> row{};

    // turned: angles that the head, lids and all, is turned by.
    explicit Mask(int turned_by) noexcept : turned(turned_by) {
        for (auto& one : row) {
            one = {~std::uint64_t{0}, ~std::uint64_t{0}};
        }
    }
    int turned;

    void hide(int k, int from, int count) noexcept {
        for (int step = 0; step < count; ++step) {
            const int angle = (from + turned + step + 2 * kAngles) % kAngles;
            row[k][angle / 64] &= ~(std::uint64_t{1} << angle % 64);
        }
    }
};

// Lids hide the outer rows above and below, the pupil's edge and lashes pieces of any row.
Mask draw_mask(Draws& draws, int turned, double noise) noexcept {
    // Pieces of six angles, by row from the pupil outwards: MMU's shares of valid bits.
    constexpr double kPieces[kRows] = {5.2, 1.5, 1.1, 1.2, 1.4, 2.1, 3.0, 5.0};
    Mask mask(turned);
    const double much = std::max(0.0, 1.0 + 0.35 * draws.normal()) * noise;
    const int upper = 92 + static_cast<int>(3 * draws.normal() + 100) - 100;
    const int lower = 38 + static_cast<int>(3 * draws.normal() + 100) - 100;
    const double lids = std::max(0.0, 1.0 + 0.5 * draws.normal()) * noise;
    for (int k = 0; k < kRows; ++k) {
        const int pieces = draws.count(kPieces[k] * much);
        for (int piece = 0; piece < pieces; ++piece) {
            mask.hide(k, static_cast<int>(draws.uniform() * kAngles), 6);
        }
        const auto reach = static_cast<int>(lids * (1.5 + 0.06 * k * k));
        mask.hide(k, upper - reach, 2 * reach);
        mask.hide(k, lower - reach / 3, 2 * (reach / 3));
    }
    return mask;
}

// All but a quarter or less: a hand, a lens, an eye half shut.
void hide_most(Draws& draws, Mask& mask) noexcept {
    const auto from = static_cast<int>(draws.uniform() * kAngles);
    for (int k = 0; k < kRows; ++k) {
        mask.hide(k, from, 88 + 3 * k);
    }
}

IrisCapture pack(const Field& field, const Mask& mask) noexcept {
    IrisCapture made{};
    for (int half = 0; half < 2; ++half) {
        std::uint64_t real[kRows] = {};
        std::uint64_t imaginary[kRows] = {};
        for (int bit = 0; bit < 64; ++bit) {
            const float* of_real = rows_of(field.real[half * 64 + bit]);
            const float* of_imaginary = rows_of(field.imaginary[half * 64 + bit]);
            for (int k = 0; k < kRows; ++k) {
                real[k] |= std::uint64_t{of_real[k] > 0} << bit;
                imaginary[k] |= std::uint64_t{of_imaginary[k] > 0} << bit;
            }
        }
        for (int k = 0; k < kRows; ++k) {
            const int word = 2 * k + half;
            made.code[word] = real[k];
            made.code[word + 2 * kRows] = imaginary[k];
            made.mask[word] = mask.row[k][half];
            made.mask[word + 2 * kRows] = mask.row[k][half];
        }
    }
    return made;
}

}  // namespace

IrisCapture iris_capture(const Population& population, std::uint64_t person, int eye,
                         std::uint64_t capture) {
    const auto side = static_cast<std::uint64_t>(eye);
    Draws of_eye(Subject::iris_eye, {population.seed, person, side});
    const double murky = of_eye.normal();
    const auto common = static_cast<float>(kCommonMean + kCommonDeviation * of_eye.normal());
    Draws master(Subject::iris_master, {population.seed, person, side});
    Draws draws(Subject::iris_capture, {population.seed, person, side, capture});
    Field own;
    draw_field(master, own);
    const float unlike = unlikeness_of(draws, murky, population.noise);
    Field other;
    draw_field(draws, other);
    const double tilt = std::clamp(1.6 * population.noise * draws.normal(), -7.0, 7.0);
    const int turned = static_cast<int>(tilt + 100.5) - 100;
    // Lamps do not turn with the head.
    const float rest = std::sqrt(1 - common * common);
    Field seen;
    mix(own, other, {rest * std::sqrt(1 - unlike * unlike), rest * unlike, common}, turned, seen);
    Mask mask = draw_mask(draws, turned, population.noise);
    if (draws.chance(population.bad.masked_iris)) {
        hide_most(draws, mask);
    }
    if (std::all_of(mask.row.begin(), mask.row.end(),
                    [](const auto& row) { return (row[0] | row[1]) == 0; })) {
        mask.row[3] = {~std::uint64_t{0}, 0};
    }
    return pack(seen, mask);
}

IrisTemplate iris_template(const IrisCapture& capture) {
    const auto bytes = [](const std::uint64_t* words) {
        return std::span<const std::uint8_t>{reinterpret_cast<const std::uint8_t*>(words),
                                             kDefaultIrisLayout.bytes()};
    };
    return iris_from_bytes(bytes(capture.code), bytes(capture.mask));
}

}  // namespace idmesh::matcher::synthetic
