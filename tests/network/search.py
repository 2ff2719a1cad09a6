"""Look for a seed whose world breaks a law.

``python -m tests.network.search [--seeds N] [--first SEED] [--jobs N]`` lives through the worlds
of N seeds (:mod:`tests.network.worlds`), prints a line for every hundred and, for each
that breaks a law, which and how to replay it; then it exits with status 1.
``--trace`` prints all that happens on the way, packet by packet.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.network.worlds import World


def broken(seed: int) -> tuple[int, str | None]:
    """Which law the world of ``seed`` breaks, if any, or what else went wrong."""
    try:
        World(seed).live()
    except Exception as error:  # whatever it is, it belongs to this seed
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        where = " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
        return seed, f"{type(error).__name__}: {error} ({where})"
    return seed, None


def replay(seed: int) -> str:
    return f"python -m tests.network.search --first {seed} --seeds 1 --trace"


def search(seeds: range, jobs: int = 1) -> Iterator[tuple[int, str | None]]:
    if jobs == 1:
        yield from map(broken, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(broken, seeds, chunksize=20)


def trace(seeds: range) -> int:
    for seed in seeds:
        world = World(seed, print)
        for conversation in world.conversations:
            print(conversation.describe())
        try:
            world.live()
        finally:
            print(*world.weather.log, sep="\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument("--trace", action="store_true")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.trace:
        return trace(seeds)
    found = 0
    for lived, (seed, law) in enumerate(search(seeds, asked.jobs), 1):
        if law is not None:
            found += 1
            print(f"seed {seed}: {law}\n  {replay(seed)}", flush=True)
        if lived % 100 == 0 or lived == len(seeds):
            print(f"{lived} seeds, {found} break a law", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
