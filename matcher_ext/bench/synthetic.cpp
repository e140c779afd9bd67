// How fast people are generated: CPU time, one core.
#include "idmesh/matcher/synthetic.hpp"

#include <cstdio>
#include <ctime>

using namespace idmesh::matcher;

namespace {

template <typename Make>
void measure(const char* what, std::uint64_t count, Make make) {
    const std::clock_t begin = std::clock();
    std::uint64_t sum = 0;
    for (std::uint64_t k = 0; k < count; ++k) {
        sum += make(k);
    }
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    std::printf("%-26s %10.0f per second and core   (%llu)\n", what,
                static_cast<double>(count) / seconds, static_cast<unsigned long long>(sum % 10));
}

}  // namespace

int main() {
    const synthetic::Population population;
    measure("fingers without descriptors", 20000, [&](std::uint64_t k) {
        return synthetic::finger_capture(population, k / 10, static_cast<int>(k % 10 + 1), 1).count;
    });
    measure("fingers with descriptors", 10000, [&](std::uint64_t k) {
        const auto finger =
            synthetic::finger_capture(population, k / 10, static_cast<int>(k % 10 + 1), 1);
        return synthetic::finger_template(finger).minutiae.size();
    });
    measure("irises", 50000, [&](std::uint64_t k) {
        return synthetic::iris_capture(population, k / 2, static_cast<int>(k % 2 + 1), 1).code[3];
    });
    std::vector<float> vector(population.face_dimension);
    measure("faces", 50000, [&](std::uint64_t k) {
        synthetic::face_capture(population, k, 1, vector.data());
        return static_cast<std::uint64_t>(vector[0] * 1000 + 1000);
    });
    measure("people", 1000,
            [&](std::uint64_t k) { return synthetic::person_capture(population, k, 1).size(); });
}
