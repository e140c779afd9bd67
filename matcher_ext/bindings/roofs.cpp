#include "idmesh/matcher/roofs.hpp"

#include "bindings.hpp"

namespace py = pybind11;
namespace im = idmesh::matcher;

void bind_roofs(py::module_& m) {
    m.def("measure_roofs", [](std::size_t buffer_bytes) {
        im::Roofs found{};
        {
            const py::gil_scoped_release released;
            found = im::measure_roofs(buffer_bytes);
        }
        return py::make_tuple(found.read_bytes_per_s, found.bits_per_s, found.products_per_s);
    });
}
