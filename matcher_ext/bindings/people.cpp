// The gallery of people: converts, releases the GIL. No logic.
#include "idmesh/matcher/people.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>

#include "bindings.hpp"
#include "positioned.hpp"

namespace py = pybind11;
namespace im = idmesh::matcher;

namespace {

using ComparisonRow = std::tuple<int, int, int, float, float>;
using CandidateRow = std::tuple<py::bytes, float, std::vector<ComparisonRow>>;
using AnswerRow = std::tuple<std::vector<CandidateRow>, std::uint64_t, bool, float>;

struct Cancel {
    std::atomic<bool> cancelled{false};
};

// One plane of a segment, to Python a buffer that keeps the memory alive.
struct SavedPlane {
    std::span<const std::byte> bytes;
    std::shared_ptr<const im::PeopleSegment> held;
};

struct Loading {
    explicit Loading(im::SegmentLoader&& made) : loader(std::move(made)) {}
    im::SegmentLoader loader;
};

struct LoadingPlane {
    std::span<std::byte> bytes;
    std::shared_ptr<Loading> held;
};

template <typename Bytes>
py::buffer_info buffer_of(std::span<Bytes> bytes, bool readonly) {
    return py::buffer_info(const_cast<void*>(static_cast<const void*>(bytes.data())), 1,
                           py::format_descriptor<std::uint8_t>::format(), 1,
                           {static_cast<py::ssize_t>(bytes.size())}, {py::ssize_t{1}}, readonly);
}

std::vector<ComparisonRow> to_rows(const im::PersonComparison& comparison) {
    std::vector<ComparisonRow> rows;
    rows.reserve(comparison.comparisons.size());
    for (const im::PositionComparison& one : comparison.comparisons) {
        rows.emplace_back(static_cast<int>(one.modality), one.probe_position, one.position,
                          one.similarity, one.llr);
    }
    return rows;
}

AnswerRow to_row(const im::Answer& answer) {
    std::vector<CandidateRow> candidates;
    for (const im::PersonCandidate& one : answer.candidates) {
        candidates.emplace_back(to_bytes(one.reference_id), one.comparison.score,
                                to_rows(one.comparison));
    }
    return {std::move(candidates), answer.searched, answer.exact, answer.loss_bound};
}

std::vector<AnswerRow> identify(const im::People& self,
                                const std::vector<std::vector<Positioned>>& probes,
                                std::size_t max_candidates, const std::vector<float>& min_score,
                                const std::optional<std::vector<py::bytes>>& among, int kind,
                                int positions, std::optional<double> deadline_s,
                                const Cancel* cancel) {
    std::vector<std::vector<im::PositionedTemplate>> positioned;
    std::transform(probes.begin(), probes.end(), std::back_inserter(positioned), positioned_of);
    im::PeopleSearch search;
    search.max_candidates = max_candidates;
    search.min_score = min_score;
    search.kind = static_cast<im::SearchKind>(kind);
    search.positions = static_cast<im::Positions>(positions);
    search.cancelled = cancel != nullptr ? &cancel->cancelled : nullptr;
    if (deadline_s) {
        search.deadline = std::chrono::steady_clock::now() +
                          std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                              std::chrono::duration<double>(*deadline_s));
    }
    if (among) {
        search.among.emplace();
        std::transform(among->begin(), among->end(), std::back_inserter(*search.among),
                       reference_id_of);
    }
    std::vector<im::Answer> answers;
    {
        const py::gil_scoped_release released;
        const std::vector<im::PersonProbe> given(positioned.begin(), positioned.end());
        answers = self.identify(given, search);
    }
    std::vector<AnswerRow> rows;
    std::transform(answers.begin(), answers.end(), std::back_inserter(rows), to_row);
    return rows;
}

py::list seal(im::People& self) {
    std::vector<im::SealedSegment> segments;
    {
        const py::gil_scoped_release released;
        segments = self.seal();
    }
    py::list made;
    for (const im::SealedSegment& one : segments) {
        py::dict planes;
        for (const auto& plane : one.planes) {
            planes[py::str(plane.name)] =
                py::memoryview(py::cast(SavedPlane{plane.bytes, one.held}));
        }
        const py::bytes dead(reinterpret_cast<const char*>(one.dead.data()), one.dead.size());
        made.append(py::make_tuple(one.number, one.rows, planes, dead));
    }
    return made;
}

std::shared_ptr<Loading> load(
    im::People& self, std::uint64_t number, std::size_t rows,
    const std::vector<std::tuple<std::string, std::size_t, std::uint64_t>>& planes) {
    std::vector<im::SegmentLoader::Described> described;
    for (const auto& [name, bytes, checksum] : planes) {
        described.push_back({name, bytes, checksum});
    }
    const py::gil_scoped_release released;
    return std::make_shared<Loading>(self.load(number, rows, described));
}

py::dict planes_of(const std::shared_ptr<Loading>& self) {
    py::dict planes;
    for (const auto& plane : self->loader.planes()) {
        planes[py::str(plane.name)] = py::memoryview(py::cast(LoadingPlane{plane.bytes, self}));
    }
    return planes;
}

void bind_segments(py::module_& m) {
    py::class_<SavedPlane>(m, "_SavedPlane", py::buffer_protocol())
        .def_buffer([](SavedPlane& self) { return buffer_of(self.bytes, true); });
    py::class_<LoadingPlane>(m, "_LoadingPlane", py::buffer_protocol())
        .def_buffer([](LoadingPlane& self) { return buffer_of(self.bytes, false); });
    py::class_<Loading, std::shared_ptr<Loading>>(m, "SegmentLoader")
        .def("planes", &planes_of)
        .def("finish", [](Loading& self, const py::bytes& dead) {
            const auto bits = bytes_of(dead);
            const py::gil_scoped_release released;
            self.loader.finish(bits);
        });
    m.def("plane_checksum", [](const py::buffer& plane) {
        const py::buffer_info bytes = plane.request();
        if (bytes.itemsize != 1 || bytes.ndim != 1 || bytes.strides[0] != 1) {
            throw im::MatcherError("DTYPE_MISMATCH", "plane", "A plane is contiguous bytes.");
        }
        const auto* start = static_cast<const std::byte*>(bytes.ptr);
        const py::gil_scoped_release released;
        return im::plane_checksum({start, static_cast<std::size_t>(bytes.size)});
    });
}

std::unique_ptr<im::People> make_people(
    std::size_t face_dimension,
    const std::tuple<std::uint16_t, std::uint16_t, std::uint16_t>& iris_layout, int iris_rotation,
    std::size_t threads, std::size_t max_bytes) {
    im::PeopleOptions options;
    options.face_dimension = face_dimension;
    const auto [bands, rows, angles] = iris_layout;
    options.iris_layout = {bands, rows, angles};
    options.iris_rotation = iris_rotation;
    options.threads = threads;
    options.max_bytes = max_bytes;
    return std::make_unique<im::People>(options);
}

}  // namespace

void bind_people(py::module_& m) {
    py::class_<Cancel>(m, "Cancel").def(py::init<>()).def("set", [](Cancel& self) {
        self.cancelled.store(true, std::memory_order_relaxed);
    });
    bind_segments(m);
    py::class_<im::People>(m, "People")
        .def(py::init(&make_people))
        .def("add",
             [](im::People& self, const py::bytes& reference_id,
                const std::vector<Positioned>& templates) {
                 const auto id = reference_id_of(reference_id);
                 const auto positioned = positioned_of(templates);
                 const py::gil_scoped_release released;
                 self.add(id, positioned);
             })
        .def("remove",
             [](im::People& self, const py::bytes& reference_id) {
                 const auto id = reference_id_of(reference_id);
                 const py::gil_scoped_release released;
                 return self.remove(id);
             })
        .def("contains",
             [](const im::People& self, const py::bytes& reference_id) {
                 return self.contains(reference_id_of(reference_id));
             })
        .def("size", &im::People::size)
        .def("identify", &identify)
        .def("verify",
             [](const im::People& self, const py::bytes& reference_id,
                const std::vector<Positioned>& probe, int positions) {
                 const auto id = reference_id_of(reference_id);
                 const auto positioned = positioned_of(probe);
                 im::PersonComparison made;
                 {
                     const py::gil_scoped_release released;
                     made = self.verify(id, positioned, static_cast<im::Positions>(positions));
                 }
                 return std::make_tuple(made.score, to_rows(made));
             })
        .def("seal", &seal)
        .def("load", &load)
        .def("stats", [](const im::People& self) {
            const im::PeopleStats made = self.stats();
            return std::make_tuple(made.people, made.rows, made.dead, made.segments,
                                   made.resident_bytes, made.locked_bytes);
        });
}
