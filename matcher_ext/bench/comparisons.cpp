// Comparisons a second of CPU time on one core, of generated templates.
// Usage: comparisons_bench [seconds]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "../tests/check.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/dispatch.hpp"

using namespace idmesh::matcher;

namespace {

template <typename Compare>
void measure(const char* name, double seconds, Compare&& compare) {
    const std::clock_t began = std::clock();
    std::size_t count = 0;
    float sum = 0.0F;
    double took = 0.0;
    while (took < seconds) {
        for (int k = 0; k < 1000; ++k, ++count) {
            sum += compare(count);
        }
        took = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    }
    std::printf("%-7s %12.0f comparisons/s (mean similarity %.3f)\n", name,
                static_cast<double>(count) / took, sum / static_cast<float>(count));
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
    constexpr std::size_t kReferences = 256;
    std::mt19937 random(1);
    std::printf("kernels: %s\n", kernels().name);
    std::vector<FingerTemplate> fingers;
    std::vector<IrisTemplate> irises(kReferences);
    std::vector<FaceTemplate> faces;
    for (std::size_t k = 0; k < kReferences; ++k) {
        fingers.push_back(to_template(a_finger(random)));
        std::vector<std::uint8_t> code(kDefaultIrisLayout.bytes());
        std::generate(code.begin(), code.end(),
                      [&] { return static_cast<std::uint8_t>(random()); });
        irises[k] = iris_from_bytes(code, std::vector<std::uint8_t>(code.size(), 0xFF));
        std::vector<float> vector(512);
        for (float& value : vector) {
            value = static_cast<float>(random() % 2001) - 1000.0F;
        }
        faces.push_back(face_from_vector(vector));
    }
    const Template finger = fingers[0];
    const Template iris = irises[0];
    const Template face = faces[0];
    const Probe finger_probe(finger, 0);
    const Probe iris_probe(iris, kDefaultIrisRotation);
    const Probe face_probe(face, 0);
    measure("finger", seconds,
            [&](std::size_t k) { return finger_probe.compare(fingers[k % kReferences].view()); });
    measure("iris", seconds,
            [&](std::size_t k) { return iris_probe.compare(irises[k % kReferences].bits.data()); });
    measure("face", seconds, [&](std::size_t k) {
        return face_probe.compare(faces[k % kReferences].vector.data());
    });
}
