"""Run a target under atheris: `python -m tests.fuzz.run packet -max_total_time=60`.

Further arguments are libFuzzer's. Without atheris, seeds are mutated at random for a while:
`python -m tests.fuzz.run packet 10` does so for ten seconds, and prints how to repeat a failure.
"""

import importlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

TARGETS: Final = ("packet", "biometrics", "wire", "envelope", "sealed", "segment")


def load(name: str) -> tuple[Callable[[bytes], None], list[bytes]]:
    """Return a target's fuzz_one and its seeds."""
    module = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    return module.fuzz_one, module.seeds()


def mutate(seed: bytes, rng: random.Random) -> bytes:
    """Return seed with a few bytes changed, removed, repeated or cut."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0 if at < len(data):
                data[at] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 32)]
            case _:
                data[at:at] = rng.randbytes(rng.randint(1, 4))
    return bytes(data if rng.random() < 0.9 else data[: rng.randrange(len(data) + 1)])


def run_random(name: str, seconds: float, run_seed: int) -> int:
    """Feed mutated seeds for some seconds; return how many inputs there were."""
    fuzz_one, seeds = load(name)
    rng = random.Random(run_seed)
    end = time.monotonic() + seconds
    runs = 0
    while time.monotonic() < end:
        data = mutate(rng.choice(seeds), rng)
        try:
            fuzz_one(data)
        except BaseException:
            print(f"target {name}, run seed {run_seed}, input {data.hex()}", file=sys.stderr)
            raise
        runs += 1
    return runs


def main(arguments: list[str]) -> None:
    """Run the target that the first argument names."""
    name, *rest = arguments
    if name not in TARGETS:
        raise SystemExit(f"targets: {', '.join(TARGETS)}")
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        run_seed = random.SystemRandom().randrange(1 << 32)
        seconds = float(rest[0]) if rest else 10.0
        print(f"{run_random(name, seconds, run_seed)} inputs; atheris is not installed")
        return
    with atheris.instrument_imports():
        fuzz_one, seeds = load(name)
    with tempfile.TemporaryDirectory() as corpus:
        for index, seed in enumerate(seeds):
            (Path(corpus) / f"seed{index}").write_bytes(seed)
        atheris.Setup([sys.argv[0], *rest, corpus], fuzz_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
