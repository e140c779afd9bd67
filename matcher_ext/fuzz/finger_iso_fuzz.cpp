// Whatever the bytes are, the parser makes a template that can be compared, or refuses.
#include <cstdlib>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace im = idmesh::matcher;
    try {
        const im::FingerTemplate made = im::finger_from_record({data, size}, 0);
        const float similarity = im::finger_similarity(made.view(), made.view());
        if (!(similarity >= 0.0F && similarity <= 1.0F)) {
            std::abort();
        }
    } catch (const im::MatcherError&) {
        return 0;
    }
    return 0;
}
