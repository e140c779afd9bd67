// Which format a record is of, and what its view becomes.
#include <algorithm>
#include <array>

#include "finger_records/record.hpp"

namespace idmesh::matcher {

namespace {

using finger_records::kMagicBytes;
using finger_records::malformed;
using finger_records::Reader;
using finger_records::View;

using Magic = std::array<std::uint8_t, kMagicBytes>;
constexpr Magic kVersion20 = {'F', 'M', 'R', 0, ' ', '2', '0', 0};
constexpr Magic kVersion30 = {'F', 'M', 'R', 0, '0', '3', '0', 0};
constexpr double kCentimetresPerInch = 2.54;
constexpr std::uint32_t kLeastIsoLength = 24;
constexpr std::uint32_t kLeastAnsiLength = 26;

// ISO of 2005 and ANSI of 2004 have one magic; their lengths tell them apart. ISO's has four bytes,
// ANSI's two or, behind two zeros, four. Below 64 KiB ISO's first two are zero and ANSI's are not,
// and behind ANSI's zeros come those of a number that needs few bytes.
bool is_ansi_378(std::span<const std::uint8_t> record) {
    Reader reader(record.subspan(kMagicBytes));
    if (reader.left() < 4) {
        return false;
    }
    const std::uint32_t length = reader.number(4, "length");
    if (length == record.size()) {
        return false;
    }
    return length >> 16 >= kLeastAnsiLength || length < kLeastIsoLength;
}

View read_view(std::span<const std::uint8_t> record, std::size_t view) {
    if (record.size() < kMagicBytes) {
        malformed("length", "The record is shorter than its header.");
    }
    const auto magic = record.first(kMagicBytes);
    if (std::ranges::equal(magic, kVersion30)) {
        return finger_records::read_iso_2011(record, view);
    }
    if (!std::ranges::equal(magic, kVersion20)) {
        malformed("magic", "The record is not of format FMR, version 20 or 030.");
    }
    return is_ansi_378(record) ? finger_records::read_ansi_378(record, view)
                               : finger_records::read_iso_2005(record, view);
}

}  // namespace

FingerTemplate finger_from_record(std::span<const std::uint8_t> record, std::size_t view) {
    const View read = read_view(record, view);
    FingerTemplate made =
        finger_from_minutiae(read.minutiae, read.image.x_resolution * kCentimetresPerInch,
                             read.image.y_resolution * kCentimetresPerInch);
    made.position = read.position;
    made.quality = read.quality;
    return made;
}

}  // namespace idmesh::matcher
