#include "idmesh/matcher/person_score.hpp"

#include <algorithm>
#include <cmath>

#include "idmesh/matcher/error.hpp"
#include "llr_table.hpp"

namespace idmesh::matcher {

namespace {

// How far the evidence of a stranger's fingers goes together: the correlation over chimeric people
// of FVC2002 (5 fingers of one sensor: 0.04 to 0.07) and over synthetic ones (0.001).
constexpr double kFingersInCommon = 0.05;

constexpr double kMostTarget = 120.0;

double damped(double sum, std::uint32_t count) noexcept {
    return count < 2 ? sum : sum / (1.0 + kFingersInCommon * (count - 1));
}

// Natural logarithm in plain arithmetic, so that no score hangs on a library; x > 0, to 1e-14.
double natural_log(double x) noexcept {
    int exponent = 0;
    double m = std::frexp(x, &exponent);  // in [0.5, 1)
    if (m < 0.70710678118654752) {
        m *= 2;
        --exponent;
    }
    const double z = (m - 1) / (m + 1);
    const double s = z * z;
    double series = 0.0;
    for (int k = 21; k >= 1; k -= 2) {
        series = series * s + 1.0 / k;
    }
    return 2 * z * series + exponent * 0.69314718055994531;
}

[[noreturn]] void out_of_range(const char* field, const char* message) {
    throw MatcherError("VALUE_OUT_OF_RANGE", field, message);
}

}  // namespace

float llr_of(Modality modality, float similarity) noexcept {
    const auto table = llr_table(modality);
    if (!std::isfinite(similarity)) {
        return 0.0F;
    }
    if (similarity <= table.front().at) {
        return table.front().llr;
    }
    const auto above = std::find_if(table.begin(), table.end(), [similarity](const LlrKnot& knot) {
        return similarity < knot.at;
    });
    if (above == table.end()) {
        return table.back().llr;
    }
    const LlrKnot& low = *(above - 1);
    const float part = (similarity - low.at) / (above->at - low.at);
    return std::min(low.llr + part * (above->llr - low.llr), above->llr);
}

float finger_llr(float similarity) noexcept {
    return llr_of(Modality::finger, similarity);
}

float iris_llr(float similarity) noexcept {
    return llr_of(Modality::iris, similarity);
}

float face_llr(float cosine) noexcept {
    return llr_of(Modality::face, cosine);
}

LlrBounds llr_bounds(Modality modality) noexcept {
    const auto table = llr_table(modality);
    return {table.front().llr, table.back().llr};
}

float least_similarity(Modality modality, float llr) noexcept {
    if (llr <= llr_table(modality).front().llr) {
        return -1.0F;
    }
    if (!(llr <= llr_table(modality).back().llr)) {
        return 2.0F;
    }
    // Bisection on what llr_of() itself says, so that its rounding cannot lose anyone.
    float low = -1.0F;
    float high = 2.0F;
    for (float middle = 0.5F; low < middle && middle < high; middle = low + (high - low) / 2) {
        (llr_of(modality, middle) >= llr ? high : low) = middle;
    }
    return high;
}

float llr_of_best(Modality modality, float best_similarity, std::size_t tried) noexcept {
    return std::max(llr_of(modality, best_similarity) - cost_of_ways(tried),
                    llr_bounds(modality).least);
}

float cost_of_ways(std::size_t ways) noexcept {
    return static_cast<float>(natural_log(static_cast<double>(std::max<std::size_t>(1, ways))));
}

void PersonScore::add(Modality modality, float llr) noexcept {
    if (modality == Modality::finger) {
        fingers_ += llr;
        ++finger_count_;
    } else {
        others_ += llr;
    }
}

float PersonScore::value() const noexcept {
    return static_cast<float>(damped(fingers_, finger_count_) + others_);
}

float most_possible(const PersonScore& so_far, std::size_t fingers, std::size_t irises,
                    std::size_t faces) noexcept {
    // Fewer further fingers than could be compared may make more: more fingers damp the sum.
    float most = -1e30F;
    for (std::size_t some = 0; some <= fingers; ++some) {
        PersonScore best = so_far;
        for (std::size_t k = 0; k < some; ++k) {
            best.add(Modality::finger, llr_bounds(Modality::finger).most);
        }
        for (std::size_t k = 0; k < irises; ++k) {
            best.add(Modality::iris, llr_bounds(Modality::iris).most);
        }
        for (std::size_t k = 0; k < faces; ++k) {
            best.add(Modality::face, llr_bounds(Modality::face).most);
        }
        most = std::max(most, best.value());
    }
    return most;
}

float score_at_fpir(std::size_t gallery_size, double fpir) {
    if (!(fpir > 0.0 && fpir <= 1.0)) {
        out_of_range("fpir", "The FPIR is not in (0, 1].");
    }
    const auto people = static_cast<double>(std::max<std::size_t>(1, gallery_size));
    return static_cast<float>(natural_log(people) - natural_log(fpir));
}

double fpir_at(float score, std::size_t gallery_size) noexcept {
    const auto people = static_cast<double>(std::max<std::size_t>(1, gallery_size));
    return std::min(1.0, people * std::exp(-static_cast<double>(score)));
}

double fpir_of_target(double target_fpir) {
    if (!(target_fpir >= 0.0 && target_fpir <= kMostTarget)) {
        out_of_range("target_fpir", "The targetFPIR is not in [0, 120].");
    }
    return std::pow(10.0, -target_fpir / 10.0);
}

double target_of_fpir(double fpir) {
    if (!(fpir > 0.0 && fpir <= 1.0)) {
        out_of_range("fpir", "The FPIR is not in (0, 1].");
    }
    return std::min(kMostTarget, std::max(0.0, -10.0 * std::log10(fpir)));
}

Band band_of(float score, std::size_t gallery_size, const DecisionPolicy& policy) {
    if (score >= score_at_fpir(gallery_size, policy.match_fpir)) {
        return Band::match;
    }
    return score >= score_at_fpir(gallery_size, policy.adjudicate_fpir) ? Band::adjudicate
                                                                        : Band::none;
}

float threshold_at_fmr(Modality modality, double fmr) {
    const auto table = fmr_table(modality);
    if (!(fmr <= table.front().fmr && fmr >= table.back().fmr)) {
        out_of_range("fmr", "The FMR is not in [1e-7, 0.1].");
    }
    std::size_t above = 1;
    while (above + 1 < table.size() && fmr < table[above].fmr) {
        ++above;
    }
    // Linear between the logarithms of the rates.
    const RateKnot& low = table[above - 1];
    const RateKnot& high = table[above];
    const double from = natural_log(low.fmr);
    const double part = (natural_log(fmr) - from) / (natural_log(high.fmr) - from);
    return static_cast<float>(low.at + part * (static_cast<double>(high.at) - low.at));
}

}  // namespace idmesh::matcher
