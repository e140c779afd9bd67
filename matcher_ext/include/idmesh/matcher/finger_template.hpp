// Fingerprint minutiae with a local descriptor for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace idmesh::matcher {

// More minutiae than this are cut down to the best ones: it bounds the time of a comparison.
inline constexpr std::size_t kMaxMinutiae = 64;
inline constexpr int kMaxCoordinate = 4095;  // pixels of 500 dpi, 20 cm: larger than a palm

struct Minutia {
    std::int16_t x;          // to the right, in pixels of 500 dpi, 0 to kMaxCoordinate
    std::int16_t y;          // upwards, alike
    std::uint8_t direction;  // counter-clockwise from x, 256 to the turn
    std::uint8_t quality;    // 0 (not given) to 100
};
static_assert(sizeof(Minutia) == 6);  // no padding: compared and stored as bytes

// Where a minutia's neighbours lie and point to, seen from the minutia: independent of how the
// finger was laid down. Bits of cells, layout in src/finger/tables.cpp.
inline constexpr std::size_t kDescriptorWords = 3;
struct Descriptor {
    std::uint64_t bits[kDescriptorWords];
};

// What comparing needs of a template, wherever it is stored.
struct FingerView {
    const Minutia* minutiae;
    const Descriptor* descriptors;
    std::size_t count;
};

struct FingerTemplate {
    std::vector<Minutia> minutiae;
    std::vector<Descriptor> descriptors;
    std::uint8_t position = 0;  // finger position of ISO/IEC 19794-2, 0 unknown
    std::uint8_t quality = 0;   // of the sample, 0 to 100

    FingerView view() const noexcept {
        return {minutiae.data(), descriptors.data(), minutiae.size()};
    }
};

// A minutia before it is brought to 500 dpi: x to the right, y downwards as in an image.
struct RawMinutia {
    double x;
    double y;
    std::uint8_t direction;
    std::uint8_t quality;
};

// Reads one view of a record of ISO/IEC 19794-2:2005 or :2011 or ANSI/INCITS 378-2004, told apart
// by version and length; checks all of it. Throws MatcherError: TEMPLATE_MALFORMED, TEMPLATE_EMPTY.
FingerTemplate finger_from_record(std::span<const std::uint8_t> record, std::size_t view);

// Brings minutiae to 500 dpi, keeps the best kMaxMinutiae, best first, and describes each.
// Throws MatcherError: TEMPLATE_EMPTY, TEMPLATE_MALFORMED, VALUE_NOT_FINITE.
FingerTemplate finger_from_minutiae(std::span<const RawMinutia> minutiae, double dpi_x,
                                    double dpi_y);

// One descriptor for each minutia. out has room for minutiae.size().
void describe(std::span<const Minutia> minutiae, Descriptor* out) noexcept;

}  // namespace idmesh::matcher
