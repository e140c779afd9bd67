#include <algorithm>
#include <bit>
#include <limits>

#include "idmesh/matcher/face_column.hpp"

namespace idmesh::matcher {

namespace {

// Rows for which the thresholds stand still: few at first, while they rise fast.
constexpr std::size_t kFirstRows = 64;
constexpr std::size_t kMostRows = 4096;
constexpr std::size_t kAhead = 8;  // cosines

bool better(const FaceNeighbour& a, const FaceNeighbour& b) noexcept {
    return a.cosine > b.cosine || (a.cosine == b.cosine && a.row < b.row);
}

// The best so far of one probe: a heap with the worst of them on top.
class Best {
  public:
    explicit Best(std::size_t count) : count_(count) { heap_.reserve(count); }

    void offer(FaceNeighbour found) {
        if (heap_.size() == count_) {
            if (!better(found, heap_.front())) {
                return;
            }
            std::pop_heap(heap_.begin(), heap_.end(), better);
            heap_.pop_back();
        }
        heap_.push_back(found);
        std::push_heap(heap_.begin(), heap_.end(), better);
    }
    float least(float otherwise) const noexcept {
        return heap_.size() == count_ ? std::max(otherwise, heap_.front().cosine) : otherwise;
    }
    std::vector<FaceNeighbour> take() {
        std::sort(heap_.begin(), heap_.end(), better);
        return std::move(heap_);
    }

  private:
    std::size_t count_;
    std::vector<FaceNeighbour> heap_;
};

struct Pair {
    std::size_t row;
    std::size_t probe;
};

void list_hits(std::span<const std::uint64_t> hits, std::size_t first, std::vector<Pair>& pairs) {
    pairs.clear();
    for (std::size_t k = 0; k < hits.size(); ++k) {
        for (std::uint64_t left = hits[k]; left != 0; left &= left - 1) {
            pairs.push_back({first + k, static_cast<std::size_t>(std::countr_zero(left))});
        }
    }
}

}  // namespace

std::vector<std::vector<FaceNeighbour>> nearest_faces(const FaceColumn& column, std::size_t rows,
                                                      const FaceProbes& probes, std::size_t count,
                                                      float least_cosine, InstructionSet set) {
    std::vector<Best> best(probes.size(), Best(count));
    std::vector<std::uint64_t> hits(kMostRows);
    std::vector<Pair> pairs;
    std::vector<float> least(probes.size(), least_cosine);
    std::size_t last = 0;
    for (std::size_t first = 0; first < rows && count != 0; first = last) {
        last = std::min(rows, first + std::clamp(first, kFirstRows, kMostRows));
        column.gate(first, last, probes, least.data(), hits.data(), set);
        list_hits(std::span(hits).first(last - first), first, pairs);
        for (std::size_t k = 0; k < pairs.size(); ++k) {
            if (k + kAhead < pairs.size()) {
                column.prefetch(pairs[k + kAhead].row);
            }
            const auto [row, probe] = pairs[k];
            const float cosine = column.cosine(row, probes, probe);
            if (cosine >= least[probe]) {
                best[probe].offer({row, cosine});
                least[probe] = best[probe].least(least_cosine);
            }
        }
    }
    std::vector<std::vector<FaceNeighbour>> found;
    for (Best& one : best) {
        found.push_back(one.take());
    }
    return found;
}

}  // namespace idmesh::matcher
