#include "idmesh/matcher/plane.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

// MADV_COLLAPSE of Linux 6.1: huge pages at once. The C library's headers may be older, and a
// kernel that is refuses it.
constexpr int kCollapse = 25;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t rounded(std::size_t bytes) noexcept {
    return (bytes + kHugePage - 1) / kHugePage * kHugePage;
}

}  // namespace

Plane::Plane(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) {
        return;
    }
    // One huge page more than needed, to cut an aligned range out of it.
    const std::size_t whole = rounded(bytes);
    const std::size_t reserved = whole + kHugePage;
    void* got = mmap(nullptr, reserved, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) {
        throw MatcherError("OUT_OF_MEMORY", "gallery", "No addresses are left for the gallery.");
    }
    auto* start = static_cast<std::byte*>(got);
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    const std::size_t before = (kHugePage - address % kHugePage) % kHugePage;
    if (before != 0) {
        munmap(start, before);
    }
    if (before != kHugePage) {
        munmap(start + before + whole, kHugePage - before);
    }
    data_ = start + before;
    madvise(data_, whole, MADV_DONTDUMP);
    // While rows are still written, a huge page per plane would be taken for the first of them.
    madvise(data_, whole, MADV_NOHUGEPAGE);
}

Plane::~Plane() {
    if (data_ != nullptr) {
        munmap(data_, rounded(bytes_));
    }
}

Plane::Plane(Plane&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Plane& Plane::operator=(Plane&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

bool Plane::settle(std::size_t used) noexcept {
    if (data_ == nullptr || used == 0) {
        return true;
    }
    // An end that fills no huge page by far would grow by being made one.
    const std::size_t whole = (std::min(used, bytes_) + kHugePage / 8) / kHugePage * kHugePage;
    if (whole != 0) {
        madvise(data_, whole, MADV_HUGEPAGE);
        madvise(data_, whole, kCollapse);
    }
    return mlock(data_, std::min(used, bytes_)) == 0;
}

}  // namespace idmesh::matcher
