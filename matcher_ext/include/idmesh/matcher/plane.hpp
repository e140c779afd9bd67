// Memory of a column: reserved whole, zero until written, never moved, so that readers hold
// pointers into it while a writer appends.
#pragma once

#include <cstddef>
#include <span>

namespace idmesh::matcher {

class Plane {
  public:
    Plane() = default;
    // Reserves addresses only; pages are taken as they are written. Kept out of core dumps.
    // Throws MatcherError: OUT_OF_MEMORY.
    explicit Plane(std::size_t bytes);
    ~Plane();
    Plane(Plane&& other) noexcept;
    Plane& operator=(Plane&& other) noexcept;

    std::byte* data() const noexcept { return data_; }  // aligned to a huge page
    std::size_t bytes() const noexcept { return bytes_; }

    // Of a plane that is written no more: asks for huge pages and that [0, used) stays in memory.
    // Neither need succeed; returns whether the memory is locked.
    bool settle(std::size_t used) noexcept;

  private:
    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
};

// One of a column's planes, as it is saved and loaded: the bytes that hold the rows asked for.
struct PlaneBytes {
    const char* name;
    std::span<std::byte> bytes;
    // Of one that is as long as its rows need: what may be filled when it is loaded. 0 of others.
    std::size_t most = 0;
};

}  // namespace idmesh::matcher
