#include <algorithm>
#include <cstring>
#include <map>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/person_score.hpp"
#include "people.hpp"

using namespace idmesh::matcher;

namespace {

PeopleOptions options(std::size_t threads = 2) {
    PeopleOptions made;
    made.face_dimension = kFaceDimension;
    made.threads = threads;
    return made;
}

std::vector<Answer> identify(const People& people, const std::vector<Person>& probes,
                             SearchKind kind, std::size_t most = 10,
                             Positions positions = Positions::given) {
    std::vector<std::vector<PositionedTemplate>> templates;
    for (const Person& one : probes) {
        templates.push_back(one.templates());
    }
    const std::vector<PersonProbe> given(templates.begin(), templates.end());
    const std::vector<float> least(probes.size(), -1e9F);
    PeopleSearch search;
    search.max_candidates = most;
    search.min_score = least;
    search.kind = kind;
    search.positions = positions;
    return people.identify(given, search);
}

bool same(const PersonComparison& a, const PersonComparison& b) {
    return a.score == b.score &&
           std::equal(a.comparisons.begin(), a.comparisons.end(), b.comparisons.begin(),
                      b.comparisons.end(),
                      [](const PositionComparison& x, const PositionComparison& y) {
                          return x.modality == y.modality && x.position == y.position &&
                                 x.probe_position == y.probe_position &&
                                 x.similarity == y.similarity && x.llr == y.llr;
                      });
}

bool same(const std::vector<PersonCandidate>& a, const std::vector<PersonCandidate>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const PersonCandidate& x, const PersonCandidate& y) {
                          return x.reference_id == y.reference_id &&
                                 same(x.comparison, y.comparison);
                      });
}

// By 1:1 comparisons alone: same positions, in order.
PersonComparison plainly(const Person& probe, const Person& reference) {
    PersonComparison made;
    PersonScore score;
    for (const Modality modality : {Modality::finger, Modality::iris, Modality::face}) {
        for (std::uint8_t position = 0; position <= 10; ++position) {
            for (const PositionedTemplate& p : probe.templates()) {
                for (const PositionedTemplate& r : reference.templates()) {
                    if (p.position != position || r.position != position ||
                        modality_of(*p.value) != modality || modality_of(*r.value) != modality) {
                        continue;
                    }
                    const float alike = similarity(*p.value, *r.value, 15);
                    const float llr =
                        llr_of(modality, modality == Modality::face ? 2 * alike - 1 : alike);
                    made.comparisons.push_back({modality, position, position, alike, llr});
                    score.add(modality, llr);
                }
            }
        }
    }
    made.score = score.value();
    return made;
}

struct Town {
    std::vector<Body> bodies;
    std::vector<Person> references;
};

// Some have fewer fingers, no irises, no face.
Town a_town(std::mt19937& random, std::uint32_t count) {
    Town made;
    for (std::uint32_t k = 0; k < count; ++k) {
        std::uint32_t what = kEverything;
        if (k % 5 == 1) {
            what &= ~kFace;
        }
        if (k % 7 == 2) {
            what &= ~kIrises;
        }
        if (k % 11 == 3) {
            what &= ~static_cast<std::uint32_t>(random() & kAllFingers);
        }
        made.bodies.push_back(a_body(random));
        made.references.push_back(a_capture(made.bodies.back(), random, what != 0 ? what : kFace));
    }
    return made;
}

void add(People& people, const Town& town) {
    for (std::uint32_t k = 0; k < town.references.size(); ++k) {
        people.add(an_id(k), town.references[k].templates());
    }
}

void everybody_is_compared_as_one_to_one() {
    std::mt19937 random(1);
    const Town town = a_town(random, 60);
    People people(options());
    add(people, town);
    for (const std::uint32_t what :
         {kEverything, kAllFingers, kIrises, kFace, kRightHand | kFace}) {
        const Person probe = a_capture(town.bodies[7], random, what);
        std::vector<PersonCandidate> expected;
        for (std::uint32_t k = 0; k < town.references.size(); ++k) {
            PersonComparison one = plainly(probe, town.references[k]);
            const PersonComparison verified =
                people.verify(an_id(k), probe.templates(), Positions::given);
            CHECK(verified.comparisons.size() == one.comparisons.size());
            CHECK(std::fabs(verified.score - one.score) <= 1e-4F);
            if (!one.comparisons.empty()) {
                expected.push_back({an_id(k), verified});
            }
        }
        std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) {
            return a.comparison.score != b.comparison.score
                       ? a.comparison.score > b.comparison.score
                       : a.reference_id < b.reference_id;
        });
        for (const SearchKind kind : {SearchKind::exhaustive, SearchKind::cascade}) {
            const Answer answer = identify(people, {probe}, kind, 1000)[0];
            CHECK(answer.exact && answer.loss_bound == 0.0F);
            CHECK(answer.searched == town.references.size());
            CHECK(same(answer.candidates, expected));
            CHECK(answer.candidates[0].reference_id == an_id(7));
        }
    }
}

// A town that a cascade does not compare whole.
constexpr std::uint32_t kTown = 320;
const Town& the_town() {
    static std::mt19937 random(2);
    static const Town once = a_town(random, kTown);
    return once;
}

void the_cascade_finds_whom_an_exhaustive_search_finds() {
    std::mt19937 random(2);
    const Town& town = the_town();
    People people(options());
    add(people, town);
    std::vector<Person> probes;
    std::vector<std::uint32_t> mates;
    const std::uint32_t kinds[] = {kEverything,        kAllFingers, kIrises | kAllFingers,
                                   kFace | kRightHand, kIrises,     kFace};
    for (std::uint32_t k = 0; k < 12; ++k) {
        mates.push_back(5 + 25 * k);
        probes.push_back(a_capture(town.bodies[mates[k]], random, kinds[k % 6]));
    }
    const auto everybody = identify(people, probes, SearchKind::exhaustive);
    const auto many = identify(people, probes, SearchKind::cascade);
    for (std::size_t k = 0; k < probes.size(); ++k) {
        const Answer one = identify(people, {probes[k]}, SearchKind::cascade)[0];
        CHECK(everybody[k].exact && !one.exact && one.loss_bound > 0.0F);
        CHECK(one.searched == kTown && many[k].searched == kTown);
        for (const Answer* answer : {&one, &many[k]}) {
            for (const PersonCandidate& found : answer->candidates) {
                CHECK(same(
                    found.comparison,
                    people.verify(found.reference_id, probes[k].templates(), Positions::given)));
            }
        }
        const PersonCandidate& best = everybody[k].candidates[0];
        if (best.reference_id == an_id(mates[k]) && best.comparison.score > 10.0F) {
            CHECK(!one.candidates.empty() && !many[k].candidates.empty());
            CHECK(one.candidates[0].reference_id == an_id(mates[k]));
            CHECK(many[k].candidates[0].reference_id == an_id(mates[k]));
        }
    }
}

void answers_are_the_same_on_any_number_of_threads() {
    std::mt19937 random(3);
    const Town& town = the_town();
    std::vector<Person> probes;
    for (std::uint32_t k = 0; k < 6; ++k) {
        probes.push_back(
            a_capture(town.bodies[50 * k], random, k % 2 == 0 ? kEverything : kAllFingers));
    }
    std::vector<Answer> first;
    for (const std::size_t threads : {1, 2, 3}) {
        People people(options(threads));
        add(people, town);
        const auto few = identify(people, {probes[0], probes[1]}, SearchKind::cascade);
        auto all = identify(people, probes, SearchKind::cascade);
        all.insert(all.end(), few.begin(), few.end());
        if (first.empty()) {
            first = all;
        }
        for (std::size_t k = 0; k < all.size(); ++k) {
            CHECK(same(all[k].candidates, first[k].candidates));
        }
    }
}

void only_those_among_are_searched() {
    std::mt19937 random(4);
    const Town& town = the_town();
    People people(options());
    add(people, town);
    const Person probe = a_capture(town.bodies[9], random);
    const auto templates = probe.templates();
    const PersonProbe given[] = {templates};
    const float least[] = {-1e9F};
    for (const std::uint32_t step : {1U, 2U, 40U}) {
        PeopleSearch search;
        search.min_score = least;
        search.among.emplace();
        std::uint32_t count = 0;
        for (std::uint32_t k = 1; k < kTown; k += step) {
            search.among->push_back(an_id(k));
            search.among->push_back(an_id(k));  // twice is once
            ++count;
        }
        search.among->push_back(an_id(1'000'000));
        const Answer answer = people.identify(given, search)[0];
        CHECK(answer.searched == count);
        CHECK(answer.exact == (count <= 256));
        const bool there = (9 - 1) % step == 0;
        CHECK((answer.candidates[0].reference_id == an_id(9)) == there);
        for (const PersonCandidate& found : answer.candidates) {
            CHECK(std::count(search.among->begin(), search.among->end(), found.reference_id) == 2);
        }
    }
}

Person moved(const Person& person, const std::map<int, int>& fingers) {
    Person made;
    for (const PositionedTemplate& one : person.templates()) {
        const bool finger = modality_of(*one.value) == Modality::finger;
        const auto to = fingers.find(one.position);
        made.give(
            finger && to != fingers.end() ? static_cast<std::uint8_t>(to->second) : one.position,
            *one.value);
    }
    return made;
}

void positions_may_be_exchanged_or_unknown() {
    std::mt19937 random(5);
    const Town& town = the_town();
    People people(options());
    add(people, town);
    const Person probe = a_capture(town.bodies[10], random, kAllFingers);
    std::map<int, int> hands;
    std::map<int, int> turned;
    std::map<int, int> unknown;
    for (int p = 1; p <= 10; ++p) {
        hands[p] = (p + 4) % 10 + 1;
        turned[p] = p % 10 + 1;
        unknown[p] = 0;
    }
    const auto best = [&](const Person& one, SearchKind kind, Positions positions) {
        return identify(people, {one}, kind, 1, positions)[0].candidates[0];
    };
    for (const SearchKind kind : {SearchKind::exhaustive, SearchKind::cascade}) {
        const float given = best(probe, kind, Positions::given).comparison.score;
        CHECK(given > 30.0F);
        CHECK(best(moved(probe, hands), kind, Positions::given).comparison.score < 10.0F);
        const auto swapped = best(moved(probe, hands), kind, Positions::swapped_hands);
        CHECK(swapped.reference_id == an_id(10));
        CHECK(std::fabs(swapped.comparison.score - (given - cost_of_ways(2))) < 1e-3F);
        CHECK(swapped.comparison.comparisons[0].position == 1);
        CHECK(swapped.comparison.comparisons[0].probe_position == 6);
        // What is as it should be is found in every mode.
        CHECK(best(probe, kind, Positions::swapped_hands).reference_id == an_id(10));
        CHECK(best(probe, kind, Positions::any).reference_id == an_id(10));
    }
    const SearchKind kind = SearchKind::cascade;
    CHECK(best(moved(probe, turned), kind, Positions::any).reference_id == an_id(10));
    const auto nobody_knows = best(moved(probe, unknown), kind, Positions::given);
    CHECK(nobody_knows.reference_id == an_id(10));
    for (const PositionComparison& one : nobody_knows.comparison.comparisons) {
        CHECK(one.probe_position == 0 && one.position != 0);
    }
}

void a_search_can_be_ended() {
    std::mt19937 random(6);
    const Town town = a_town(random, 20);
    People people(options());
    add(people, town);
    const auto templates = town.references[0].templates();
    const PersonProbe given[] = {templates};
    const float least[] = {0.0F};
    for (const SearchKind kind : {SearchKind::exhaustive, SearchKind::cascade}) {
        PeopleSearch search;
        search.min_score = least;
        search.kind = kind;
        search.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
        CHECK(refused([&] { people.identify(given, search); }) == "DEADLINE_EXCEEDED");
        search.deadline.reset();
        const std::atomic<bool> cancelled{true};
        search.cancelled = &cancelled;
        CHECK(refused([&] { people.identify(given, search); }) == "CANCELLED");
    }
}

void bad_probes_are_refused() {
    std::mt19937 random(7);
    People people(options());
    const Body body = a_body(random);
    const Person person = a_capture(body, random);
    people.add(an_id(1), person.templates());
    CHECK(refused([&] { people.add(an_id(1), person.templates()); }) == "REFERENCE_EXISTS");
    CHECK(refused([&] { people.add(an_id(2), {}); }) == "TEMPLATE_EMPTY");
    CHECK(refused([&] { people.verify(an_id(2), person.templates(), Positions::given); }) ==
          "REFERENCE_NOT_FOUND");
    Person twice;
    twice.give(3, to_template(a_finger(random)));
    twice.give(3, to_template(a_finger(random)));
    CHECK(refused([&] { people.add(an_id(2), twice.templates()); }) == "POSITION_REPEATED");
    Person beyond;
    beyond.give(3, an_iris(random));
    CHECK(refused([&] { people.add(an_id(2), beyond.templates()); }) == "POSITION_OUT_OF_RANGE");
    Person other;
    other.give(0, a_gaussian_face(random, kFaceDimension + 1));
    CHECK(refused([&] { people.add(an_id(2), other.templates()); }) == "DIMENSION_MISMATCH");
    Person layout;
    layout.give(1, an_iris(random, {2, 16, 200}));
    CHECK(refused([&] { people.add(an_id(2), layout.templates()); }) == "DIMENSION_MISMATCH");
    CHECK(people.size() == 1 && !people.contains(an_id(2)));
    CHECK(identify(people, {person}, SearchKind::cascade)[0].candidates.size() == 1);
}

}  // namespace

int main() {
    everybody_is_compared_as_one_to_one();
    the_cascade_finds_whom_an_exhaustive_search_finds();
    answers_are_the_same_on_any_number_of_threads();
    only_those_among_are_searched();
    positions_may_be_exchanged_or_unknown();
    a_search_can_be_ended();
    bad_probes_are_refused();
}
