#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <thread>

#include "../src/people/checksum.hpp"
#include "people.hpp"

using namespace idmesh::matcher;

namespace {

std::atomic<long> allocations_left{-1};  // until one is refused; below 0: none is

}  // namespace

// Not inlined: the compiler would see new and free, and take them for a mistake.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    if (allocations_left >= 0 && allocations_left-- == 0) {
        throw std::bad_alloc();
    }
    if (void* made = std::malloc(bytes)) {
        return made;
    }
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

PeopleOptions options(std::size_t max_bytes = 0) {
    PeopleOptions made;
    made.face_dimension = kFaceDimension;
    made.threads = 2;
    made.max_bytes = max_bytes;
    return made;
}

// Cheap to make, to add and to search.
std::vector<Person> some_faces(std::mt19937& random, std::size_t count) {
    std::vector<Person> made(count);
    for (Person& one : made) {
        one.give(0, a_gaussian_face(random, kFaceDimension));
    }
    return made;
}

Answer identify(const People& people, const Person& probe, std::size_t most = 1,
                SearchKind kind = SearchKind::exhaustive) {
    const auto templates = probe.templates();
    const PersonProbe given[] = {templates};
    const float least[] = {-1e9F};
    PeopleSearch search;
    search.max_candidates = most;
    search.min_score = least;
    search.kind = kind;
    return people.identify(given, search)[0];
}

bool finds(const People& people, const Person& probe, std::uint32_t id) {
    const Answer answer = identify(people, probe);
    return !answer.candidates.empty() && answer.candidates[0].reference_id == an_id(id);
}

void segments_are_closed_compacted_and_everybody_stays() {
    std::mt19937 random(1);
    People people(options());
    const Body body = a_body(random);
    std::vector<Person> all;
    for (std::uint32_t k = 0; k < 100; ++k) {
        // Each with other columns.
        const std::uint32_t what = random() & kEverything;
        all.push_back(a_capture(body, random, what != 0 ? what : kFace));
        people.add(an_id(k), all.back().templates());
        if (k % 30 == 29) {
            people.seal();
        }
    }
    CHECK(people.stats().segments == 4);
    std::map<std::uint32_t, PersonComparison> before;
    const Person probe = a_capture(body, random);
    const auto templates = probe.templates();
    for (std::uint32_t k = 0; k < 100; ++k) {
        before[k] = people.verify(an_id(k), templates, Positions::given);
    }
    for (std::uint32_t k = 0; k < 60; ++k) {
        if (k % 4 == 0) {
            CHECK(people.remove(an_id(k)) && !people.remove(an_id(k)));
            before.erase(k);
        }
    }
    const PeopleStats stats = people.stats();
    CHECK(stats.people == before.size() && people.size() == before.size());
    CHECK(stats.segments == 2);  // two were compacted into the open one
    CHECK(stats.rows == stats.people + stats.dead);
    for (const auto& [k, expected] : before) {
        const PersonComparison now = people.verify(an_id(k), templates, Positions::given);
        CHECK(now.score == expected.score);
        CHECK(now.comparisons.size() == expected.comparisons.size());
    }
    CHECK(identify(people, probe, 1000).candidates.size() <= before.size());
    CHECK(identify(people, probe).searched == before.size());
}

void a_search_sees_one_moment_while_people_come_and_go() {
    std::mt19937 random(2);
    People people(options());
    const Body body = a_body(random);
    const Person left = a_capture(body, random, 3U | kFace | kIrises);
    const auto templates = left.templates();
    for (std::uint32_t k = 0; k < 20; ++k) {
        people.add(an_id(k), templates);  // these stay
    }
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
        for (std::uint32_t k = 0; k < 400; ++k) {
            people.add(an_id(1000 + k), templates);
            if (k >= 5) {
                CHECK(people.remove(an_id(1000 + k - 5)));
            }
            if (k % 40 == 39) {
                people.seal();
            }
        }
        done = true;
    });
    for (int reader = 0; reader < 2; ++reader) {
        threads.emplace_back([&] {
            while (!done) {
                const Answer answer = identify(people, left, 100);
                std::set<ReferenceId> ids;
                for (const PersonCandidate& found : answer.candidates) {
                    ids.insert(found.reference_id);
                    CHECK(found.comparison.comparisons.size() == 5);
                }
                CHECK(ids.size() == answer.candidates.size() && ids.size() == answer.searched);
                CHECK(ids.size() >= 20 && ids.size() <= 26 && ids.contains(an_id(7)));
                refused([&] { people.verify(an_id(1003), templates, Positions::given); });
                people.stats();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(people.size() == 25);
}

void a_full_gallery_refuses_and_goes_on() {
    std::mt19937 random(3);
    const std::vector<Person> faces = some_faces(random, 200);
    People people(options(60'000));
    std::uint32_t added = 0;
    std::string reason;
    while (added < faces.size()) {
        reason = refused([&] { people.add(an_id(added), faces[added].templates()); });
        if (!reason.empty()) {
            break;
        }
        ++added;
    }
    CHECK(reason == "OUT_OF_MEMORY" && added > 100 && people.size() == added);
    CHECK(people.stats().resident_bytes <= 60'000);
    CHECK(!people.contains(an_id(added)) && finds(people, faces[17], 17));
    for (std::uint32_t k = 0; k < added; ++k) {
        people.remove(an_id(k));
    }
    CHECK(people.size() == 0);
    CHECK(people.seal().empty() && people.stats().resident_bytes == 0);
    people.add(an_id(2), faces[2].templates());
    CHECK(finds(people, faces[2], 2));
}

// Whichever allocation fails, the person is in whole or not at all.
void an_allocation_that_fails_changes_nothing() {
    std::mt19937 random(4);
    People people(options());
    const Body body = a_body(random);
    const Person stays = a_capture(body, random);
    people.add(an_id(1), stays.templates());
    std::uint32_t refusals = 0;
    for (std::uint32_t k = 0; k < 60; ++k) {
        const Person person = a_capture(body, random, (random() & kEverything & ~kFace) | 1U);
        const auto templates = person.templates();
        const std::size_t before = people.size();
        allocations_left = static_cast<long>(k % 12);
        const std::string reason = refused([&] {
            try {
                people.add(an_id(100 + k), templates);
            } catch (const std::bad_alloc&) {
                throw MatcherError("OUT_OF_MEMORY", "", "");
            }
        });
        allocations_left = -1;
        refusals += !reason.empty();
        CHECK(reason.empty() || reason == "OUT_OF_MEMORY");
        CHECK(people.contains(an_id(100 + k)) == reason.empty());
        CHECK(people.size() == before + reason.empty());
        CHECK(identify(people, stays, 100).searched == people.size());
        if (reason.empty()) {
            CHECK(people.verify(an_id(100 + k), templates, Positions::given).comparisons.size() ==
                  templates.size());
        } else {
            people.add(an_id(100 + k), templates);
        }
    }
    CHECK(refusals >= 10);
}

struct Saved {
    std::uint64_t number;
    std::size_t rows;
    std::map<std::string, std::vector<std::byte>> planes;
    std::vector<std::uint8_t> dead;
};

std::vector<Saved> saved(People& people) {
    std::vector<Saved> made;
    for (const SealedSegment& segment : people.seal()) {
        Saved one{segment.number, segment.rows, {}, segment.dead};
        for (const auto& plane : segment.planes) {
            one.planes[plane.name].assign(plane.bytes.begin(), plane.bytes.end());
        }
        made.push_back(std::move(one));
    }
    return made;
}

void load(People& people, const Saved& segment) {
    std::vector<SegmentLoader::Described> described;
    for (const auto& [name, bytes] : segment.planes) {
        described.push_back({name, bytes.size(), plane_checksum(bytes)});
    }
    SegmentLoader loader = people.load(segment.number, segment.rows, described);
    for (const auto& plane : loader.planes()) {
        const auto& bytes = segment.planes.at(plane.name);
        std::copy(bytes.begin(), bytes.end(), plane.bytes.begin());
    }
    loader.finish(segment.dead);
}

std::vector<Saved> a_saved_town(std::mt19937& random, const Body& body, People& people) {
    for (std::uint32_t k = 0; k < 50; ++k) {
        const std::uint32_t what = random() & kEverything;
        people.add(an_id(k), a_capture(body, random, what != 0 ? what : kFace).templates());
        if (k == 33) {
            people.seal();
        }
    }
    for (std::uint32_t k = 3; k < 40; k += 11) {
        people.remove(an_id(k));
    }
    return saved(people);
}

void what_was_saved_is_loaded() {
    std::mt19937 random(5);
    const Body body = a_body(random);
    People people(options());
    const std::vector<Saved> segments = a_saved_town(random, body, people);
    CHECK(segments.size() == 2);
    People again(options());
    for (const Saved& one : segments) {
        load(again, one);
        CHECK(refused([&] { load(again, one); }) == "SEGMENT_MALFORMED");  // the number
        Saved renumbered = one;
        renumbered.number += 100;
        CHECK(refused([&] { load(again, renumbered); }) == "REFERENCE_EXISTS");
    }
    CHECK(again.size() == people.size());
    const Person probe = a_capture(body, random);
    const Answer before = identify(people, probe, 100);
    const Answer after = identify(again, probe, 100);
    CHECK(before.searched == after.searched && before.searched == 46);
    CHECK(before.candidates.size() == after.candidates.size());
    for (std::size_t k = 0; k < before.candidates.size(); ++k) {
        CHECK(before.candidates[k].reference_id == after.candidates[k].reference_id);
        CHECK(before.candidates[k].comparison.score == after.candidates[k].comparison.score);
    }
    // What is loaded is compacted, and numbers go on.
    again.add(an_id(3), probe.templates());
    for (std::uint32_t k = 4; k < 25; ++k) {
        again.remove(an_id(k));
    }
    CHECK(again.stats().rows <= again.size() + 40);
    for (const Saved& one : saved(again)) {
        CHECK(one.number != segments[0].number);
    }
}

// Fields, sizes and bytes changed at random: refused, or harmless; never a crash.
void a_hostile_segment_is_refused() {
    std::mt19937 random(6);
    const Body body = a_body(random);
    const Person probe = a_capture(body, random);
    People people(options());
    const Saved good = a_saved_town(random, body, people)[0];
    std::uint32_t refusals = 0;
    for (std::uint32_t round = 0; round < 300; ++round) {
        People other(options());
        Saved bad = good;
        auto plane = bad.planes.begin();
        std::advance(plane, random() % bad.planes.size());
        switch (random() % 6) {
            case 0:
                bad.rows = random() % 3 == 0 ? 0 : random() % 10000;
                break;
            case 1:
                bad.planes.erase(plane);
                break;
            case 2:
                plane->second.resize(random() % (2 * plane->second.size() + 1));
                break;
            case 3:
                bad.planes[plane->first + "x"] = {};
                break;
            case 4:
                bad.dead.resize(random() % 20);
                break;
            default:
                for (int k = 0; k < 20; ++k) {
                    plane->second[random() % plane->second.size()] = std::byte(random());
                }
                break;
        }
        const std::string reason = refused([&] { load(other, bad); });
        CHECK(reason.empty() || reason == "SEGMENT_MALFORMED" || reason == "REFERENCE_EXISTS");
        CHECK(reason.empty() || other.size() == 0);
        refusals += !reason.empty();
        identify(other, probe, 10,
                 random() % 2 == 0 ? SearchKind::cascade : SearchKind::exhaustive);
    }
    CHECK(refusals > 100);
    for (const auto& [name, bytes] : good.planes) {
        if (name.ends_with(".others") && !bytes.empty()) {
            Saved bad = good;
            bad.planes[name].resize(bytes.size() - 4);  // less than the counts say
            People other(options());
            CHECK(refused([&] { load(other, bad); }) == "SEGMENT_MALFORMED" && other.size() == 0);
        }
    }
    People other(options());
    std::vector<SegmentLoader::Described> described;
    for (const auto& [name, bytes] : good.planes) {
        described.push_back({name, bytes.size(), plane_checksum(bytes) ^ 1});
    }
    SegmentLoader loader = other.load(good.number, good.rows, described);
    CHECK(refused([&] { loader.finish({}); }) == "SEGMENT_MALFORMED");
    CHECK(refused([&] { loader.finish({}); }) == "SEGMENT_MALFORMED" && other.size() == 0);
}

void checksums_see_every_bit() {
    std::mt19937 random(7);
    // RFC 3720, B.4: 32 bytes of zeros have 0xAA36918A.
    std::uint32_t crc = ~0U;
    for (int word = 0; word < 4; ++word) {
        crc = crc32c_word_serial(crc, 0);
    }
    CHECK(~crc == 0x8A9136AAU);
    std::set<std::uint64_t> seen;
    for (std::size_t bytes = 0; bytes < 200; ++bytes) {
        std::vector<std::byte> plane(bytes);
        CHECK(seen.insert(plane_checksum(plane)).second);
        for (std::byte& one : plane) {
            one = std::byte(random());
        }
        const std::uint64_t sum = plane_checksum(plane);
        CHECK(sum == plane_checksum_serial(plane));
        for (std::size_t bit = 0; bit < 8 * bytes; ++bit) {
            plane[bit / 8] ^= std::byte(1U << bit % 8);
            CHECK(plane_checksum(plane) != sum);
            plane[bit / 8] ^= std::byte(1U << bit % 8);
        }
    }
}

}  // namespace

int main() {
    segments_are_closed_compacted_and_everybody_stays();
    a_search_sees_one_moment_while_people_come_and_go();
    a_full_gallery_refuses_and_goes_on();
    an_allocation_that_fails_changes_nothing();
    what_was_saved_is_loaded();
    a_hostile_segment_is_refused();
    checksums_see_every_bit();
}
