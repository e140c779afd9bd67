// ANSI/INCITS 378-2004, clause 6, record format: `FMR`, version ` 20`, as ISO's of 2005.
#include "finger_records/record.hpp"

namespace idmesh::matcher::finger_records {

namespace {

constexpr std::size_t kHeaderBytes = 26;    // with a length of two bytes
constexpr std::uint32_t kDirections = 180;  // units of two degrees

}  // namespace

View read_ansi_378(std::span<const std::uint8_t> record, std::size_t view) {
    if (record.size() < kHeaderBytes) {
        malformed("length", "The record is shorter than its header.");
    }
    Reader reader(record.subspan(kMagicBytes));
    // Two bytes, or, where they are zero, four more: how a record of 64 KiB is written.
    std::uint32_t length = reader.number(2, "length");
    if (length == 0) {
        length = reader.number(4, "length");
    }
    if (length != record.size()) {
        malformed("length", "The declared length is not the record's.");
    }
    reader.number(2, "product_owner");
    reader.number(2, "product_type");
    reader.number(2, "capture_equipment");
    Image image;
    read_size(reader, image);
    read_resolution(reader, image);
    const std::uint32_t views = reader.number(1, "views");
    reader.number(1, "reserved");
    return read_views(reader, image, views, view, kDirections, AreaLength::kWhole);
}

}  // namespace idmesh::matcher::finger_records
