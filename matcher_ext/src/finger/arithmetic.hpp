// Exponential, cosine and sine by plain arithmetic in a fixed order. The C library's may differ in
// the last bit from one machine to the next, and a score must not.
#pragma once

namespace idmesh::matcher::arithmetic {

double exponential(double x) noexcept;  // x in [-700, 700]
double cosine(double angle) noexcept;   // angle in [-7, 7] radians
double sine(double angle) noexcept;

// The direction of (x, y), 256 to the turn, counter-clockwise from x, rounded.
int direction_of(float x, float y) noexcept;

}  // namespace idmesh::matcher::arithmetic
