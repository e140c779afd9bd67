// The Python module `_native`: converts, releases the GIL, maps errors. No logic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string_view>

#include "bindings.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/fusion.hpp"
#include "idmesh/matcher/instruction_set.hpp"
#include "idmesh/matcher/people.hpp"
#include "positioned.hpp"

namespace py = pybind11;
namespace im = idmesh::matcher;

namespace {

using Rows = py::array_t<double, py::array::c_style>;

Held finger_from_rows(const Rows& rows, const py::bytes& quality, double dpi,
                      std::uint8_t position) {
    const auto values = rows.unchecked<2>();
    const auto qualities = bytes_of(quality);
    std::vector<im::RawMinutia> minutiae;
    for (py::ssize_t k = 0; k < values.shape(0); ++k) {
        minutiae.push_back({values(k, 0), values(k, 1), static_cast<std::uint8_t>(values(k, 2)),
                            qualities[static_cast<std::size_t>(k)]});
    }
    const py::gil_scoped_release released;
    im::FingerTemplate made = im::finger_from_minutiae(minutiae, dpi, dpi);
    made.position = position;
    return {std::move(made)};
}

// Of each minutia x, y, direction and quality, as kept.
py::array_t<std::int32_t> rows_of(const Held& held) {
    const auto& minutiae = std::get<im::FingerTemplate>(held.value).minutiae;
    py::array_t<std::int32_t> rows({static_cast<py::ssize_t>(minutiae.size()), py::ssize_t{4}});
    auto out = rows.mutable_unchecked<2>();
    for (py::ssize_t k = 0; k < out.shape(0); ++k) {
        const im::Minutia& minutia = minutiae[static_cast<std::size_t>(k)];
        out(k, 0) = minutia.x;
        out(k, 1) = minutia.y;
        out(k, 2) = minutia.direction;
        out(k, 3) = minutia.quality;
    }
    return rows;
}

Held finger_from_record(const py::bytes& record, std::size_t view) {
    const auto bytes = bytes_of(record);
    const py::gil_scoped_release released;
    return {im::finger_from_record(bytes, view)};
}

Held face_from_vector(const py::array_t<float, py::array::c_style>& vector) {
    return {im::face_from_vector({vector.data(), static_cast<std::size_t>(vector.size())})};
}

void throw_in_python(std::exception_ptr pointer) {
    try {
        if (pointer) {
            std::rethrow_exception(pointer);
        }
    } catch (const im::MatcherError& error) {
        const py::object type = py::module_::import("matcher_ext.error").attr("MatcherError");
        const py::object made = type(error.reason(), error.field(), error.what());
        PyErr_SetObject(type.ptr(), made.ptr());
    }
}

void bind_templates(py::module_& m) {
    py::class_<Held>(m, "Template")
        .def_property_readonly(
            "modality",
            [](const Held& self) { return static_cast<int>(im::modality_of(self.value)); })
        .def_property_readonly("minutiae",
                               [](const Held& self) {
                                   return std::get<im::FingerTemplate>(self.value).minutiae.size();
                               })
        .def_property_readonly(
            "position",
            [](const Held& self) { return int{std::get<im::FingerTemplate>(self.value).position}; })
        .def_property_readonly(
            "quality",
            [](const Held& self) { return int{std::get<im::FingerTemplate>(self.value).quality}; })
        .def_property_readonly("rows", &rows_of)
        .def_property_readonly("dimension", [](const Held& self) {
            return std::get<im::FaceTemplate>(self.value).dimension;
        });
    m.def("finger_from_record", &finger_from_record);
    m.def("finger_from_rows", &finger_from_rows);
    m.def("iris_from_bytes", [](const py::bytes& code, const py::bytes& mask,
                                std::tuple<std::uint16_t, std::uint16_t, std::uint16_t> layout) {
        const auto [bands, rows, angles] = layout;
        return Held{im::iris_from_bytes(bytes_of(code), bytes_of(mask), {bands, rows, angles})};
    });
    m.def("face_from_vector", &face_from_vector);
    m.def("similarity", [](const Held& probe, const Held& reference, int iris_rotation) {
        const py::gil_scoped_release released;
        return im::similarity(probe.value, reference.value, iris_rotation);
    });
    m.def("fuse", [](int modality, const std::vector<float>& similarities) {
        return im::fuse(static_cast<im::Modality>(modality), similarities);
    });
}

}  // namespace

PYBIND11_MODULE(_native, m, py::mod_gil_not_used()) {
    if (const char* refused = im::refused_instruction_set()) {
        throw py::import_error(std::string("IDMESH_MATCHER_SET names no usable set: ") + refused);
    }
    py::register_exception_translator(&throw_in_python);
    m.attr("SEGMENT_LAYOUT") = im::kSegmentLayout;
    m.attr("KERNEL_SET") = im::name_of(im::instruction_set());
    bind_templates(m);
    bind_columns(m);
    bind_people(m);
    bind_roofs(m);
    bind_person_score(m);
    bind_synthetic(m);
}
