// Random numbers named by what they are for. No libm: the same bits on every machine.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace idmesh::matcher::synthetic {

// What is drawn; part of the name of a stream, so the numbers stay what they are.
enum class Subject : std::uint64_t {
    person_skin = 1,
    finger_pattern,
    finger_minutiae,
    finger_session,
    finger_capture,
    iris_master,
    iris_capture,
    iris_common,
    face_master,
    face_group,
    face_capture,
    person_events,
    session_events,
    iris_eye,
};

// A stream: the n-th number is a mix of the name and n (SplitMix64; Steele, Lea, Flood, 2014).
class Draws {
  public:
    Draws(Subject subject, std::initializer_list<std::uint64_t> name) noexcept;

    std::uint64_t bits() noexcept;
    double uniform() noexcept;  // in [0, 1)
    double between(double low, double high) noexcept;
    bool chance(double proportion) noexcept;
    double normal() noexcept;         // mean 0, deviation 1, within +-3.5
    int count(double mean) noexcept;  // near to Poisson's
    // Uniform, mean 0, deviation 1; count is a multiple of 4.
    void signs(float* out, int count) noexcept;

  private:
    std::uint64_t state_;
};

// Sine and cosine of an angle in turns, and the turns of a direction in (-0.5, 0.5]; to 1e-6.
double sine(double turns) noexcept;
double cosine(double turns) noexcept;
double turns_of(double y, double x) noexcept;

}  // namespace idmesh::matcher::synthetic
