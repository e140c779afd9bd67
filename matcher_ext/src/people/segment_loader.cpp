#include "people/segment_loader.hpp"

#include <algorithm>
#include <new>

#include "idmesh/matcher/error.hpp"
#include "people/state.hpp"

namespace idmesh::matcher {

namespace {

[[noreturn]] void malformed(const char* field, const std::string& message) {
    throw MatcherError("SEGMENT_MALFORMED", field, message);
}

// The columns of which a plane is named.
SlotSet columns_of(std::span<const SegmentLoader::Described> planes) {
    SlotSet columns = 0;
    for (const auto& plane : planes) {
        const std::string column = plane.name.substr(0, plane.name.find('.'));
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
            columns |= SlotSet{column == name_of_slot(slot)} << slot;
        }
    }
    return columns;
}

}  // namespace

std::unique_ptr<SegmentLoader::State> SegmentLoader::State::make(
    std::shared_ptr<People::State> people, std::uint64_t number, std::size_t rows,
    std::span<const Described> planes) {
    if (rows == 0 || rows > kSegmentRows) {
        malformed("rows", "A segment has 1 to 4096 rows.");
    }
    auto made = std::make_unique<State>();
    const SlotSet columns = columns_of(planes);
    made->segment = people->store.make_segment(number, rows, columns);
    made->people = std::move(people);
    made->rows = rows;
    for (const auto& plane : made->segment->planes(rows, columns)) {
        const auto described = std::find_if(
            planes.begin(), planes.end(), [&](const auto& one) { return one.name == plane.name; });
        if (described == planes.end()) {
            malformed("planes", "The plane " + plane.name + " is missing.");
        }
        const bool fits = plane.most != 0 ? described->bytes <= plane.most
                                          : described->bytes == plane.bytes.size();
        if (!fits) {
            malformed("planes", "The plane " + plane.name + " is not as long as its rows.");
        }
        made->planes.push_back({plane.name, {plane.bytes.data(), described->bytes}});
        made->checksums.push_back(described->checksum);
    }
    if (made->planes.size() != planes.size()) {
        malformed("planes", "There is a plane that no segment has, or one twice.");
    }
    return made;
}

void SegmentLoader::State::finish(std::span<const std::uint8_t> dead) {
    if (finished) {
        malformed("segment", "The segment has been loaded, or refused.");
    }
    finished = true;
    for (std::size_t k = 0; k < planes.size(); ++k) {
        if (plane_checksum(planes[k].bytes) != checksums[k]) {
            malformed("checksum", "The plane " + planes[k].name + " is not what was saved.");
        }
    }
    if (!dead.empty() && dead.size() != (rows + 7) / 8) {
        malformed("dead", "There is not a bit for each row.");
    }
    segment->adopt(rows);
    const auto adopted = segment->planes(rows, segment->columns());
    for (std::size_t k = 0; k < planes.size(); ++k) {
        if (adopted[k].bytes.size() != planes[k].bytes.size()) {
            malformed("planes", "The plane " + planes[k].name + " is not as long as its rows.");
        }
    }
    for (std::size_t row = 0; row < rows && !dead.empty(); ++row) {
        if ((dead[row / 8] >> row % 8 & 1) != 0 && segment->alive(row, 0)) {
            segment->retire(row, 0);
        }
    }
    people->store.join(segment);
    segment->settle_rest();
}

SegmentLoader::SegmentLoader(std::unique_ptr<State> state) : state_(std::move(state)) {}
SegmentLoader::SegmentLoader(SegmentLoader&&) noexcept = default;
SegmentLoader::~SegmentLoader() = default;

const std::vector<SegmentLoader::NamedPlane>& SegmentLoader::planes() const noexcept {
    return state_->planes;
}

void SegmentLoader::finish(std::span<const std::uint8_t> dead) {
    try {
        state_->finish(dead);
    } catch (const std::bad_alloc&) {
        throw MatcherError("OUT_OF_MEMORY", "gallery", "The gallery has no room for more.");
    }
}

}  // namespace idmesh::matcher
