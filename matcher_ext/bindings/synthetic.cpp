#include "idmesh/matcher/synthetic.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <array>

#include "bindings.hpp"
#include "held.hpp"

namespace py = pybind11;
namespace im = idmesh::matcher;
namespace is = idmesh::matcher::synthetic;

namespace {

constexpr py::ssize_t kMinutiaColumns = 5;

is::Population population_of(std::uint64_t seed, double noise, std::size_t face_dimension,
                             const std::array<double, 7>& bad) {
    return {seed, noise, face_dimension, {bad[0], bad[1], bad[2], bad[3], bad[4], bad[5], bad[6]}};
}

py::array_t<float> master_rows(const is::Population& self, std::uint64_t person, int position) {
    const is::MasterFinger finger = is::finger_master(self, person, position);
    py::array_t<float> rows({static_cast<py::ssize_t>(finger.count), kMinutiaColumns});
    auto out = rows.mutable_unchecked<2>();
    for (py::ssize_t k = 0; k < out.shape(0); ++k) {
        const is::MasterMinutia& one = finger.minutiae[k];
        const float values[] = {one.x, one.y, one.turns, one.clarity,
                                one.bifurcation ? 2.0F : 1.0F};
        for (py::ssize_t column = 0; column < kMinutiaColumns; ++column) {
            out(k, column) = values[column];
        }
    }
    return rows;
}

py::tuple capture_rows(const is::Population& self, std::uint64_t person, int position,
                       std::uint64_t capture) {
    const is::FingerCapture finger = is::finger_capture(self, person, position, capture);
    py::array_t<std::uint16_t> rows({static_cast<py::ssize_t>(finger.count), kMinutiaColumns});
    auto out = rows.mutable_unchecked<2>();
    for (py::ssize_t k = 0; k < out.shape(0); ++k) {
        const is::SyntheticMinutia& one = finger.minutiae[k];
        const std::uint16_t values[] = {one.x, one.y, one.direction, one.quality, one.kind};
        for (py::ssize_t column = 0; column < kMinutiaColumns; ++column) {
            out(k, column) = values[column];
        }
    }
    return py::make_tuple(int{finger.quality}, rows);
}

py::tuple iris_bytes(const is::Population& self, std::uint64_t person, int eye,
                     std::uint64_t capture) {
    const is::IrisCapture iris = is::iris_capture(self, person, eye, capture);
    return py::make_tuple(py::bytes(reinterpret_cast<const char*>(iris.code), sizeof iris.code),
                          py::bytes(reinterpret_cast<const char*>(iris.mask), sizeof iris.mask));
}

py::array_t<float> face_vector(const is::Population& self, std::uint64_t person,
                               std::uint64_t capture) {
    py::array_t<float> vector(static_cast<py::ssize_t>(self.face_dimension));
    is::face_capture(self, person, capture, vector.mutable_data());
    return vector;
}

std::vector<std::pair<int, Held>> person_templates(const is::Population& self, std::uint64_t person,
                                                   std::uint64_t capture) {
    std::vector<std::pair<int, Held>> held;
    for (auto& [position, value] : is::person_capture(self, person, capture)) {
        held.emplace_back(position, Held{std::move(value)});
    }
    return held;
}

}  // namespace

void bind_synthetic(py::module_& m) {
    using released = py::call_guard<py::gil_scoped_release>;
    py::class_<is::Population>(m, "Population")
        .def(py::init(&population_of))
        .def("finger_master", &master_rows)
        .def("finger_capture", &capture_rows)
        .def(
            "finger",
            [](const is::Population& self, std::uint64_t person, int position,
               std::uint64_t capture) {
                return Held{
                    is::finger_template(is::finger_capture(self, person, position, capture))};
            },
            released())
        .def("iris", &iris_bytes)
        .def("face", &face_vector)
        .def("capture", &person_templates, released());
}
