// References held in memory to be searched. Readers and writers may be on any threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "idmesh/matcher/reference.hpp"

namespace idmesh::matcher {

struct PositionSimilarity {
    std::uint8_t position;  // of the reference
    float similarity;
};

struct Candidate {
    ReferenceId reference_id;
    float similarity;                             // fused over the probes
    std::vector<PositionSimilarity> by_position;  // ascending position
};

struct Search {
    std::size_t max_candidates = 10;
    float min_similarity = 0.0F;
    std::size_t threads = 1;
    std::optional<std::vector<ReferenceId>> among;  // only these; unknown ones are passed over
    std::optional<std::chrono::steady_clock::time_point> deadline;
};

class Gallery {
  public:
    // dimension: of the face embeddings, 0 for the other modalities.
    Gallery(Modality modality, std::size_t dimension, int iris_rotation);
    ~Gallery();
    Gallery(const Gallery&) = delete;
    Gallery& operator=(const Gallery&) = delete;

    // Adds all or, when it throws, nothing; a search sees all or nothing.
    // Throws MatcherError: REFERENCE_EXISTS (the reference has one of the positions), and what
    // check() throws.
    void add(const ReferenceId& reference_id, std::span<const PositionedTemplate> templates);

    // Removes a reference with all its templates; returns how many there were, 0 if none.
    std::size_t remove(const ReferenceId& reference_id);

    std::size_t templates() const noexcept;
    std::size_t references() const noexcept;
    bool contains(const ReferenceId& reference_id) const;

    // The references most similar to one person's probes: similarity descending, then reference_id
    // ascending, whatever the number of threads. Sees the gallery as it was at the call.
    // Throws MatcherError: DEADLINE_EXCEEDED, and what check() throws.
    std::vector<Candidate> identify(std::span<const PositionedTemplate> probes,
                                    const Search& search) const;

    // The greatest similarity of probe to the reference's templates, at the probe's position if
    // that is known. Throws MatcherError: REFERENCE_NOT_FOUND, and what check() throws.
    float verify(const ReferenceId& reference_id, const PositionedTemplate& probe) const;

    // Throws MatcherError: MODALITY_MISMATCH, DIMENSION_MISMATCH, POSITION_OUT_OF_RANGE.
    void check(const PositionedTemplate& positioned) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace idmesh::matcher
