// Whatever the planes of a saved segment hold, it joins a gallery that can be searched, or is
// refused by name and the gallery stays empty. The checksums are right: what they catch needs no
// fuzzing.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "../tests/people.hpp"

namespace {

using namespace idmesh::matcher;

constexpr std::size_t kPeople = 3;

struct Saved {
    std::size_t rows = 0;
    std::vector<std::string> names;
    std::vector<std::vector<std::byte>> planes;
    Person probe;
};

PeopleOptions options() {
    PeopleOptions made;
    made.face_dimension = kFaceDimension;
    made.threads = 1;
    return made;
}

// Of people who have a finger, an iris and a face; one has no finger.
Saved saved() {
    std::mt19937 random(1);
    People people(options());
    Saved made;
    for (std::uint32_t number = 0; number < kPeople; ++number) {
        const Body body = a_body(random);
        const std::uint32_t what = (number == 1 ? 0U : 1U) | 1U << 10 | kFace;
        people.add(an_id(number), a_capture(body, random, what).templates());
        made.probe = a_capture(body, random, what);
    }
    for (const SealedSegment& segment : people.seal()) {
        made.rows = segment.rows;
        for (const auto& plane : segment.planes) {
            made.names.push_back(plane.name);
            made.planes.emplace_back(plane.bytes.begin(), plane.bytes.end());
        }
    }
    return made;
}

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// Four bytes are a change: of a byte of a plane, of its length, or of the number of rows.
void change(Saved& segment, const std::uint8_t* four) {
    auto& plane = segment.planes[four[0] % segment.planes.size()];
    const std::size_t at = four[1] | std::size_t{four[2]} << 8;
    if (four[0] >= 240) {
        segment.rows = at;
    } else if (four[0] >= 200) {
        plane.resize(at, static_cast<std::byte>(four[3]));
    } else if (!plane.empty()) {
        plane[at % plane.size()] = static_cast<std::byte>(four[3]);
    }
}

bool load(People& people, const Saved& segment) {
    std::vector<SegmentLoader::Described> described;
    for (std::size_t k = 0; k < segment.planes.size(); ++k) {
        const auto& plane = segment.planes[k];
        described.push_back({segment.names[k], plane.size(), plane_checksum(plane)});
    }
    try {
        SegmentLoader loader = people.load(1, segment.rows, described);
        for (const auto& plane : loader.planes()) {
            const auto at = std::find(segment.names.begin(), segment.names.end(), plane.name);
            const auto& bytes =
                segment.planes[static_cast<std::size_t>(at - segment.names.begin())];
            require(bytes.size() == plane.bytes.size());
            std::copy(bytes.begin(), bytes.end(), plane.bytes.begin());
        }
        loader.finish({});
        return true;
    } catch (const MatcherError& error) {
        require(error.reason() == "SEGMENT_MALFORMED" || error.reason() == "REFERENCE_EXISTS");
        require(!error.field().empty());
        return false;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Saved good = saved();
    Saved changed = good;
    for (std::size_t k = 0; k + 4 <= size; k += 4) {
        change(changed, data + k);
    }
    People people(options());
    if (!load(people, changed)) {
        require(people.size() == 0);
        return 0;
    }
    const auto templates = good.probe.templates();
    const PersonProbe probe = templates;
    const float least = -1e9F;
    PeopleSearch search;
    search.min_score = {&least, 1};
    for (const SearchKind kind : {SearchKind::cascade, SearchKind::exhaustive}) {
        search.kind = kind;
        for (const Answer& answer : people.identify({&probe, 1}, search)) {
            require(answer.candidates.size() <= people.size());
        }
    }
    // What was loaded is what would be saved.
    for (const SealedSegment& segment : people.seal()) {
        require(segment.rows == changed.rows);
        for (const auto& plane : segment.planes) {
            const auto at = std::find(changed.names.begin(), changed.names.end(), plane.name);
            const auto& bytes =
                changed.planes[static_cast<std::size_t>(at - changed.names.begin())];
            require(std::equal(bytes.begin(), bytes.end(), plane.bytes.begin(), plane.bytes.end()));
        }
    }
    return 0;
}
