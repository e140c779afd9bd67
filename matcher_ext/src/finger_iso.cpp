// Reads ISO/IEC 19794-2:2005 finger minutiae records. The bytes come from anybody.
#include <string>

#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/finger_template.hpp"

namespace idmesh::matcher {

namespace {

constexpr double kCentimetresPerInch = 2.54;
// 127 to 2540 dpi: wider than any fingerprint scanner, narrow enough to keep coordinates in range.
constexpr std::uint32_t kLeastPixelsPerCentimetre = 50;
constexpr std::uint32_t kMostPixelsPerCentimetre = 1000;
constexpr std::size_t kHeaderBytes = 24;
constexpr std::uint32_t kMostFingerPosition = 10;
constexpr std::uint32_t kMostQuality = 100;

[[noreturn]] void malformed(const char* field, const std::string& message) {
    throw MatcherError("TEMPLATE_MALFORMED", field, message);
}

class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::uint32_t number(std::size_t size, const char* field) {
        std::uint32_t value = 0;
        for (const std::uint8_t byte : take(size, field)) {
            value = value << 8 | byte;
        }
        return value;
    }

    std::span<const std::uint8_t> take(std::size_t size, const char* field) {
        if (size > bytes_.size()) {
            malformed(field, std::string("The record ends inside ") + field + ".");
        }
        const auto taken = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return taken;
    }

    bool at_end() const noexcept { return bytes_.empty(); }

  private:
    std::span<const std::uint8_t> bytes_;
};

struct Header {
    std::uint32_t width, height;               // pixels
    std::uint32_t x_resolution, y_resolution;  // pixels per centimetre
    std::uint32_t views;
};

std::uint32_t resolution(Reader& reader, const char* field) {
    const std::uint32_t value = reader.number(2, field);
    if (value < kLeastPixelsPerCentimetre || value > kMostPixelsPerCentimetre) {
        malformed(field, "The resolution is out of [50, 1000] pixels per centimetre.");
    }
    return value;
}

Header read_header(Reader& reader, std::size_t record_size) {
    static constexpr std::uint8_t kMagic[] = {'F', 'M', 'R', 0, ' ', '2', '0', 0};
    const auto magic = reader.take(sizeof kMagic, "magic");
    for (std::size_t k = 0; k < sizeof kMagic; ++k) {
        if (magic[k] != kMagic[k]) {
            malformed("magic", "The record is not of format FMR, version 20.");
        }
    }
    if (reader.number(4, "length") != record_size) {
        malformed("length", "The declared length is not the record's.");
    }
    reader.number(2, "capture_equipment");
    Header header{};
    header.width = reader.number(2, "width");
    header.height = reader.number(2, "height");
    header.x_resolution = resolution(reader, "x_resolution");
    header.y_resolution = resolution(reader, "y_resolution");
    header.views = reader.number(1, "views");
    reader.number(1, "reserved");
    return header;
}

RawMinutia read_minutia(Reader& reader, const Header& header) {
    const std::uint32_t x = reader.number(2, "minutia.x") & 0x3FFF;  // the type is above
    const std::uint32_t y = reader.number(2, "minutia.y") & 0x3FFF;
    const std::uint32_t direction = reader.number(1, "minutia.direction");
    const std::uint32_t quality = reader.number(1, "minutia.quality");
    if (x >= header.width) {
        malformed("minutia.x", "A minutia is outside the image.");
    }
    if (y >= header.height) {
        malformed("minutia.y", "A minutia is outside the image.");
    }
    if (quality > kMostQuality) {
        malformed("minutia.quality", "The quality is above 100.");
    }
    return {static_cast<double>(x), static_cast<double>(y), static_cast<std::uint8_t>(direction),
            static_cast<std::uint8_t>(quality)};
}

void skip_extended_data(Reader& reader) {
    Reader block(reader.take(reader.number(2, "extended.length"), "extended"));
    while (!block.at_end()) {
        block.number(2, "extended.type");
        const std::uint32_t length = block.number(2, "extended.area_length");
        if (length < 4) {  // it counts its own type and length
            malformed("extended.area_length", "An extended data area is shorter than its header.");
        }
        block.take(length - 4, "extended.area");
    }
}

struct View {
    std::uint32_t position = 0;
    std::uint32_t quality = 0;
    std::vector<RawMinutia> minutiae;
};

View read_view(Reader& reader, const Header& header) {
    View view;
    view.position = reader.number(1, "position");
    reader.number(1, "impression");
    view.quality = reader.number(1, "quality");
    if (view.position > kMostFingerPosition) {
        malformed("position", "The finger position is above 10.");
    }
    if (view.quality > kMostQuality) {
        malformed("quality", "The quality is above 100.");
    }
    const std::uint32_t count = reader.number(1, "minutiae");
    view.minutiae.reserve(count);
    for (std::uint32_t k = 0; k < count; ++k) {
        view.minutiae.push_back(read_minutia(reader, header));
    }
    skip_extended_data(reader);
    return view;
}

}  // namespace

FingerTemplate finger_from_iso(std::span<const std::uint8_t> record, std::size_t view) {
    if (record.size() < kHeaderBytes) {
        malformed("length", "The record is shorter than its header.");
    }
    Reader reader(record);
    const Header header = read_header(reader, record.size());
    if (view >= header.views) {
        malformed("views", "The record has no such view.");
    }
    View wanted;
    for (std::size_t k = 0; k < header.views; ++k) {
        View read = read_view(reader, header);
        if (k == view) {
            wanted = std::move(read);
        }
    }
    if (!reader.at_end()) {
        malformed("length", "Bytes follow the last view.");
    }
    FingerTemplate made =
        finger_from_minutiae(wanted.minutiae, header.x_resolution * kCentimetresPerInch,
                             header.y_resolution * kCentimetresPerInch);
    made.position = static_cast<std::uint8_t>(wanted.position);
    made.quality = static_cast<std::uint8_t>(wanted.quality);
    return made;
}

}  // namespace idmesh::matcher
