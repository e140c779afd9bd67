// ISO/IEC 19794-2:2011, clause 8, record format: `FMR`, version `030`. Its general header and the
// front of each representation are ISO/IEC 19794-1:2011's.
#include "finger_records/record.hpp"

namespace idmesh::matcher::finger_records {

namespace {

constexpr std::size_t kHeaderBytes = 15;
constexpr std::uint32_t kLengthBytes = 4;  // of a representation, which counts itself
constexpr std::uint32_t kDirections = 256;
constexpr std::uint32_t kMinutiaBytes = 6;
constexpr std::uint32_t kMinutiaBytesWithoutQuality = 5;

// The first that says one; a block each for several algorithms.
std::uint8_t read_quality_blocks(Reader& reader) {
    const std::uint32_t blocks = reader.number(1, "quality.blocks");
    std::uint8_t quality = 0;
    for (std::uint32_t k = 0; k < blocks; ++k) {
        const std::uint8_t score = read_quality(reader, "quality.score", true);
        reader.number(2, "quality.vendor");
        reader.number(2, "quality.algorithm");
        quality = quality > 0 ? quality : score;
    }
    return quality;
}

void skip_certification(Reader& reader) {
    const std::uint32_t blocks = reader.number(1, "certification.blocks");
    for (std::uint32_t k = 0; k < blocks; ++k) {
        reader.number(2, "certification.authority");
        reader.number(1, "certification.scheme");
    }
}

View read_representation(Reader& reader, bool certified) {
    View view;
    reader.take(9, "capture_time");
    reader.number(1, "device.technology");
    reader.number(2, "device.vendor");
    reader.number(2, "device.type");
    view.quality = read_quality_blocks(reader);
    if (certified) {
        skip_certification(reader);
    }
    view.position = read_position(reader);
    reader.number(1, "view_number");
    read_resolution(reader, view.image);
    reader.number(1, "impression");
    read_size(reader, view.image);
    const std::uint32_t minutia_bytes = reader.number(1, "minutia_bytes") >> 4;
    if (minutia_bytes != kMinutiaBytes && minutia_bytes != kMinutiaBytesWithoutQuality) {
        malformed("minutia_bytes", "A minutia has neither five bytes nor six.");
    }
    const bool has_quality = minutia_bytes == kMinutiaBytes;
    read_minutiae(reader,
                  {.directions = kDirections, .has_quality = has_quality, .quality_may_lack = true},
                  view);
    skip_extended_data(reader, AreaLength::kWhole);
    return view;
}

}  // namespace

View read_iso_2011(std::span<const std::uint8_t> record, std::size_t view) {
    if (record.size() < kHeaderBytes) {
        malformed("length", "The record is shorter than its header.");
    }
    Reader reader(record.subspan(kMagicBytes));
    if (reader.number(4, "length") != record.size()) {
        malformed("length", "The declared length is not the record's.");
    }
    const std::uint32_t representations = reader.number(2, "views");
    const std::uint32_t certified = reader.number(1, "certification_flag");
    if (certified > 1) {
        malformed("certification_flag", "The certification flag is neither 0 nor 1.");
    }
    if (view >= representations) {
        malformed("views", "The record has no such view.");
    }
    View found;
    for (std::size_t k = 0; k < representations; ++k) {
        const std::uint32_t length = reader.number(kLengthBytes, "representation.length");
        if (length < kLengthBytes || length - kLengthBytes > reader.left()) {
            malformed("representation.length", "The representation ends outside the record.");
        }
        Reader inside(reader.take(length - kLengthBytes, "representation"));
        View read = read_representation(inside, certified == 1);
        if (inside.left() > 0) {
            malformed("representation.length", "Bytes follow the extended data.");
        }
        if (k == view) {
            found = std::move(read);
        }
    }
    if (reader.left() > 0) {
        malformed("length", "Bytes follow the last representation.");
    }
    return found;
}

}  // namespace idmesh::matcher::finger_records
