#include "idmesh/matcher/person_score.hpp"

#include <pybind11/stl.h>

#include "bindings.hpp"

namespace py = pybind11;
namespace im = idmesh::matcher;

namespace {

im::Modality modality(int number) {
    return static_cast<im::Modality>(number);
}

float person_score(const std::vector<std::pair<int, float>>& comparisons) {
    im::PersonScore score;
    for (const auto& [number, llr] : comparisons) {
        score.add(modality(number), llr);
    }
    return score.value();
}

}  // namespace

void bind_person_score(py::module_& m) {
    m.def("llr_of", [](int of, float at) { return im::llr_of(modality(of), at); });
    m.def("llr_of_best", [](int of, float best, std::size_t tried) {
        return im::llr_of_best(modality(of), best, tried);
    });
    m.def("llr_bounds", [](int of) {
        const im::LlrBounds bounds = im::llr_bounds(modality(of));
        return py::make_tuple(bounds.least, bounds.most);
    });
    m.def("least_similarity",
          [](int of, float llr) { return im::least_similarity(modality(of), llr); });
    m.def("cost_of_ways", &im::cost_of_ways);
    m.def("person_score", &person_score);
    m.def("score_at_fpir", &im::score_at_fpir);
    m.def("fpir_at", &im::fpir_at);
    m.def("fpir_of_target", &im::fpir_of_target);
    m.def("target_of_fpir", &im::target_of_fpir);
    m.def("band_of", [](float score, std::size_t people, double adjudicate, double match) {
        return static_cast<int>(im::band_of(score, people, {adjudicate, match}));
    });
    m.def("threshold_at_fmr",
          [](int of, double fmr) { return im::threshold_at_fmr(modality(of), fmr); });
}
