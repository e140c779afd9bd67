// Templates with their positions, and ids, as Python gives them.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "held.hpp"
#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/reference.hpp"

using Positioned = std::pair<std::uint8_t, const Held*>;

inline std::span<const std::uint8_t> bytes_of(const pybind11::bytes& bytes) {
    const auto view = static_cast<std::string_view>(bytes);
    return {reinterpret_cast<const std::uint8_t*>(view.data()), view.size()};
}

inline idmesh::matcher::ReferenceId reference_id_of(const pybind11::bytes& bytes) {
    const auto view = bytes_of(bytes);
    idmesh::matcher::ReferenceId id{};
    if (view.size() != id.size()) {
        throw idmesh::matcher::MatcherError("REFERENCE_ID_MALFORMED", "reference_id",
                                            "A reference id has 16 bytes.");
    }
    std::copy(view.begin(), view.end(), id.begin());
    return id;
}

inline pybind11::bytes to_bytes(const idmesh::matcher::ReferenceId& id) {
    return {reinterpret_cast<const char*>(id.data()), id.size()};
}

inline std::vector<idmesh::matcher::PositionedTemplate> positioned_of(
    const std::vector<Positioned>& given) {
    std::vector<idmesh::matcher::PositionedTemplate> made;
    made.reserve(given.size());
    for (const auto& [position, held] : given) {
        made.push_back({position, &held->value});
    }
    return made;
}
