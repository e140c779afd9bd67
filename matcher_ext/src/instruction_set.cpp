#include "idmesh/matcher/instruction_set.hpp"

#include <cstdlib>
#include <optional>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace idmesh::matcher {

namespace {

#if defined(__x86_64__)

struct Registers {
    unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) noexcept {
    Registers r;
    __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
    return r;
}

// Which register states the operating system saves (Intel SDM volume 1, 13.3).
unsigned long long saved_states() noexcept {
    constexpr unsigned kOsxsave = 1U << 27;
    if ((cpuid(1).c & kOsxsave) == 0) {
        return 0;
    }
    unsigned low = 0;
    unsigned high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<unsigned long long>(high) << 32 | low;
}

bool saves(unsigned long long states) noexcept {
    return (saved_states() & states) == states;
}

bool has_avx2() noexcept {
    constexpr unsigned long long kYmm = 0x6;
    return saves(kYmm) && (cpuid(7).b & 1U << 5) != 0;
}

bool has_avx512() noexcept {
    constexpr unsigned long long kZmm = 0xE6;
    constexpr unsigned kLeafB = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;  // F, DQ, BW, VL
    constexpr unsigned kLeafC = 1U << 1 | 1U << 11 | 1U << 14;              // VBMI, VNNI, VPOPCNTDQ
    const Registers leaf = cpuid(7);
    return has_avx2() && saves(kZmm) && (leaf.b & kLeafB) == kLeafB && (leaf.c & kLeafC) == kLeafC;
}

// Linux gives a process the tiles' state only when asked (Documentation/arch/x86/xstate.rst).
bool may_use_tiles() noexcept {
#if defined(__linux__)
    constexpr int kArchRequestPermission = 0x1023;
    constexpr int kTileData = 18;
    return syscall(SYS_arch_prctl, kArchRequestPermission, kTileData) == 0;
#else
    return false;
#endif
}

bool has_amx() noexcept {
    constexpr unsigned long long kTiles = 0x60000;
    constexpr unsigned kLeafD = 1U << 24 | 1U << 25;  // TILE, INT8
    return has_avx512() && saves(kTiles) && (cpuid(7).d & kLeafD) == kLeafD && may_use_tiles();
}

#else

bool has_avx2() noexcept {
    return false;
}
bool has_avx512() noexcept {
    return false;
}
bool has_amx() noexcept {
    return false;
}

#endif

struct Chosen {
    InstructionSet set;
    const char* refused;
};

Chosen choose() noexcept {
    std::optional<InstructionSet> named;
    InstructionSet best = InstructionSet::serial;
    const char* asked = std::getenv("IDMESH_MATCHER_SET");
    const std::string_view name = asked != nullptr ? asked : "";
    for (const InstructionSet set : kInstructionSets) {
        if (can_run(set)) {
            best = set;
            if (name == name_of(set)) {
                named = set;
            }
        }
    }
    if (name.empty()) {
        return {best, nullptr};
    }
    return named ? Chosen{*named, nullptr} : Chosen{best, asked};
}

const Chosen& chosen() noexcept {
    static const Chosen once = choose();
    return once;
}

}  // namespace

const char* name_of(InstructionSet set) noexcept {
    switch (set) {
        case InstructionSet::serial:
            return "serial";
        case InstructionSet::avx2:
            return "avx2";
        case InstructionSet::avx512:
            return "avx512";
        case InstructionSet::amx:
            return "amx";
    }
    return "";
}

bool can_run(InstructionSet set) noexcept {
    static const bool avx2 = has_avx2();
    static const bool avx512 = has_avx512();
    static const bool amx = has_amx();
    switch (set) {
        case InstructionSet::serial:
            return true;
        case InstructionSet::avx2:
            return avx2;
        case InstructionSet::avx512:
            return avx512;
        case InstructionSet::amx:
            return amx;
    }
    return false;
}

InstructionSet instruction_set() noexcept {
    return chosen().set;
}

const char* refused_instruction_set() noexcept {
    return chosen().refused;
}

}  // namespace idmesh::matcher
