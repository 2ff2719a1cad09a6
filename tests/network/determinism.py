"""The same seeds in two interpreters that hash differently: are their runs the same?

``python -m tests.network.determinism [--seeds N] [--first SEED] [--backend trio|asyncio]``
runs the gossip of :mod:`tests.network.gossip` for each seed in both, prints a
line for every hundred and each seed that differs, and then exits with status 1.
``--python`` gives the second interpreter, which may be another release.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

HASH_SEEDS = ("0", "4242")
HOUSE = Path(__file__).parents[2]


def told_by(python: str, hash_seed: str, backend: str, seeds: range) -> subprocess.Popen[str]:
    """An interpreter that prints a line for each seed."""
    paths = [str(HOUSE / "src"), str(HOUSE), os.environ.get("PYTHONPATH", "")]
    environment = dict(
        os.environ, PYTHONHASHSEED=hash_seed, PYTHONPATH=os.pathsep.join(filter(None, paths))
    )
    command = [python, "-m", "tests.network.gossip", backend, *map(str, seeds)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def differences(
    seeds: range, backend: str, pythons: Sequence[str] = (sys.executable, sys.executable)
) -> Iterator[tuple[int, bool]]:
    """Each seed, and whether its two runs differ."""
    with ExitStack() as stack:
        lines = []
        for python, hash_seed in zip(pythons, HASH_SEEDS, strict=True):
            teller = stack.enter_context(told_by(python, hash_seed, backend, seeds))
            stack.callback(teller.terminate)
            assert teller.stdout is not None
            lines.append(teller.stdout)
        for seed, (one, other) in zip(seeds, zip_longest(*lines, fillvalue=""), strict=False):
            said = one.partition(" ")[0], other.partition(" ")[0]
            yield seed, one != other or said != (str(seed), str(seed))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--backend", choices=("trio", "asyncio"), default="trio")
    parser.add_argument("--python", default=sys.executable)
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    differing, compared = [], 0
    for seed, differs in differences(seeds, asked.backend, (sys.executable, asked.python)):
        compared += 1
        if differs:
            differing.append(seed)
            print(f"seed {seed}: its two runs differ", flush=True)
        if compared % 100 == 0 or compared == len(seeds):
            print(f"{compared} seeds, {len(differing)} differ", flush=True)
    return 1 if differing or compared < len(seeds) else 0


if __name__ == "__main__":
    sys.exit(main())
