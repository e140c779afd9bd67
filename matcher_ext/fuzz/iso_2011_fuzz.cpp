#include "finger_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::read_as(data, size, "030", 4);
    return 0;
}
