#include <atomic>
#include <thread>

#include "check.hpp"
#include "idmesh/matcher/gallery.hpp"

using namespace idmesh::matcher;

namespace {

ReferenceId an_id(std::uint32_t number) {
    ReferenceId id{};
    for (std::size_t k = 0; k < 4; ++k) {
        id[15 - k] = static_cast<std::uint8_t>(number >> 8 * k);
    }
    return id;
}

Template a_face(std::mt19937& random, std::size_t dimension) {
    std::normal_distribution<float> normal;
    std::vector<float> vector(dimension);
    for (float& value : vector) {
        value = normal(random);
    }
    return face_from_vector(vector);
}

bool same(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Candidate& x, const Candidate& y) {
                          return x.reference_id == y.reference_id && x.similarity == y.similarity;
                      });
}

void a_search_finds_the_same_on_any_number_of_threads() {
    std::mt19937 random(1);
    Gallery gallery(Modality::face, 64, 0);
    std::vector<Template> faces;
    for (std::uint32_t k = 0; k < 5000; ++k) {
        faces.push_back(k % 7 == 6 ? faces.back() : a_face(random, 64));  // ties
        const PositionedTemplate one{0, &faces.back()};
        gallery.add(an_id(k * 2654435761U), {&one, 1});
    }
    for (const std::size_t most : {1, 3, 20, 6000}) {
        const PositionedTemplate probe{0, &faces[5]};
        Search search;
        search.max_candidates = most;
        const auto alone = gallery.identify({&probe, 1}, search);
        CHECK(alone.size() == std::min<std::size_t>(most, 5000));
        CHECK(alone[0].similarity > 0.999F);
        search.threads = 4;
        CHECK(same(alone, gallery.identify({&probe, 1}, search)));
    }
}

// References that are written over and over, and removed: segments are tidied up and let go.
void changes_keep_every_reference_searchable() {
    std::mt19937 random(2);
    Gallery gallery(Modality::finger, 0, 0);
    std::vector<Template> fingers;
    for (int k = 0; k < 4; ++k) {
        fingers.emplace_back(to_template(a_finger(random)));
    }
    for (std::uint32_t round = 0; round < 3; ++round) {
        for (std::uint32_t k = 0; k < 600; ++k) {
            for (std::uint8_t p = 1; p <= 4; ++p) {
                const PositionedTemplate one{p, &fingers[p - 1]};
                gallery.add(an_id(k), {&one, 1});
            }
        }
        CHECK(gallery.templates() == 2400 && gallery.references() == 600);
        for (const std::uint32_t k : {0U, 299U, 599U}) {
            CHECK(gallery.verify(an_id(k), {3, &fingers[2]}) > 0.95F);
        }
        const PositionedTemplate again{2, &fingers[1]};
        CHECK(refused([&] { gallery.add(an_id(7), {&again, 1}); }) == "REFERENCE_EXISTS");
        for (std::uint32_t k = 0; k < 600; ++k) {
            CHECK(gallery.remove(an_id(k)) == 4);
        }
        CHECK(gallery.templates() == 0 && gallery.remove(an_id(0)) == 0);
    }
}

void a_search_sees_all_of_a_reference_or_nothing() {
    std::mt19937 random(3);
    Gallery gallery(Modality::finger, 0, 0);
    const Template left = to_template(a_finger(random, 20));
    const Template right = to_template(a_finger(random, 20));
    const PositionedTemplate both[] = {{1, &left}, {6, &right}};
    std::atomic<bool> done{false};
    std::jthread writer([&] {
        for (std::uint32_t k = 0; k < 600; ++k) {
            gallery.add(an_id(k % 50), both);
            gallery.remove(an_id(k % 50));
            gallery.add(an_id(1000 + k), both);
        }
        done = true;
    });
    std::vector<std::jthread> readers;
    for (int k = 0; k < 2; ++k) {
        readers.emplace_back([&] {
            Search search;
            search.max_candidates = 100;
            search.threads = 2;
            while (!done) {
                for (const Candidate& found : gallery.identify(both, search)) {
                    CHECK(found.by_position.size() == 2);
                }
                refused([&] { gallery.verify(an_id(3), both[0]); });
            }
        });
    }
}

void a_deadline_gives_no_part_of_an_answer() {
    std::mt19937 random(4);
    Gallery gallery(Modality::face, 16, 0);
    const Template face = a_face(random, 16);
    const PositionedTemplate one{0, &face};
    gallery.add(an_id(1), {&one, 1});
    Search search;
    search.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    CHECK(refused([&] { gallery.identify({&one, 1}, search); }) == "DEADLINE_EXCEEDED");
}

}  // namespace

int main() {
    a_search_finds_the_same_on_any_number_of_threads();
    changes_keep_every_reference_searchable();
    a_search_sees_all_of_a_reference_or_nothing();
    a_deadline_gives_no_part_of_an_answer();
}
