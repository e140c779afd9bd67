#include "check.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/dispatch.hpp"

using namespace idmesh::matcher;

namespace {

IrisTemplate an_iris(std::mt19937& random) {
    IrisTemplate made{};
    for (std::size_t w = 0; w < kIrisWords; ++w) {
        made.code[w] = std::uint64_t{random()} << 32 | random();
        made.mask[w] = std::uint64_t{random()} << 32 | random();
    }
    return made;
}

bool bit(const std::uint64_t* words, std::size_t number) {
    return (words[number / 64] >> number % 64 & 1U) != 0;
}

void a_rotation_moves_every_angle_of_every_row() {
    std::mt19937 random(1);
    const IrisTemplate iris = an_iris(random);
    for (const int angles : {-128, -65, -64, -15, -1, 0, 1, 15, 63, 64, 100}) {
        const IrisTemplate turned = iris_rotated(iris, angles);
        for (std::size_t row = 0; row < kIrisBits / kIrisAngles; ++row) {
            for (std::size_t angle = 0; angle < kIrisAngles; ++angle) {
                const std::size_t to =
                    (angle + 256 + static_cast<std::size_t>(angles)) % kIrisAngles;
                CHECK(bit(iris.code, row * kIrisAngles + angle) ==
                      bit(turned.code, row * kIrisAngles + to));
                CHECK(bit(iris.mask, row * kIrisAngles + angle) ==
                      bit(turned.mask, row * kIrisAngles + to));
            }
        }
    }
}

void an_iris_is_found_within_the_rotation_and_not_beyond() {
    std::mt19937 random(2);
    const Template iris = an_iris(random);
    const Template turned = iris_rotated(std::get<IrisTemplate>(iris), 15);
    CHECK(similarity(iris, turned, 15) == 1.0F);
    CHECK(similarity(turned, iris, 15) == 1.0F);
    CHECK(similarity(iris, turned, 14) < 0.65F);
    CHECK(refused([&] { similarity(iris, turned, 65); }) == "ROTATION_OUT_OF_RANGE");
}

void hamming_counts_what_both_masks_have() {
    std::mt19937 random(3);
    const IrisTemplate a = an_iris(random);
    const IrisTemplate b = an_iris(random);
    std::uint32_t compared = 0;
    std::uint32_t mismatched = 0;
    for (std::size_t k = 0; k < kIrisBits; ++k) {
        const bool both = bit(a.mask, k) && bit(b.mask, k);
        compared += both;
        mismatched += both && bit(a.code, k) != bit(b.code, k);
    }
    MaskedHamming found{};
    kernels().compare_iris(&a, &b, 1, &found);
    CHECK(found.compared == compared && found.mismatched == mismatched);
    CHECK(iris_similarity({0, 0}) == 0.5F);
    CHECK(iris_similarity({2048, 0}) == 1.0F && iris_similarity({2048, 2048}) == 0.0F);
    CHECK(iris_similarity({10, 0}) < 0.6F);
}

void faces_compare_by_angle() {
    const Template east = face_from_vector(std::vector<float>{3, 0, 0});
    const Template north = face_from_vector(std::vector<float>{0, 0.5F, 0});
    const Template west = face_from_vector(std::vector<float>{-1e-30F, 0, 0});
    CHECK(similarity(east, east, 0) == 1.0F);
    CHECK(similarity(east, north, 0) == 0.5F);
    CHECK(similarity(east, west, 0) == 0.0F);
}

void what_is_no_template_is_refused() {
    const std::vector<std::uint8_t> zeros(256);
    CHECK(refused([&] { iris_from_bytes(zeros, zeros); }) == "MASK_EMPTY");
    CHECK(refused([&] { iris_from_bytes(zeros, {}); }) == "TEMPLATE_MALFORMED");
    CHECK(refused([] { face_from_vector({}); }) == "TEMPLATE_EMPTY");
    CHECK(refused([] { face_from_vector(std::vector<float>(3)); }) == "TEMPLATE_EMPTY");
    CHECK(refused([] { face_from_vector(std::vector<float>{NAN}); }) == "VALUE_NOT_FINITE");
    CHECK(refused([] { face_from_vector(std::vector<float>(5000, 1.0F)); }) ==
          "DIMENSION_MISMATCH");
}

}  // namespace

int main() {
    a_rotation_moves_every_angle_of_every_row();
    an_iris_is_found_within_the_rotation_and_not_beyond();
    hamming_counts_what_both_masks_have();
    faces_compare_by_angle();
    what_is_no_template_is_refused();
}
