// What finger minutiae records of all formats have in common. The bytes come from anybody: every
// refusal is TEMPLATE_MALFORMED and names the field, never what stood in it.
//
// Refused is what makes a comparison wrong, or shows that the framing is lost. What no comparison
// looks at (dates, devices, certificates, impression types, reserved bits, ridge counts) is walked
// over and not judged: later amendments add values there, and extractors are careless with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "idmesh/matcher/finger_template.hpp"

namespace idmesh::matcher::finger_records {

inline constexpr std::size_t kMagicBytes = 8;  // format identifier and version

[[noreturn]] void malformed(const char* field, const char* message);

// Takes big-endian numbers from the front; refuses to pass the end.
class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

    std::uint32_t number(std::size_t size, const char* field);
    std::span<const std::uint8_t> take(std::size_t size, const char* field);
    std::size_t left() const noexcept { return bytes_.size(); }

  private:
    std::span<const std::uint8_t> bytes_;
};

// The image that minutiae were found in: pixels, and pixels per centimetre.
struct Image {
    std::uint32_t width = 0, height = 0;
    std::uint32_t x_resolution = 0, y_resolution = 0;
};

struct View {
    std::uint8_t position = 0;
    std::uint8_t quality = 0;
    Image image;
    std::vector<RawMinutia> minutiae;
};

// How a format writes a minutia.
struct MinutiaLayout {
    std::uint32_t directions;       // to the turn
    bool has_quality = true;        // a byte of it
    bool quality_may_lack = false;  // said by 254 and 255
};

void read_size(Reader& reader, Image& image);
void read_resolution(Reader& reader, Image& image);
std::uint8_t read_position(Reader& reader);
// 0 to 100; 0 for what says, where may_lack, that there is none.
std::uint8_t read_quality(Reader& reader, const char* field, bool may_lack);
// The count, then so many minutiae.
void read_minutiae(Reader& reader, MinutiaLayout layout, View& view);
// What the length of an extended data area counts.
enum class AreaLength {
    kWhole,  // its own header of four bytes too
    kData,   // as of 2005 the standard has it; but NIST's tools, then others, wrote kWhole: both
             // read
};

// The extended data block: its areas are well framed, whatever is in them.
void skip_extended_data(Reader& reader, AreaLength area_length);

// Each takes a whole record of its magic, checks all of it and returns the view asked for.
View read_iso_2005(std::span<const std::uint8_t> record, std::size_t view);
View read_iso_2011(std::span<const std::uint8_t> record, std::size_t view);
View read_ansi_378(std::span<const std::uint8_t> record, std::size_t view);

// The views of the two formats that have one image for all of them.
View read_views(Reader& reader, const Image& image, std::uint32_t views, std::size_t wanted,
                std::uint32_t directions, AreaLength area_length);

}  // namespace idmesh::matcher::finger_records
