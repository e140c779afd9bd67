// The columns themselves, one position of many people: for measurements, and for comparing all
// templates of a collection with each other.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <tuple>

#include "bindings.hpp"
#include "held.hpp"
#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/face_column.hpp"
#include "idmesh/matcher/finger_column.hpp"
#include "idmesh/matcher/iris_column.hpp"

namespace py = pybind11;
namespace im = idmesh::matcher;

namespace {

using Vectors = py::array_t<float, py::array::c_style>;

[[noreturn]] void full() {
    throw im::MatcherError("OUT_OF_MEMORY", "rows", "The column has no room for more rows.");
}

template <typename Kind>
const Kind& as(const Held& held) {
    const Kind* found = std::get_if<Kind>(&held.value);
    if (found == nullptr) {
        throw im::MatcherError("MODALITY_MISMATCH", "template",
                               "The template is not of the column's modality.");
    }
    return *found;
}

class Faces {
  public:
    Faces(std::size_t capacity, std::size_t dimension) : column_(capacity, dimension) {}

    // Adds vectors, shape (n, dimension).
    void extend(const Vectors& vectors) {
        const std::vector<im::FaceTemplate> made = templates(vectors);
        if (made.size() > column_.capacity() - rows_) {
            full();
        }
        const py::gil_scoped_release released;
        for (const im::FaceTemplate& one : made) {
            column_.put(rows_++, one);
        }
    }

    void settle() { column_.settle(rows_); }
    std::size_t bytes() const { return column_.bytes(rows_); }

    std::vector<std::vector<std::pair<std::size_t, float>>> nearest(const Vectors& vectors,
                                                                    std::size_t count,
                                                                    float least_cosine) const {
        const std::vector<im::FaceTemplate> made = templates(vectors);
        std::vector<const im::FaceTemplate*> given;
        for (const im::FaceTemplate& one : made) {
            given.push_back(&one);
        }
        std::vector<std::vector<std::pair<std::size_t, float>>> out;
        const py::gil_scoped_release released;
        const im::FaceProbes probes(given, column_.dimension());
        for (const auto& of_probe :
             im::nearest_faces(column_, rows_, probes, count, least_cosine)) {
            auto& list = out.emplace_back();
            for (const im::FaceNeighbour& one : of_probe) {
                list.emplace_back(one.row, one.cosine);
            }
        }
        return out;
    }

  private:
    std::vector<im::FaceTemplate> templates(const Vectors& vectors) const {
        const auto rows = vectors.unchecked<2>();
        const auto width = static_cast<std::size_t>(rows.shape(1));
        if (width != column_.dimension()) {
            throw im::MatcherError("DIMENSION_MISMATCH", "vectors",
                                   "The vectors are not of the column's dimension.");
        }
        std::vector<im::FaceTemplate> made;
        for (py::ssize_t k = 0; k < rows.shape(0); ++k) {
            made.push_back(im::face_from_vector({rows.data(k, 0), width}));
        }
        return made;
    }

    im::FaceColumn column_;
    std::size_t rows_ = 0;
};

class Irises {
  public:
    explicit Irises(std::size_t capacity) : column_(capacity), capacity_(capacity) {}

    void extend(const std::vector<const Held*>& templates) {
        if (templates.size() > capacity_ - rows_) {
            full();
        }
        for (const Held* one : templates) {
            column_.put(rows_, of_layout(*one));
            ++rows_;
        }
    }

    void settle() { column_.settle(rows_); }
    std::size_t bytes() const { return column_.bytes(rows_); }

    // A word for each row: bit q where it may reach the least similarity of probe q.
    py::array_t<std::uint64_t> gate(const std::vector<const Held*>& given, int rotation,
                                    float least_similarity, bool two_stage) const {
        const im::IrisProbes probes = ready(given, rotation, least_similarity);
        py::array_t<std::uint64_t> hits(static_cast<py::ssize_t>(rows_));
        std::uint64_t* out = hits.mutable_data();
        const im::IrisView view = column_.view();
        const py::gil_scoped_release released;
        view.gate(0, rows_, probes, two_stage ? im::IrisGate::two_stage : im::IrisGate::lossless,
                  out);
        return hits;
    }

    // Of every row with each probe, exact. Shape (probes, rows).
    py::array_t<float> similarities(const std::vector<const Held*>& given, int rotation) const {
        const im::IrisProbes probes = ready(given, rotation, 0.0F);
        py::array_t<float> made({given.size(), rows_});
        float* out = made.mutable_data();
        const im::IrisView view = column_.view();
        const py::gil_scoped_release released;
        for (std::size_t q = 0; q < given.size(); ++q) {
            for (std::size_t row = 0; row < rows_; ++row) {
                *out++ = view.similarity(row, probes, q);
            }
        }
        return made;
    }

  private:
    static const im::IrisTemplate& of_layout(const Held& held) {
        const auto& iris = as<im::IrisTemplate>(held);
        if (iris.layout != im::kDefaultIrisLayout) {
            throw im::MatcherError("DIMENSION_MISMATCH", "template",
                                   "The iris code is not of the column's layout.");
        }
        return iris;
    }

    static im::IrisProbes ready(const std::vector<const Held*>& given, int rotation, float least) {
        std::vector<const im::IrisTemplate*> templates;
        for (const Held* one : given) {
            templates.push_back(&of_layout(*one));
        }
        const std::vector<float> leasts(given.size(), least);
        return im::IrisProbes(templates, rotation, leasts);
    }

    im::IrisColumn column_;
    std::size_t capacity_;
    std::size_t rows_ = 0;
};

class Fingers {
  public:
    explicit Fingers(std::size_t capacity) : column_(capacity), capacity_(capacity) {}

    void extend(const std::vector<const Held*>& templates) {
        if (templates.size() > capacity_ - rows_) {
            full();
        }
        for (const Held* one : templates) {
            column_.put(rows_, as<im::FingerTemplate>(*one));
            ++rows_;
        }
    }

    void settle() { column_.settle(rows_); }
    std::size_t bytes() const { return column_.bytes(rows_); }

    // Stage 1: a score for each row.
    py::array_t<std::uint16_t> scan(const Held& given) const {
        const im::FingerProbe probe(as<im::FingerTemplate>(given));
        py::array_t<std::uint16_t> scores(static_cast<py::ssize_t>(rows_));
        std::uint16_t* out = scores.mutable_data();
        const py::gil_scoped_release released;
        column_.scan(0, rows_, probe, out);
        return scores;
    }

    // Between them: how promising it is to compare these rows.
    py::array_t<float> refine(
        const Held& given,
        const py::array_t<std::uint32_t, py::array::c_style | py::array::forcecast>& rows) const {
        return each(&im::FingerColumn::refine, given, rows);
    }

    // Stage 2: similarities of these rows.
    py::array_t<float> compare(
        const Held& given,
        const py::array_t<std::uint32_t, py::array::c_style | py::array::forcecast>& rows) const {
        return each(&im::FingerColumn::compare, given, rows);
    }

  private:
    using OfRow = float (im::FingerColumn::*)(std::size_t, const im::FingerProbe&) const noexcept;

    py::array_t<float> each(
        OfRow measure, const Held& given,
        const py::array_t<std::uint32_t, py::array::c_style | py::array::forcecast>& rows) const {
        const im::FingerProbe probe(as<im::FingerTemplate>(given));
        const auto wanted = rows.unchecked<1>();
        py::array_t<float> similarities(wanted.shape(0));
        float* out = similarities.mutable_data();
        const py::gil_scoped_release released;
        for (py::ssize_t k = 0; k < wanted.shape(0); ++k) {
            if (wanted(k) >= rows_) {
                throw im::MatcherError("VALUE_OUT_OF_RANGE", "rows", "There is no such row.");
            }
            out[k] = (column_.*measure)(wanted(k), probe);
        }
        return similarities;
    }

    im::FingerColumn column_;
    std::size_t capacity_;
    std::size_t rows_ = 0;
};

}  // namespace

void bind_columns(py::module_& m) {
    py::class_<Faces>(m, "Faces")
        .def(py::init<std::size_t, std::size_t>())
        .def("extend", &Faces::extend)
        .def("settle", &Faces::settle)
        .def("bytes", &Faces::bytes)
        .def("nearest", &Faces::nearest);
    py::class_<Irises>(m, "Irises")
        .def(py::init<std::size_t>())
        .def("extend", &Irises::extend)
        .def("settle", &Irises::settle)
        .def("bytes", &Irises::bytes)
        .def("gate", &Irises::gate)
        .def("similarities", &Irises::similarities);
    py::class_<Fingers>(m, "Fingers")
        .def(py::init<std::size_t>())
        .def("extend", &Fingers::extend)
        .def("settle", &Fingers::settle)
        .def("bytes", &Fingers::bytes)
        .def("scan", &Fingers::scan)
        .def("refine", &Fingers::refine)
        .def("compare", &Fingers::compare);
    m.def("finger_shares", [](std::size_t minutiae) {
        const im::FingerShares shares = im::finger_shares(minutiae);
        return py::make_tuple(shares.trusted, shares.refined, shares.compared);
    });
}
