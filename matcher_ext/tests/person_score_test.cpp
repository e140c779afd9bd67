#include "idmesh/matcher/person_score.hpp"

#include <limits>

#include "check.hpp"

using namespace idmesh::matcher;

namespace {

constexpr Modality kModalities[] = {Modality::finger, Modality::iris, Modality::face};

void evidence_rises_and_is_bounded() {
    for (const Modality modality : kModalities) {
        const LlrBounds bounds = llr_bounds(modality);
        CHECK(bounds.least < -1.0F && bounds.least > -10.0F);
        CHECK(bounds.most > 10.0F && bounds.most < 40.0F);
        float before = bounds.least;
        for (int k = -1000; k <= 2000; ++k) {
            const float now = llr_of(modality, static_cast<float>(k) / 1000.0F);
            CHECK(now >= before && now <= bounds.most);
            before = now;
        }
        CHECK(llr_of(modality, -1e30F) == bounds.least);
        CHECK(llr_of(modality, 1e30F) == bounds.most);
        CHECK(llr_of(modality, std::numeric_limits<float>::quiet_NaN()) == 0.0F);
        CHECK(llr_of(modality, std::numeric_limits<float>::infinity()) == 0.0F);
    }
}

void a_gate_passes_all_that_could_reach_it_and_no_more() {
    for (const Modality modality : kModalities) {
        const LlrBounds bounds = llr_bounds(modality);
        CHECK(least_similarity(modality, bounds.least) == -1.0F);
        CHECK(least_similarity(modality, bounds.most + 0.01F) == 2.0F);
        for (float llr = bounds.least + 0.01F; llr < bounds.most; llr += 0.37F) {
            const float at = least_similarity(modality, llr);
            CHECK(llr_of(modality, at) >= llr);
            CHECK(llr_of(modality, std::nextafter(at, -1.0F)) < llr);
        }
    }
}

void what_was_not_compared_adds_nothing() {
    CHECK(PersonScore{}.value() == 0.0F);
    PersonScore eye;
    eye.add(Modality::iris, 7.5F);
    CHECK(eye.value() == 7.5F);
    eye.add(Modality::face, -2.0F);
    CHECK(eye.value() == 5.5F);
    PersonScore finger;
    finger.add(Modality::finger, 3.25F);
    CHECK(finger.value() == 3.25F);
}

void many_fingers_count_a_little_less_than_their_sum() {
    PersonScore ten;
    float before = 0.0F;
    for (int k = 0; k < 10; ++k) {
        ten.add(Modality::finger, 5.0F);
        CHECK(ten.value() > before + 2.0F);
        before = ten.value();
    }
    CHECK(ten.value() < 50.0F && ten.value() > 30.0F);
}

void no_person_gets_more_than_is_possible() {
    PersonScore score;
    score.add(Modality::finger, -3.0F);
    score.add(Modality::finger, 1.0F);
    const float bound = most_possible(score, 3, 1, 1);
    CHECK(bound >= score.value());
    for (int k = 0; k < 3; ++k) {
        score.add(Modality::finger, llr_bounds(Modality::finger).most);
        CHECK(bound >= score.value());
    }
    score.add(Modality::iris, llr_bounds(Modality::iris).most);
    score.add(Modality::face, llr_bounds(Modality::face).most);
    CHECK(bound == score.value());
}

void the_best_of_many_counts_less() {
    CHECK(cost_of_ways(0) == 0.0F && cost_of_ways(1) == 0.0F);
    CHECK(std::abs(cost_of_ways(2) - 0.693147F) < 1e-6F);
    CHECK(std::abs(cost_of_ways(3628800) - 15.104413F) < 1e-5F);
    const float one = llr_of(Modality::finger, 0.9F);
    CHECK(std::abs(llr_of_best(Modality::finger, 0.9F, 10) - (one - 2.302585F)) < 1e-5F);
    CHECK(llr_of_best(Modality::finger, 0.0F, 10) == llr_bounds(Modality::finger).least);
}

void scores_and_rates_are_inverse() {
    CHECK(std::abs(score_at_fpir(1'000'000, 1e-3) - 20.7232658F) < 1e-5F);
    CHECK(score_at_fpir(0, 1.0) == 0.0F && score_at_fpir(1, 1.0) == 0.0F);
    for (const std::size_t people : {1UL, 1000UL, 1UL << 31}) {
        for (const double fpir : {1.0, 0.1, 1e-6, 1e-12}) {
            const double back = fpir_at(score_at_fpir(people, fpir), people);
            CHECK(std::abs(back / fpir - 1.0) < 1e-5);
        }
    }
    CHECK(fpir_at(-5.0F, 10) == 1.0);
    CHECK(refused([] { score_at_fpir(1, 0.0); }) == "VALUE_OUT_OF_RANGE");
    CHECK(refused([] { score_at_fpir(1, 1.5); }) == "VALUE_OUT_OF_RANGE");
    CHECK(refused([] { score_at_fpir(1, NAN); }) == "VALUE_OUT_OF_RANGE");
}

void mosips_target_is_ten_times_the_logarithm() {
    CHECK(std::abs(fpir_of_target(30) / 1e-3 - 1) < 1e-12);
    CHECK(fpir_of_target(0) == 1.0);
    CHECK(std::abs(target_of_fpir(1e-3) - 30.0) < 1e-9);
    CHECK(refused([] { fpir_of_target(-1); }) == "VALUE_OUT_OF_RANGE");
    CHECK(refused([] { fpir_of_target(NAN); }) == "VALUE_OUT_OF_RANGE");
    CHECK(refused([] { target_of_fpir(0); }) == "VALUE_OUT_OF_RANGE");
}

void a_larger_gallery_asks_for_more() {
    const float score = score_at_fpir(1000, 1e-4);
    CHECK(band_of(score, 1000) == Band::adjudicate);
    CHECK(band_of(score, 1'000'000) == Band::none);
    CHECK(band_of(score, 1) == Band::match);
    CHECK(band_of(score + 10, 1000) == Band::match);
    CHECK(band_of(score, 1000, {1e-2, 1e-4}) == Band::match);
}

void thresholds_rise_as_the_rate_falls() {
    for (const Modality modality : kModalities) {
        float before = 0.0F;
        for (double fmr = 0.1; fmr >= 1e-7; fmr *= 0.83) {
            const float now = threshold_at_fmr(modality, fmr);
            CHECK(now > before && now < 1.0F);
            before = now;
        }
        CHECK(refused([&] { threshold_at_fmr(modality, 0.2); }) == "VALUE_OUT_OF_RANGE");
        CHECK(refused([&] { threshold_at_fmr(modality, 1e-9); }) == "VALUE_OUT_OF_RANGE");
    }
}

}  // namespace

int main() {
    evidence_rises_and_is_bounded();
    a_gate_passes_all_that_could_reach_it_and_no_more();
    what_was_not_compared_adds_nothing();
    many_fingers_count_a_little_less_than_their_sum();
    no_person_gets_more_than_is_possible();
    the_best_of_many_counts_less();
    scores_and_rates_are_inverse();
    mosips_target_is_ten_times_the_logarithm();
    a_larger_gallery_asks_for_more();
    thresholds_rise_as_the_rate_falls();
}
