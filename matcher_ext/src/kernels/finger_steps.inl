// The steps of finger comparison as plain loops, over columns of fixed length that the compiler
// makes vector code of. Included once by the file of each instruction set, inside its anonymous
// namespace, so that no copy is shared between sets; a set may have its own of some. Element by
// element in a fixed order: every set gives the same bits.

constexpr float kSeedNear = 8.0F;      // pixels that two minutiae may shift against each other
constexpr float kSeedElastic = 0.11F;  // and per pixel between them
constexpr float kTurnCosine = 0.85F;   // of the most that two seeds' turns may differ, 32 degrees
constexpr int kRounds = 4;
// In a small or blurred print the right pairs may not look alike at all; their agreement still
// shows.
constexpr float kUnlike = 0.2F;
constexpr float kSupport = 5.0F;  // by a seed in full agreement, relative to a seed's own
constexpr float kLeastSupport = 1e-6F;
constexpr float kPairNear = 9.0F;      // pixels that a paired minutia may be off
constexpr float kPairElastic = 0.07F;  // and per pixel from the middle of the paired ones
constexpr float kPairFarthest = 22.0F;

std::size_t padded(std::size_t count) noexcept {
    return (count + 15) / 16 * 16;
}

std::uint32_t bits_of(const std::uint64_t* words, std::size_t step) noexcept {
    std::uint32_t bits = 0;
    for (std::size_t w = 0; w < kDescriptorWords; ++w) {
        bits += static_cast<std::uint32_t>(__builtin_popcountll(words[w * step]));
    }
    return bits;
}

// The field of a neighbour on the grid of a minutia, or none (-1).
int field_of(const FingerTables& t, const Minutia& me, const Minutia& other) noexcept {
    const int x = other.x - me.x;
    const int y = other.y - me.y;
    if (x > kReach || x < -kReach || y > kReach || y < -kReach) {
        return -1;
    }
    const int cosine = t.grid_cosine[me.direction];
    const int sine = t.grid_sine[me.direction];
    const int along = ((cosine * x + sine * y) >> kGridShift) + kGrid / 2;
    const int across = ((cosine * y - sine * x) >> kGridShift) + kGrid / 2;
    if (along < 0 || along >= kGrid || across < 0 || across >= kGrid) {
        return -1;
    }
    return across * kGrid + along;
}

[[maybe_unused]] void describe(const Minutia* minutiae, std::size_t count,
                               Descriptor* out) noexcept {
    const FingerTables& t = finger_tables();
    for (std::size_t self = 0; self < count; ++self) {
        const Minutia& me = minutiae[self];
        std::uint16_t cells[kSpotDirections][kSpots] = {};
        for (std::size_t k = 0; k < count; ++k) {
            const int field = k == self ? -1 : field_of(t, me, minutiae[k]);
            if (field < 0) {
                continue;
            }
            const auto relative = static_cast<std::uint8_t>(minutiae[k].direction - me.direction);
            for (std::size_t d = 0; d < kSpotDirections; ++d) {
                const std::uint16_t weight = t.direction[relative][d];
                for (std::size_t s = 0; s < kSpots; ++s) {
                    cells[d][s] = static_cast<std::uint16_t>(
                        cells[d][s] + (static_cast<std::uint16_t>(weight * t.spot[field][s]) >> 8));
                }
            }
        }
        for (std::size_t w = 0; w < kDescriptorWords; ++w) {
            std::uint64_t bits = 0;
            for (std::size_t b = 0; b < 64; ++b) {
                const std::size_t cell = w * 64 + b;
                bits |= std::uint64_t{cells[cell / kSpots][cell % kSpots] >= kBitAt} << b;
            }
            out[self].bits[w] = bits;
        }
    }
}

// One row of the table: a probe minutia with all of the reference.
[[maybe_unused]] void gate_by_direction(std::uint8_t direction, const FingerPoints& reference,
                                        std::uint8_t* row) noexcept {
    for (std::size_t j = 0; j < kMaxMinutiae; ++j) {
        const auto turned =
            static_cast<std::uint8_t>(reference.direction[j] - direction + kMostTurned);
        row[j] = turned <= 2 * kMostTurned ? row[j] : std::uint8_t{0};
    }
}

[[maybe_unused]] void find_likeness(const FingerPoints& probe, const FingerPoints& reference,
                                    FingerLikeness& out) noexcept {
    const FingerTables& t = finger_tables();
    std::uint32_t weight[kMaxMinutiae] = {};
    for (std::size_t j = 0; j < reference.count; ++j) {
        weight[j] = t.weight[bits_of(reference.descriptors[j].bits, 1)];
    }
    for (std::size_t i = 0; i < probe.count; ++i) {
        const std::uint64_t* mine = probe.descriptors[i].bits;
        const std::uint32_t my_weight = t.weight[bits_of(mine, 1)];
        std::uint8_t* row = out.of[i];
        for (std::size_t j = 0; j < kMaxMinutiae; ++j) {
            std::uint32_t both = 0;
            for (std::size_t w = 0; w < kDescriptorWords; ++w) {
                both += static_cast<std::uint32_t>(
                    __builtin_popcountll(mine[w] & reference.descriptors[j].bits[w]));
            }
            const std::uint32_t alike = both * my_weight * weight[j] >> kLikenessShift;
            row[j] = static_cast<std::uint8_t>(alike < 255 ? alike : 255);
        }
        gate_by_direction(probe.direction[i], reference, row);
    }
}

// How many of the pairs are as alike as that.
[[maybe_unused]] std::size_t count_from(const FingerLikeness& likeness, std::size_t rows,
                                        std::uint8_t floor) noexcept {
    std::size_t count = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        std::uint8_t of_row = 0;  // at most kMaxMinutiae
        for (std::size_t j = 0; j < kMaxMinutiae; ++j) {
            of_row = static_cast<std::uint8_t>(of_row + (likeness.of[i][j] >= floor));
        }
        count += of_row;
    }
    return count;
}

// The least likeness, above 0, from which on there are at most that many pairs, if there is such. A
// minutia that is given twice makes more than enough pairs that are quite alike: then the first of
// these are seeds, for without any a finger would be unlike itself.
[[maybe_unused]] int seed_floor(const FingerLikeness& likeness, std::size_t rows,
                                std::size_t most) noexcept {
    int low = 1;
    int high = 255;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (count_from(likeness, rows, static_cast<std::uint8_t>(middle)) <= most) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void add_seed(const FingerTables& t, const FingerPoints& probe, std::size_t i,
              const FingerPoints& reference, std::size_t j, std::uint8_t likeness, std::size_t most,
              FingerSeeds& out) noexcept {
    const auto turned = static_cast<std::uint8_t>(reference.direction[j] - probe.direction[i]);
    const std::size_t k = out.count;
    if (k == most) {
        return;
    }
    ++out.count;
    out.probe[k] = static_cast<std::uint8_t>(i);
    out.reference[k] = static_cast<std::uint8_t>(j);
    out.probe_x[k] = probe.x[i];
    out.probe_y[k] = probe.y[i];
    out.reference_x[k] = reference.x[j];
    out.reference_y[k] = reference.y[j];
    out.cosine[k] = t.cosine[turned];
    out.sine[k] = t.sine[turned];
    out.likeness[k] = static_cast<float>(likeness) * (1.0F / 255.0F);
}

void pad_seeds(FingerSeeds& s) noexcept {
    for (std::size_t k = s.count; k < padded(s.count); ++k) {
        s.probe[k] = s.reference[k] = 0;
        s.probe_x[k] = s.probe_y[k] = s.reference_x[k] = s.reference_y[k] = 0.0F;
        s.cosine[k] = s.sine[k] = s.likeness[k] = 0.0F;
    }
}

[[maybe_unused]] void find_seeds(const FingerPoints& probe, const FingerPoints& reference,
                                 const FingerLikeness& likeness, std::size_t most,
                                 FingerSeeds& out) noexcept {
    const FingerTables& t = finger_tables();
    out.count = 0;
    const int floor = seed_floor(likeness, probe.count, most);
    for (std::size_t i = 0; i < probe.count; ++i) {
        for (std::size_t j = 0; j < reference.count; ++j) {
            if (likeness.of[i][j] >= floor) {
                add_seed(t, probe, i, reference, j, likeness.of[i][j], most, out);
            }
        }
    }
    pad_seeds(out);
}

// A root is dear: this is off by 4 % at most.
float length_of(float x, float y) noexcept {
    const float along = x < 0.0F ? -x : x;
    const float across = y < 0.0F ? -y : y;
    const float most = along > across ? along : across;
    const float least = along > across ? across : along;
    return 0.96F * most + 0.398F * least;
}

[[maybe_unused]] void find_agreement(const FingerSeeds& s, FingerAgreement& out) noexcept {
    const std::size_t columns = padded(s.count);
    for (std::size_t a = 0; a < s.count; ++a) {
        float* row = out.of[a];
        for (std::size_t b = 0; b < columns; ++b) {
            const float turn = s.cosine[a] * s.cosine[b] + s.sine[a] * s.sine[b];
            // Half way between the two seeds' turns; 1 / sqrt(2 + 2 turn) as a line, since turns
            // that differ much do not agree anyway.
            const float scale = 0.625F - 0.125F * turn;
            const float cosine = (s.cosine[a] + s.cosine[b]) * scale;
            const float sine = (s.sine[a] + s.sine[b]) * scale;
            const float x = s.probe_x[b] - s.probe_x[a];
            const float y = s.probe_y[b] - s.probe_y[a];
            const float off_x = s.reference_x[b] - s.reference_x[a] - (cosine * x - sine * y);
            const float off_y = s.reference_y[b] - s.reference_y[a] - (sine * x + cosine * y);
            const float allowed = kSeedNear + kSeedElastic * length_of(x, y);
            const float near = 1.0F - (off_x * off_x + off_y * off_y) / (allowed * allowed);
            const float turned = (turn - kTurnCosine) * (1.0F / (1.0F - kTurnCosine));
            const float agreed = (near > 0.0F ? near : 0.0F) * (turned > 0.0F ? turned : 0.0F);
            row[b] = agreed;
        }
        // A minutia has one partner: seeds that share one do not support each other.
        for (std::size_t b = 0; b < columns; ++b) {
            row[b] = s.probe[a] != s.probe[b] && s.reference[a] != s.reference[b] ? row[b] : 0.0F;
        }
    }
}

void find_support(const FingerSeeds& seeds, const FingerAgreement& agreement,
                  float* support) noexcept {
    alignas(64) float next[kMaxSeeds];
    const std::size_t columns = padded(seeds.count);
    for (std::size_t a = 0; a < columns; ++a) {
        support[a] = seeds.likeness[a];
    }
    for (int round = 0; round < kRounds; ++round) {
        for (std::size_t a = 0; a < columns; ++a) {
            next[a] = support[a];
        }
        // Column by column (the agreement is symmetric), so that the sums keep their order.
        for (std::size_t b = 0; b < seeds.count; ++b) {
            const float* column = agreement.of[b];
            const float by = kSupport * support[b];
            for (std::size_t a = 0; a < columns; ++a) {
                next[a] += column[a] * by;
            }
        }
        float largest = kLeastSupport;
        for (std::size_t a = 0; a < columns; ++a) {
            next[a] *= kUnlike + seeds.likeness[a];
            largest = next[a] > largest ? next[a] : largest;
        }
        const float share = 1.0F / largest;
        for (std::size_t a = 0; a < columns; ++a) {
            support[a] = next[a] * share;
        }
    }
}

[[maybe_unused]] void find_near(const FingerPoints& probe, const FingerPoints& reference,
                                const FingerMotion& m, FingerNear& out) noexcept {
    alignas(64) float apart[kMaxMinutiae];
    alignas(64) std::uint8_t is_near[kMaxMinutiae];
    const std::size_t columns = padded(reference.count);
    out.count = 0;
    for (std::size_t i = 0; i < probe.count; ++i) {
        const float x = m.cosine * probe.x[i] - m.sine * probe.y[i] + m.shift_x;
        const float y = m.sine * probe.x[i] + m.cosine * probe.y[i] + m.shift_y;
        const float reach = kPairNear + kPairElastic * length_of(x - m.middle_x, y - m.middle_y);
        const float most = reach < kPairFarthest ? reach : kPairFarthest;
        const float allowed = most * most;
        for (std::size_t j = 0; j < columns; ++j) {
            const float off_x = reference.x[j] - x;
            const float off_y = reference.y[j] - y;
            apart[j] = off_x * off_x + off_y * off_y;
            is_near[j] = apart[j] <= allowed;
        }
        for (std::size_t j = 0; j < reference.count; ++j) {
            if (is_near[j] != 0 && out.count < kMaxNear) {
                const std::size_t k = out.count++;
                out.probe[k] = static_cast<std::uint8_t>(i);
                out.reference[k] = static_cast<std::uint8_t>(j);
                out.apart[k] = apart[j];
                out.allowed[k] = allowed;
            }
        }
    }
}

[[maybe_unused]] void scan(const FingerScanProbe& probe, const FingerScanRows& rows,
                           std::size_t first, std::size_t last, std::uint16_t* scores) noexcept {
    const FingerTables& t = finger_tables();
    for (std::size_t row = first; row < last; ++row) {
        const std::uint64_t* words = rows.words + row * kScanWords;
        std::uint32_t sum = 0;
        for (std::size_t j = 0; j < kScanMinutiae; ++j) {
            const std::uint64_t* mine = words + j / 8 * 8 * kDescriptorWords + j % 8;
            std::uint64_t best = 0;
            for (std::size_t i = 0; i < probe.count; ++i) {
                std::uint64_t both = 0;
                for (std::size_t w = 0; w < kDescriptorWords; ++w) {
                    both += static_cast<std::uint64_t>(
                        __builtin_popcountll(mine[w * 8] & probe.words[i][w]));
                }
                const auto turned = static_cast<std::uint8_t>(
                    rows.minutiae[row * kScanMinutiae + j] - probe.direction[i] + kMostTurned);
                const std::uint64_t alike = turned <= 2 * kMostTurned ? both * probe.weight[i] : 0;
                best = alike > best ? alike : best;
            }
            const auto alike = static_cast<std::uint32_t>(
                best * t.weight[rows.bits[row * kScanMinutiae + j]] >> kLikenessShift);
            sum += alike > kScanFloor ? alike - kScanFloor : 0;
        }
        scores[row - first] = static_cast<std::uint16_t>(sum);
    }
}
