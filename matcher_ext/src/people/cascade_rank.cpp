#include <algorithm>
#include <cmath>

#include "people/cascade.hpp"

namespace idmesh::matcher {

namespace {

constexpr double kUnits = 16.0;  // to one unit of evidence

// Rounded to whole units, so that the last bit of a logarithm, which may differ from one machine to
// another, decides nothing.
std::int32_t rounded(double evidence) noexcept {
    return static_cast<std::int32_t>(std::lround(evidence * kUnits));
}

// evidence[score]: how few rows score as much.
std::vector<std::int32_t> evidence_of_scores(const std::vector<LookedAt>& rows, std::size_t f) {
    std::uint16_t most = 0;
    for (const LookedAt& row : rows) {
        most = std::max(most, row.scores[f]);
    }
    std::vector<std::size_t> reach(most + std::size_t{2});
    for (const LookedAt& row : rows) {
        reach[row.scores[f]] += 1;
    }
    for (std::size_t score = most; score > 1; --score) {
        reach[score - 1] += reach[score];
    }
    std::vector<std::int32_t> evidence(most + std::size_t{1});
    for (std::size_t score = 1; score <= most; ++score) {
        evidence[score] =
            rounded(std::log(static_cast<double>(reach[1]) / static_cast<double>(reach[score])));
    }
    return evidence;
}

// Fisher: the sum of the evidence of `fingers` others' fingers is gamma distributed.
std::vector<std::int32_t> evidence_of_sums(std::size_t fingers, std::int32_t most) {
    std::vector<std::int32_t> evidence(static_cast<std::size_t>(most) + 1);
    for (std::size_t sum = 0; sum < evidence.size(); ++sum) {
        const double x = static_cast<double>(sum) / kUnits;
        double term = 1.0;
        double terms = 1.0;
        for (std::size_t k = 1; k < fingers; ++k) {
            term *= x / static_cast<double>(k);
            terms += term;
        }
        evidence[sum] = rounded(x - std::log(terms));
    }
    return evidence;
}

}  // namespace

std::vector<Ranked> shortlist(const PeopleSnapshot& snapshot, const std::vector<LookedAt>& rows,
                              std::size_t most) {
    std::vector<std::vector<std::int32_t>> of_score;
    std::int32_t sum = 0;
    for (std::size_t f = 0; f < kMostScanned; ++f) {
        of_score.push_back(evidence_of_scores(rows, f));
        sum += *std::max_element(of_score.back().begin(), of_score.back().end());
    }
    std::vector<std::vector<std::int32_t>> of_sum;
    for (std::size_t fingers = 0; fingers <= kMostScanned; ++fingers) {
        of_sum.push_back(evidence_of_sums(std::max<std::size_t>(1, fingers), sum));
    }
    std::vector<Ranked> ranked;
    ranked.reserve(rows.size());
    for (const LookedAt& row : rows) {
        std::int32_t scored = 0;
        std::size_t fingers = 0;
        for (std::size_t f = 0; f < kMostScanned; ++f) {
            scored += of_score[f][row.scores[f]];
            fingers += row.scores[f] != 0;
        }
        ranked.push_back({of_sum[fingers][static_cast<std::size_t>(scored)] +
                              rounded(static_cast<double>(row.llr)),
                          row.place});
    }
    const auto id_of = [&](const Ranked& one) {
        return snapshot.views[one.place / kSegmentRows].segment->reference_id(one.place %
                                                                              kSegmentRows);
    };
    const auto before = [&](const Ranked& a, const Ranked& b) {
        return a.evidence != b.evidence ? a.evidence > b.evidence : id_of(a) < id_of(b);
    };
    if (ranked.size() > most) {
        std::nth_element(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(most),
                         ranked.end(), before);
        ranked.resize(most);
    }
    std::sort(ranked.begin(), ranked.end(), before);
    return ranked;
}

}  // namespace idmesh::matcher
