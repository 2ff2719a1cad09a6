"""Random programs on the simulated machine and on the real kernel.

    python -m tests.linux.differential [FAMILY ...] [--operations N] [--seed S] [--jobs N]

Each family prints how many programs and operations ran and where the two
machines differed.  A difference is cut down to a short script, a case that
``tests.linux.replay`` takes; ``--save FILE`` writes them all into such a file.
Differences that are known are counted by their name (``generate/excluded.py``).
Exit status: 0, 1 if there was a difference without an explanation.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice, repeat
from multiprocessing import SimpleQueue
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

from tests.linux.generate import FAMILIES
from tests.linux.generate.composing import Program, composed, rehearsed
from tests.linux.generate.excluded import reason
from tests.linux.machine import Case
from tests.linux.oplang import Written, parse
from tests.linux.real.conductor import outcomes

OPERATIONS: Final = 10_000
LENGTH: Final = 120
"""Operations of one program."""
PATIENCE_S: Final = 0.004
"""How long a task must be seen asleep to count as blocked: nothing here is timed."""
PATIENT_S: Final = 0.05
HANDFUL: Final = 25
"""How many programs a worker does in one go."""
CUTS_MAX: Final = 200
"""How many shorter programs are tried to cut a difference down."""

Kernel: TypeAlias = Callable[[Case], list[Written]]
PatientKernel: TypeAlias = Callable[[Case, float], list[Written]]


@dataclass(frozen=True)
class Difference:
    """Where the two machines parted: the program up to there, and what each gave last."""

    case: str
    program: tuple[tuple[str, Written], ...]
    simulated: Written
    real: Written

    @property
    def line(self) -> str:
        return self.program[-1][0]

    @property
    def kind(self) -> str:
        """What differences of one cause have in common, more or less."""
        return f"{parse(self.line).op}: {_shape(self.simulated)} -> {_shape(self.real)}"

    def script(self) -> dict[str, object]:
        """A case for the replayer: what Linux did."""
        steps = [[line, outcome] for line, outcome in self.program[:-1]]
        return {"id": self.case, "steps": [*steps, [self.line, self.real]]}

    def __str__(self) -> str:
        lines = [f"  {line:<44} {json.dumps(outcome)}" for line, outcome in self.program[:-1]]
        last = f"  {self.line:<44} {json.dumps(self.real)}"
        return "\n".join([self.case, *lines, last, f"  simulated: {json.dumps(self.simulated)}"])


def _shape(outcome: Written) -> str:
    return re.sub(r"\d+", "N", json.dumps(outcome))[:40]


@dataclass
class Tally:
    programs: int = 0
    operations: int = 0
    unsteady: int = 0
    """Differences that a second, more patient look did not show: races, or a busy machine."""
    explained: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.programs += other.programs
        self.operations += other.operations
        self.unsteady += other.unsteady
        self.explained += other.explained
        self.differences += other.differences


def steady(case: str, program: Program, kernel: PatientKernel) -> Difference | None:
    """A difference that a second, more patient look shows again."""
    if difference(case, program, lambda first: kernel(first, PATIENCE_S)) is None:
        return None
    return difference(case, program, lambda again: kernel(again, PATIENT_S))


def difference(case: str, program: Program, kernel: Kernel) -> Difference | None:
    """The first step that the real kernel does otherwise than the program says."""
    got = kernel(Case(case, tuple(program)))
    for index, ((_, simulated), real) in enumerate(zip(program, got, strict=True)):
        if simulated != real:
            return Difference(case, tuple(program[: index + 1]), simulated, real)
    return None


def cut(found: Difference, kernel: Kernel) -> Difference:
    """The same difference in as few lines as removing some, again and again, leads to."""
    groups = _groups(found)
    size = max(len(groups) // 2, 1)
    cuts = 0
    while size and cuts < CUTS_MAX:
        shorter = None
        for start in range(max(len(groups) - 1 - size, 0), -1, -size):
            cuts += 1
            shorter = _still(found, groups[:start] + groups[start + size :], kernel)
            if shorter is not None:
                found, groups = shorter, _groups(shorter)
                break
        if shorter is None:
            size //= 2
    return found


def _groups(found: Difference) -> list[list[str]]:
    """The lines of a program; a pause stays with what it is for."""
    groups: list[list[str]] = []
    for line, _ in found.program:
        if groups and parse(line).op == "sleep":
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _still(found: Difference, groups: Sequence[list[str]], kernel: Kernel) -> Difference | None:
    """Does a shorter program part the machines at the same line?  Twice: it must be no accident."""
    program = rehearsed([line for group in groups for line in group])
    for _ in range(2):
        now = difference(found.case, program, kernel)
        if now is None or now.line != found.line:
            return None
        if reason(now.case, now.program, now.simulated, now.real):
            return None
    return now


def calls_in(program: Sequence[tuple[str, Written]]) -> int:
    """How many lines are no ``join`` and no pause."""
    return sum(parse(line).op not in {"join", "sleep"} for line, _ in program)


def quick(case: Case) -> list[Written]:
    return outcomes(case, PATIENCE_S)


def explored(family: str, seeds: Sequence[str], length: int) -> Tally:
    """Programs of one family, one for each seed."""
    tally = Tally()
    for seed in seeds:
        program = composed(FAMILIES[family](Random(seed)), length)
        first = difference(seed, program, quick)
        found = first and steady(seed, program, outcomes)
        tally.unsteady += bool(first and not found)
        tally.programs += 1
        tally.operations += calls_in(found.program if found else program)
        if found is None:
            continue
        known = reason(family, found.program, found.simulated, found.real)
        if known:
            tally.explained[known] += 1
        else:
            new = found.kind not in {other.kind for other in tally.differences}
            tally.differences.append(cut(found, quick) if new else found)
    return tally


def _shares(family: str, seed: str, begun: int, programs: int) -> Iterator[list[str]]:
    """The seeds of the next programs, by handfuls."""
    seeds = [f"{family}:{seed}:{begun + number}" for number in range(programs)]
    for start in range(0, programs, HANDFUL):
        yield seeds[start : start + HANDFUL]


def _stay(places: SimpleQueue[int]) -> None:
    """Keep to one processor with all workers: only one works at a time, and wakes the next."""
    os.sched_setaffinity(0, {places.get()})
    gc.freeze()


def explore(family: str, seed: str, operations: int, length: int, jobs: int) -> Tally:
    total = Tally()
    places: SimpleQueue[int] = SimpleQueue()
    for place in islice(cycle(sorted(os.sched_getaffinity(0))), jobs):
        places.put(place)
    with ProcessPoolExecutor(jobs, initializer=_stay, initargs=(places,)) as pool:
        while (missing := operations - total.operations) > 0:
            shares = _shares(family, seed, total.programs, -(-missing // length))
            for tally in pool.map(explored, repeat(family), shares, repeat(length)):
                total.add(tally)
    return total


def report(family: str, tally: Tally) -> None:
    kinds: dict[str, list[Difference]] = {}
    for found in tally.differences:
        kinds.setdefault(found.kind, []).append(found)
    for alike in kinds.values():
        print(
            min(alike, key=lambda found: len(found.program)), f"  so often: {len(alike)}", sep="\n"
        )
        print()
    known = sum(tally.explained.values())
    print(
        f"{family:<14} {tally.programs:>6} programs {tally.operations:>8} operations "
        f"{len(tally.differences):>4} differences, {known} explained, {tally.unsteady} unsteady"
    )
    for name, count in tally.explained.most_common():
        print(f"{'':<14} {count:>6} {name}")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.linux.differential",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("families", metavar="FAMILY", nargs="*", help=", ".join(FAMILIES))
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="for each family")
    parser.add_argument("--length", type=int, default=LENGTH, help="operations of a program")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--save", metavar="FILE", type=Path, help="the scripts, as cases")
    options = parser.parse_args(arguments)
    unknown = [family for family in options.families if family not in FAMILIES]
    if unknown:
        parser.error(f"there is no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    found: list[Difference] = []
    for family in options.families or FAMILIES:
        tally = explore(family, options.seed, options.operations, options.length, options.jobs)
        report(family, tally)
        found += tally.differences
    if options.save:
        cases = {"format": 1, "cases": [each.script() for each in found]}
        options.save.write_text(json.dumps(cases, indent=1) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
