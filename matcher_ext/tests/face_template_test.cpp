#include "check.hpp"
#include "idmesh/matcher/comparison.hpp"

using namespace idmesh::matcher;

namespace {

void faces_compare_by_angle() {
    const Template east = face_from_vector(std::vector<float>{3, 0, 0});
    const Template north = face_from_vector(std::vector<float>{0, 0.5F, 0});
    const Template west = face_from_vector(std::vector<float>{-1e-30F, 0, 0});
    CHECK(similarity(east, east, 0) == 1.0F);
    CHECK(similarity(east, north, 0) == 0.5F);
    CHECK(similarity(east, west, 0) == 0.0F);
}

void what_is_no_face_is_refused() {
    CHECK(refused([] { face_from_vector({}); }) == "TEMPLATE_EMPTY");
    CHECK(refused([] { face_from_vector(std::vector<float>(3)); }) == "TEMPLATE_EMPTY");
    CHECK(refused([] { face_from_vector(std::vector<float>{NAN}); }) == "VALUE_NOT_FINITE");
    CHECK(refused([] { face_from_vector(std::vector<float>(5000, 1.0F)); }) ==
          "DIMENSION_MISMATCH");
}

}  // namespace

int main() {
    faces_compare_by_angle();
    what_is_no_face_is_refused();
}
