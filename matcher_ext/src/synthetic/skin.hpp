// What the fingers of one person, and the captures of one session, have in common.
#pragma once

#include "draws.hpp"
#include "idmesh/matcher/synthetic.hpp"

namespace idmesh::matcher::synthetic {

struct Skin {
    double dryness;    // mean 0, deviation 1: how hard its fingers are to read
    double density;    // of minutiae, about 1
    double roundness;  // mean 0, deviation 1: how many whorls
};
Skin skin_of(const Population& population, std::uint64_t person) noexcept;

// Which way the ridges of one finger run. After B. Sherlock and D. Monro, "A model for
// interpreting fingerprint topology", 1993: twice the orientation is the sum of the angles to the
// cores less those to the deltas. Arches, which have neither, bend upwards in the middle.
class RidgeFlow {
  public:
    RidgeFlow(Draws& draws, const Skin& skin, int position) noexcept;
    double turns(double x, double y) const noexcept;  // modulo 0.5

  private:
    struct Pole {
        double x;
        double y;
        bool core;
    };
    struct Wave {
        double x;  // waves to the pixel
        double y;
        double phase;
        double height;  // turns
    };
    int poles_ = 0;
    Pole pole_[4] = {};
    Wave wave_[3] = {};
    double bend_ = 0;
    double tilt_ = 0;
};

// How a capture of one finger differs from what the finger is.
struct FingerNoise {
    double severity;  // 0 none, about 1
    double missed;    // proportion of clear minutiae
    double spurious;  // proportion of those seen
    double jitter;    // pixels
    double turn;      // turns
};

// Press and drag of the skin: a smooth field that moves neighbours alike and turns them too.
class Distortion {
  public:
    Distortion(Draws& draws, double severity, double noise) noexcept;
    void move(double& x, double& y) const noexcept;

  private:
    struct Wave {
        double x;
        double y;
        double phase;
        double push_x;
        double push_y;
    };
    Wave wave_[2] = {};
    double swell_x_ = 0;
    double swell_y_ = 0;
    double twist_ = 0;  // radians in the middle, falling off outwards
};

}  // namespace idmesh::matcher::synthetic
