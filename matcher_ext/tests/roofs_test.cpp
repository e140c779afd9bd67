#include "idmesh/matcher/roofs.hpp"

#include <cstdio>

#include "check.hpp"

using namespace idmesh::matcher;

int main() {
    for (const InstructionSet set : kInstructionSets) {
        if (!can_run(set)) {
            std::printf("SKIPPED %s: not on this machine\n", name_of(set));
            continue;
        }
        const Roofs found = measure_roofs(std::size_t{4} << 20, set);
        std::printf("%-8s read %.1f GB/s, %.2f Tbit/s, %.2f T products/s\n", name_of(set),
                    found.read_bytes_per_s / 1e9, found.bits_per_s / 1e12,
                    found.products_per_s / 1e12);
        CHECK(found.read_bytes_per_s > 0 && found.bits_per_s > 0 && found.products_per_s > 0);
    }
    return 0;
}
