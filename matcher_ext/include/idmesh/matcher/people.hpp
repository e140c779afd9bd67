// The gallery of people: fingers, irises and a face of each, held in memory to be searched.
// Readers and writers may be on any threads; a search makes no writer wait.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "idmesh/matcher/reference.hpp"

namespace idmesh::matcher {

struct PeopleOptions {
    std::size_t face_dimension = 512;
    IrisLayout iris_layout = kDefaultIrisLayout;
    int iris_rotation = kDefaultIrisRotation;
    std::size_t threads = 0;    // of the searches; 0: one for each core
    std::size_t max_bytes = 0;  // resident; 0: no limit
};

enum class SearchKind : std::uint8_t {
    cascade,    // cheap kernels over everybody, all comparisons with those that they name
    exhaustive  // all comparisons with everybody
};

// Which positions of the probe are compared with which of the reference. 0 is compared with all.
enum class Positions : std::uint8_t {
    given,          // each with its own
    swapped_hands,  // as given, or left and right exchanged; hands and eyes each for themselves
    any             // every finger with every finger, every iris with every iris
};

struct PositionComparison {
    Modality modality;
    std::uint8_t probe_position;
    std::uint8_t position;  // of the reference
    float similarity;
    float llr;  // its part of the score
};

struct PersonComparison {
    float score = 0.0F;  // sum of log-likelihood ratios; 0 if nothing could be compared
    std::vector<PositionComparison> comparisons;  // ascending modality, position
};

struct PersonCandidate {
    ReferenceId reference_id;
    PersonComparison comparison;
};

struct Answer {
    std::vector<PersonCandidate> candidates;  // score descending, then reference_id ascending
    std::uint64_t searched = 0;               // people looked at
    bool exact = false;                       // the candidates are those of an exhaustive search
    float loss_bound = 0.0F;  // of mated searches, the greatest share that the cascade may lose
};

struct PeopleSearch {
    std::size_t max_candidates = 10;
    std::span<const float> min_score;  // one for each probe
    SearchKind kind = SearchKind::cascade;
    Positions positions = Positions::given;
    std::optional<std::vector<ReferenceId>> among;  // only these; unknown ones are passed over
    std::optional<std::chrono::steady_clock::time_point> deadline;
    const std::atomic<bool>* cancelled = nullptr;
};

using PersonProbe = std::span<const PositionedTemplate>;

struct PeopleStats {
    std::size_t people = 0;
    std::size_t rows = 0;  // written, the dead ones included
    std::size_t dead = 0;
    std::size_t segments = 0;
    std::size_t resident_bytes = 0;
    std::size_t locked_bytes = 0;
};

// Of the planes of a segment: raised when their meaning changes, so that older ones are not read.
inline constexpr int kSegmentLayout = 2;

class PeopleSegment;

// A segment that is written no more, as it is saved. The dead are kept apart: they change.
struct SealedSegment {
    struct NamedPlane {
        std::string name;
        std::span<const std::byte> bytes;
    };
    std::uint64_t number = 0;
    std::size_t rows = 0;
    std::vector<NamedPlane> planes;
    std::vector<std::uint8_t> dead;  // a bit for each row, little bit order
    std::shared_ptr<const PeopleSegment> held;
};

class People;

// A segment that is being loaded: its planes are filled in place, then it joins the gallery whole.
class SegmentLoader {
  public:
    struct NamedPlane {
        std::string name;
        std::span<std::byte> bytes;
    };

    struct Described {
        std::string name;
        std::size_t bytes;
        std::uint64_t checksum;
    };

    SegmentLoader(SegmentLoader&&) noexcept;
    ~SegmentLoader();

    const std::vector<NamedPlane>& planes() const noexcept;

    // dead: a bit for each row, or empty. Throws MatcherError, and changes nothing:
    // SEGMENT_MALFORMED (a checksum, or what the planes hold), REFERENCE_EXISTS, OUT_OF_MEMORY.
    void finish(std::span<const std::uint8_t> dead);

    struct State;

  private:
    friend class People;
    explicit SegmentLoader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class People {
  public:
    // Throws MatcherError: DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE, VALUE_OUT_OF_RANGE.
    explicit People(const PeopleOptions& options);
    ~People();
    People(const People&) = delete;
    People& operator=(const People&) = delete;

    // Adds all or, when it throws, nothing; a search sees all or nothing. Throws MatcherError:
    // REFERENCE_EXISTS, TEMPLATE_EMPTY (no template), POSITION_REPEATED, OUT_OF_MEMORY, and what
    // check() throws.
    void add(const ReferenceId& reference_id, PersonProbe templates);
    bool remove(const ReferenceId& reference_id);
    bool contains(const ReferenceId& reference_id) const;
    std::size_t size() const;

    // One answer for each probe, of the gallery as it was at the call; whatever the number of
    // threads and the instruction set. Throws MatcherError: DEADLINE_EXCEEDED, CANCELLED,
    // TEMPLATE_EMPTY (a probe without a template), POSITION_REPEATED, and what check() throws.
    std::vector<Answer> identify(std::span<const PersonProbe> probes,
                                 const PeopleSearch& search) const;

    // Throws MatcherError: REFERENCE_NOT_FOUND, and what identify() throws of its probe.
    PersonComparison verify(const ReferenceId& reference_id, PersonProbe probe,
                            Positions positions) const;

    // Throws MatcherError: DIMENSION_MISMATCH, POSITION_OUT_OF_RANGE.
    void check(const PositionedTemplate& positioned) const;

    // Closes the segment that is written, and returns all of them as they are at this moment:
    // everybody who is in the gallery, once.
    std::vector<SealedSegment> seal();

    // Makes room for a segment that was saved. Throws MatcherError: SEGMENT_MALFORMED (planes that
    // a segment of that many rows does not have, or of other sizes; a number that is taken),
    // OUT_OF_MEMORY.
    SegmentLoader load(std::uint64_t number, std::size_t rows,
                       std::span<const SegmentLoader::Described> planes);

    PeopleStats stats() const;

    struct State;

  private:
    std::shared_ptr<State> state_;
};

// Of a plane as it is saved: CRC32C in four lanes, folded to 64 bits.
std::uint64_t plane_checksum(std::span<const std::byte> bytes) noexcept;

}  // namespace idmesh::matcher
