// Templates, their rotation and the one exact comparison.
#include "check.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "irises.hpp"

using namespace idmesh::matcher;

namespace {

constexpr IrisLayout kLayouts[] = {{2, 8, 128}, {4, 16, 200}, {4, 16, 256}, {1, 1, 8}, {3, 5, 72}};

bool bit(const IrisTemplate& iris, const std::uint64_t* words, std::size_t line,
         std::size_t angle) {
    return (words[line * iris.layout.row_words() + angle / 64] >> angle % 64 & 1U) != 0;
}

void bits_are_read_row_by_row() {
    std::mt19937 random(1);
    for (const IrisLayout layout : kLayouts) {
        const auto code = random_bytes(random, layout.bytes());
        const auto mask = random_bytes(random, layout.bytes(), 7);
        const IrisTemplate iris = iris_from_bytes(code, mask, layout);
        CHECK(iris.bits.size() == 2 * layout.words());
        for (std::size_t k = 0; k < layout.bits(); ++k) {
            const bool valid = (mask[k / 8] >> k % 8 & 1U) != 0;
            const bool set = (code[k / 8] >> k % 8 & 1U) != 0;
            CHECK(bit(iris, iris.mask(), k / layout.angles, k % layout.angles) == valid);
            CHECK(bit(iris, iris.code(), k / layout.angles, k % layout.angles) == (valid && set));
        }
    }
}

void a_rotation_moves_every_angle_of_every_row() {
    std::mt19937 random(2);
    for (const IrisLayout layout : kLayouts) {
        const IrisTemplate iris = an_iris(random, layout);
        for (const int angles : {-300, -65, -64, -15, -1, 0, 1, 15, 63, 64, 100}) {
            const IrisTemplate turned = iris_rotated(iris, angles);
            const int turn = layout.angles;
            for (std::size_t k = 0; k < layout.bits(); ++k) {
                const int from = static_cast<int>(k % layout.angles);
                const auto to = static_cast<std::size_t>(((from + angles) % turn + turn) % turn);
                const std::size_t line = k / layout.angles;
                CHECK(bit(iris, iris.code(), line, k % layout.angles) ==
                      bit(turned, turned.code(), line, to));
                CHECK(bit(iris, iris.mask(), line, k % layout.angles) ==
                      bit(turned, turned.mask(), line, to));
            }
        }
    }
}

MaskedHamming counted(const IrisTemplate& a, const IrisTemplate& b) {
    MaskedHamming found{0, 0};
    for (std::size_t k = 0; k < 64 * a.layout.words(); ++k) {
        const auto at = [&](const std::uint64_t* words) { return words[k / 64] >> k % 64 & 1U; };
        const bool both = at(a.mask()) != 0 && at(b.mask()) != 0;
        found.compared += both;
        found.mismatched += both && at(a.code()) != at(b.code());
    }
    return found;
}

void the_best_rotation_has_the_greatest_similarity() {
    std::mt19937 random(3);
    for (const IrisLayout layout : kLayouts) {
        const std::uint32_t typical = iris_typical_compared(layout);
        for (const int rotation : {0, 1, 15, 64}) {
            const IrisTemplate probe = an_iris(random, layout, 2);
            const IrisTemplate reference = an_iris(random, layout, 3);
            float best = 0.0F;
            for (int angles = -rotation; angles <= rotation; ++angles) {
                const MaskedHamming one = counted(iris_rotated(probe, angles), reference);
                best = std::max(best, iris_similarity(one, typical));
            }
            const IrisProbes ready(probe, rotation);
            CHECK(std::abs(ready.similarity(0, reference.bits.data()) - best) <= 1e-6F);
            CHECK(iris_similarity(probe, reference, rotation) ==
                  ready.similarity(0, reference.bits.data()));
        }
    }
}

void an_iris_is_found_within_the_rotation_and_not_beyond() {
    std::mt19937 random(4);
    const Template iris = an_iris(random);
    const Template turned = iris_rotated(std::get<IrisTemplate>(iris), 15);
    CHECK(similarity(iris, turned, 15) == 1.0F);
    CHECK(similarity(turned, iris, 15) == 1.0F);
    CHECK(similarity(iris, turned, 14) < 0.65F);
    CHECK(refused([&] { similarity(iris, turned, 65); }) == "ROTATION_OUT_OF_RANGE");
    const Template other = an_iris(random, {4, 16, 200});
    CHECK(refused([&] { similarity(iris, other, 1); }) == "DIMENSION_MISMATCH");
}

void few_compared_bits_say_little() {
    const std::uint32_t typical = iris_typical_compared(kDefaultIrisLayout);
    CHECK(iris_similarity({0, 0}, typical) == 0.5F);
    CHECK(iris_similarity({2048, 0}, typical) == 1.0F);
    CHECK(iris_similarity({2048, 2048}, typical) == 0.0F);
    CHECK(iris_similarity({10, 0}, typical) < 0.6F);
    CHECK(iris_similarity({10, 10}, typical) > 0.4F);
}

void what_is_no_iris_is_refused() {
    const std::vector<std::uint8_t> zeros(256);
    CHECK(refused([&] { iris_from_bytes(zeros, zeros); }) == "MASK_EMPTY");
    CHECK(refused([&] { iris_from_bytes(zeros, {}); }) == "TEMPLATE_MALFORMED");
    CHECK(refused([&] { iris_from_bytes({}, zeros); }) == "TEMPLATE_MALFORMED");
    CHECK(refused([&] { iris_from_bytes(zeros, zeros, {2, 8, 129}); }) == "TEMPLATE_MALFORMED");
    for (const IrisLayout layout : {IrisLayout{0, 8, 128}, IrisLayout{1, 1, 9},
                                    IrisLayout{64, 64, 64}, IrisLayout{65535, 65535, 65535}}) {
        CHECK(refused([&] { iris_from_bytes(zeros, zeros, layout); }) == "LAYOUT_OUT_OF_RANGE");
    }
}

}  // namespace

int main() {
    bits_are_read_row_by_row();
    a_rotation_moves_every_angle_of_every_row();
    the_best_rotation_has_the_greatest_similarity();
    an_iris_is_found_within_the_rotation_and_not_beyond();
    few_compared_bits_say_little();
    what_is_no_iris_is_refused();
}
