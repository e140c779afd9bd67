#include "finger_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::read_as(data, size, " 20", 2);
    return 0;
}
