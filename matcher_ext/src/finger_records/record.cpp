#include "finger_records/record.hpp"

#include <string>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher::finger_records {

namespace {

// 127 to 2540 dpi: wider than any fingerprint scanner, narrow enough to keep coordinates in range.
constexpr std::uint32_t kLeastPixelsPerCentimetre = 50;
constexpr std::uint32_t kMostPixelsPerCentimetre = 1000;
constexpr std::uint32_t kMostFingerPosition = 10;
constexpr std::uint32_t kMostQuality = 100;
constexpr std::uint32_t kQualityNotReported = 254;
constexpr std::uint32_t kCoordinate = 0x3FFF;  // above it the type, or two reserved bits
constexpr std::uint32_t kLastMinutiaType = 2;
constexpr std::uint32_t kDirections = 256;  // of RawMinutia
constexpr std::uint32_t kAreaHeaderBytes = 4;

std::uint32_t resolution(Reader& reader, const char* field) {
    const std::uint32_t value = reader.number(2, field);
    if (value < kLeastPixelsPerCentimetre || value > kMostPixelsPerCentimetre) {
        malformed(field, "The resolution is out of [50, 1000] pixels per centimetre.");
    }
    return value;
}

RawMinutia read_minutia(Reader& reader, MinutiaLayout layout, const Image& image) {
    const std::uint32_t type_and_x = reader.number(2, "minutia.x");
    const std::uint32_t x = type_and_x & kCoordinate;
    const std::uint32_t y = reader.number(2, "minutia.y") & kCoordinate;
    const std::uint32_t direction = reader.number(1, "minutia.direction");
    if (type_and_x >> 14 > kLastMinutiaType) {
        malformed("minutia.type", "The minutia is of no known type.");
    }
    if (x >= image.width) {
        malformed("minutia.x", "A minutia is outside the image.");
    }
    if (y >= image.height) {
        malformed("minutia.y", "A minutia is outside the image.");
    }
    if (direction >= layout.directions) {
        malformed("minutia.direction", "The direction is a turn or more.");
    }
    const std::uint8_t quality =
        layout.has_quality ? read_quality(reader, "minutia.quality", layout.quality_may_lack) : 0;
    // The nearest of our directions: the last of a coarser turn is still below 256.
    const std::uint32_t nearest =
        (direction * kDirections * 2 + layout.directions) / (layout.directions * 2);
    return {static_cast<double>(x), static_cast<double>(y), static_cast<std::uint8_t>(nearest),
            quality};
}

// The field at which the areas do not add up to the block; null: they do. A length counts that many
// bytes of its area's header.
const char* misframed(std::span<const std::uint8_t> block, std::uint32_t counted) {
    Reader areas(block);
    while (areas.left() > 0) {
        if (areas.left() < kAreaHeaderBytes) {
            return "extended.type";
        }
        areas.number(2, "extended.type");
        const std::uint32_t length = areas.number(2, "extended.area_length");
        if (length < counted) {
            return "extended.area_length";
        }
        if (length - counted > areas.left()) {
            return "extended.area";
        }
        areas.take(length - counted, "extended.area");
    }
    return nullptr;
}

}  // namespace

void malformed(const char* field, const char* message) {
    throw MatcherError("TEMPLATE_MALFORMED", field, message);
}

std::span<const std::uint8_t> Reader::take(std::size_t size, const char* field) {
    if (size > bytes_.size()) {
        const std::string message = std::string("The record ends inside ") + field + ".";
        malformed(field, message.c_str());
    }
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
}

std::uint32_t Reader::number(std::size_t size, const char* field) {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : take(size, field)) {
        value = value << 8 | byte;
    }
    return value;
}

void read_size(Reader& reader, Image& image) {
    image.width = reader.number(2, "width");
    image.height = reader.number(2, "height");
}

void read_resolution(Reader& reader, Image& image) {
    image.x_resolution = resolution(reader, "x_resolution");
    image.y_resolution = resolution(reader, "y_resolution");
}

std::uint8_t read_position(Reader& reader) {
    const std::uint32_t position = reader.number(1, "position");
    if (position > kMostFingerPosition) {
        malformed("position", "The finger position is above 10.");
    }
    return static_cast<std::uint8_t>(position);
}

std::uint8_t read_quality(Reader& reader, const char* field, bool may_lack) {
    const std::uint32_t quality = reader.number(1, field);
    if (may_lack && quality >= kQualityNotReported) {
        return 0;
    }
    if (quality > kMostQuality) {
        malformed(field, "The quality is above 100.");
    }
    return static_cast<std::uint8_t>(quality);
}

void read_minutiae(Reader& reader, MinutiaLayout layout, View& view) {
    const std::uint32_t count = reader.number(1, "minutiae");
    view.minutiae.reserve(count);
    for (std::uint32_t k = 0; k < count; ++k) {
        view.minutiae.push_back(read_minutia(reader, layout, view.image));
    }
}

void skip_extended_data(Reader& reader, AreaLength area_length) {
    const auto block = reader.take(reader.number(2, "extended.length"), "extended");
    const bool whole = area_length == AreaLength::kWhole;
    const char* field = misframed(block, whole ? kAreaHeaderBytes : 0);
    if (field != nullptr && (whole || misframed(block, kAreaHeaderBytes) != nullptr)) {
        malformed(field, "The extended data areas do not add up to their block.");
    }
}

View read_views(Reader& reader, const Image& image, std::uint32_t views, std::size_t wanted,
                std::uint32_t directions, AreaLength area_length) {
    if (wanted >= views) {
        malformed("views", "The record has no such view.");
    }
    View found;
    for (std::size_t k = 0; k < views; ++k) {
        View view;
        view.image = image;
        view.position = read_position(reader);
        reader.number(1, "impression");  // and, in its high half, the number of the view
        view.quality = read_quality(reader, "quality", false);
        read_minutiae(reader, {.directions = directions}, view);
        skip_extended_data(reader, area_length);
        if (k == wanted) {
            found = std::move(view);
        }
    }
    if (reader.left() > 0) {
        malformed("length", "Bytes follow the last view.");
    }
    return found;
}

}  // namespace idmesh::matcher::finger_records
