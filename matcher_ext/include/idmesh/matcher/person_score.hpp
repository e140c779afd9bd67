// From similarities to one score of a person, and from scores to decisions.
//
// A score is a sum of logarithms (natural) of likelihood ratios: how much likelier what was
// compared is of one person than of two. What was not compared says nothing and adds nothing. 0
// says nothing either way. The ratio has a mean of at most 1 over non-mated comparisons, so at most
// one non-mated person in exp(score) reaches a score; score_at_fpir() and fpir_at() follow from
// that alone.
//
// A similarity is that of finger_similarity() or iris_similarity(); of faces it is the cosine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/comparison.hpp"

namespace idmesh::matcher {

// Rising with the similarity, bounded both ways; a value that is not finite says nothing (0).
float finger_llr(float similarity) noexcept;
float iris_llr(float similarity) noexcept;
float face_llr(float cosine) noexcept;
float llr_of(Modality modality, float similarity) noexcept;

// What llr_of() is within.
struct LlrBounds {
    float least;
    float most;
};
LlrBounds llr_bounds(Modality modality) noexcept;

// The least similarity whose llr_of() is `llr` or more, for gates: all that could reach it pass.
// -1 if every one does, 2 if none.
float least_similarity(Modality modality, float llr) noexcept;

// The evidence of the best of several comparisons of which at most one can be mated (positions
// tried one after the other): less by ln(tried), at least llr_bounds().least. tried >= 1.
float llr_of_best(Modality modality, float best_similarity, std::size_t tried) noexcept;

// What changes a whole person's score when it is the best of several ways to lay ten fingers on
// ten (swapped hands: 2): minus ln(ways).
float cost_of_ways(std::size_t ways) noexcept;

// Sums a person's comparisons. The fingers of one person are not independent (one sensor, one
// operator, one skin), so their sum counts a little less the more there are. Added in the same
// order the same comparisons give the same bits: add by modality, then position.
class PersonScore {
  public:
    void add(Modality modality, float llr) noexcept;
    float value() const noexcept;  // 0 of nothing

  private:
    double fingers_ = 0.0;
    double others_ = 0.0;
    std::uint32_t finger_count_ = 0;
};

// No more than value() can be once the given numbers of further comparisons are added to `so_far`.
float most_possible(const PersonScore& so_far, std::size_t fingers, std::size_t irises,
                    std::size_t faces) noexcept;

// The least score that keeps the rate of searches with a non-mated candidate (FPIR) within `fpir`,
// for a probe that is searched among `gallery_size` people: ln(gallery_size / fpir).
// gallery_size >= 1 (0 counts as 1), 0 < fpir <= 1; throws MatcherError: VALUE_OUT_OF_RANGE.
float score_at_fpir(std::size_t gallery_size, double fpir);

// The bound on FPIR, in [0, 1], where candidates are shown from `score` on.
double fpir_at(float score, std::size_t gallery_size) noexcept;

// MOSIP's targetFPIR to a proportion and back: -10 log10(FPIR), so that 30 is 1 in 1000.
// Throws MatcherError: VALUE_OUT_OF_RANGE, not in [0, 120].
double fpir_of_target(double target_fpir);
double target_of_fpir(double fpir);

enum class Band : std::uint8_t { none, adjudicate, match };

// Non-mated candidates that the bands let through, per search of the present gallery.
struct DecisionPolicy {
    double adjudicate_fpir = 1e-2;  // worth an adjudicator's time
    double match_fpir = 1e-6;       // needs none
};

// Throws MatcherError: VALUE_OUT_OF_RANGE.
Band band_of(float score, std::size_t gallery_size, const DecisionPolicy& policy = {});

// The least similarity of one comparison 1:1 (of faces the cosine) that non-mated pairs reach at
// this rate. fmr in [1e-7, 0.1]; throws MatcherError: VALUE_OUT_OF_RANGE.
float threshold_at_fmr(Modality modality, double fmr);

}  // namespace idmesh::matcher
