// Whatever the bytes are, a record makes a template that can be compared, or is refused by name.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/error.hpp"

namespace fuzz {

namespace im = idmesh::matcher;

inline void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

inline void read_or_refuse(const std::vector<std::uint8_t>& record, std::size_t view) {
    try {
        const im::FingerTemplate made = im::finger_from_record(record, view);
        require(!made.minutiae.empty() && made.minutiae.size() <= im::kMaxMinutiae);
        require(made.position <= 10 && made.quality <= 100);
        const float similarity = im::finger_similarity(made.view(), made.view());
        require(similarity >= 0.0F && similarity <= 1.0F);
    } catch (const im::MatcherError& error) {
        const std::string& reason = error.reason();
        require(reason == "TEMPLATE_MALFORMED" || reason == "TEMPLATE_EMPTY");
        require(!error.field().empty());
    }
}

// As it came, and with a magic and a length that let the rest of the reader see it.
inline void read_as(const std::uint8_t* data, std::size_t size, const char (&version)[4],
                    std::size_t length_bytes) {
    std::vector<std::uint8_t> record(data, data + size);
    read_or_refuse(record, 0);
    if (size < 8 + length_bytes) {
        return;
    }
    const std::uint8_t magic[8] = {'F',
                                   'M',
                                   'R',
                                   0,
                                   static_cast<std::uint8_t>(version[0]),
                                   static_cast<std::uint8_t>(version[1]),
                                   static_cast<std::uint8_t>(version[2]),
                                   0};
    std::copy(magic, magic + 8, record.begin());
    for (std::size_t k = 0; k < length_bytes; ++k) {
        record[8 + k] = static_cast<std::uint8_t>(size >> 8 * (length_bytes - 1 - k));
    }
    read_or_refuse(record, 0);
    read_or_refuse(record, 1);
}

}  // namespace fuzz
