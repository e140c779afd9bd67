// ISO/IEC 19794-2:2005, clause 7, record format: `FMR`, version ` 20`.
#include "finger_records/record.hpp"

namespace idmesh::matcher::finger_records {

namespace {

constexpr std::size_t kHeaderBytes = 24;    // 7.3
constexpr std::uint32_t kDirections = 256;  // 7.4.2: units of 1.40625 degrees

}  // namespace

View read_iso_2005(std::span<const std::uint8_t> record, std::size_t view) {
    if (record.size() < kHeaderBytes) {
        malformed("length", "The record is shorter than its header.");
    }
    Reader reader(record.subspan(kMagicBytes));
    if (reader.number(4, "length") != record.size()) {
        malformed("length", "The declared length is not the record's.");
    }
    reader.number(2, "capture_equipment");
    Image image;
    read_size(reader, image);
    read_resolution(reader, image);
    const std::uint32_t views = reader.number(1, "views");
    reader.number(1, "reserved");
    return read_views(reader, image, views, view, kDirections, AreaLength::kData);
}

}  // namespace idmesh::matcher::finger_records
