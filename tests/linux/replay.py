"""Replay measured Linux cases on a simulated machine, on the real kernel, or on both.

    python -m tests.linux.replay FILE [--machine sim|native|both] [--scope NAME]
                                 [--backend trio|asyncio] [PREFIX ...]

FILE has the format of ``observed.json``.  Each case runs in a fresh machine, or
in forked workers of the real one.  Each difference is printed as one block, and
last ``N passed, M failed``; on the real kernel also ``K skipped``, after the
reasons.  ``both`` compares each machine with what was measured, and the two
with each other.  Exit status: 0, 1 if a case failed, 2 if there is nothing to
run as asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.linux.machine import BackendName, Case, outcomes
from tests.linux.oplang import Written
from tests.linux.real.conductor import RealKernel
from tests.linux.real.rights import why_not, why_not_here

HERE: Final = Path(__file__).parent
MACHINES: Final[Mapping[str, tuple[str, ...]]] = {
    "sim": ("simulated",),
    "native": ("native",),
    "both": ("simulated", "native"),
}


class Refused(Exception):
    """What was asked for cannot be replayed; the message says why."""


@dataclass(frozen=True)
class Difference:
    case: str
    step: int
    line: str
    expected: Written
    got: Written

    def __str__(self) -> str:
        return (
            f"{self.case}\n"
            f"  step {self.step}: {self.line}\n"
            f"  expected: {json.dumps(self.expected)}\n"
            f"  got:      {json.dumps(self.got)}\n"
        )


@dataclass(frozen=True)
class Disagreement:
    """A step that two machines and the measurement do not all see alike."""

    case: str
    step: int
    line: str
    told: tuple[tuple[str, Written], ...]
    """Who told what, the measurement first."""

    def __str__(self) -> str:
        lines = [self.case, f"  step {self.step}: {self.line}"]
        lines += [f"  {who + ':':<10} {json.dumps(outcome)}" for who, outcome in self.told]
        return "\n".join(lines) + "\n"


def load(file: Path) -> list[Case]:
    try:
        cases = json.loads(file.read_text())["cases"]
        return [
            Case(
                case["id"],
                tuple((line, expected) for line, expected in case["steps"]),
                tuple(case.get("needs", ())),
            )
            for case in cases
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{file} is no file of cases: {error!r}") from error


def scope_ids(file: Path, name: str) -> Collection[str]:
    """The ids of a scope, by the scope.json beside the file or else beside us."""
    beside = file.parent / "scope.json"
    source = beside if beside.exists() else HERE / "scope.json"
    scopes: dict[str, list[str]] = json.loads(source.read_text())
    if name not in scopes:
        raise Refused(f"{source} has no scope {name!r}, only {', '.join(sorted(scopes))}")
    return frozenset(scopes[name])


def chosen(file: Path, scope: str | None, prefixes: Sequence[str]) -> list[Case]:
    """The cases of a file that a scope and prefixes select."""
    cases = load(file)
    ids = None if scope is None else scope_ids(file, scope)
    selected = [
        case
        for case in cases
        if (ids is None or case.id in ids) and (not prefixes or case.id.startswith(tuple(prefixes)))
    ]
    if cases and not selected:
        raise Refused(f"no case of {file} was selected")
    return selected


def differences(
    case: Case, backend: BackendName = "trio", real: RealKernel | None = None
) -> Iterator[Difference]:
    """Where a machine does not do what Linux did: the simulated one, or ``real``."""
    got = outcomes(case, backend) if real is None else real.outcomes(case)
    for step, ((line, expected), outcome) in enumerate(zip(case.steps, got, strict=True), 1):
        if outcome != expected:
            yield Difference(case.id, step, line, expected, outcome)


def disagreements(case: Case, backend: BackendName, real: RealKernel) -> Iterator[Disagreement]:
    """Where the measurement, the simulated machine and the real kernel are not of one mind."""
    both = zip(outcomes(case, backend), real.outcomes(case), strict=True)
    for step, ((line, measured), (simulated, native)) in enumerate(
        zip(case.steps, both, strict=True), 1
    ):
        if not measured == simulated == native:
            told = (("measured", measured), ("simulated", simulated), ("native", native))
            yield Disagreement(case.id, step, line, told)


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def count(self, found: Sequence[object], reason: str | None) -> None:
        """One case: a difference outweighs that a machine could not run it."""
        if found:
            self.failed += 1
        elif reason:
            self.skipped += 1
        else:
            self.passed += 1


def replay(cases: Sequence[Case], backend: BackendName, machine: str = "sim") -> int:
    """Replay and report; how many cases failed."""
    tally = Tally()
    reasons: dict[str, list[str]] = {}
    with ExitStack() as stack:
        real = stack.enter_context(RealKernel()) if "native" in MACHINES[machine] else None
        for case in cases:
            reason = why_not(case, real.isolated) if real else None
            if reason:
                reasons.setdefault(reason, []).append(case.id)
            found = _found(case, backend, machine, None if reason else real)
            tally.count(found, reason)
            for difference in found:
                print(difference)
    for reason, ids in reasons.items():
        print(f"skipped, {reason}: {' '.join(ids)}")
    skipped = f", {tally.skipped} skipped" * (real is not None)
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}")
    return tally.failed


def _found(
    case: Case, backend: BackendName, machine: str, real: RealKernel | None
) -> Sequence[Difference | Disagreement]:
    """What is to be reported of a case; ``real``: None where it cannot run there."""
    if machine == "both" and real:
        return list(disagreements(case, backend, real))
    if machine == "native" and not real:
        return []
    return list(differences(case, backend, real))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.linux.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("prefixes", metavar="PREFIX", nargs="*", help="only ids that start so")
    parser.add_argument("--machine", default="sim", help=f"{', '.join(MACHINES)} (default: sim)")
    parser.add_argument("--scope", metavar="NAME", help="only the ids that scope.json lists so")
    parser.add_argument("--backend", choices=("trio", "asyncio"), default="trio")
    options = parser.parse_intermixed_args(arguments)
    try:
        if options.machine not in MACHINES:
            raise Refused(f"--machine {options.machine}: only {', '.join(MACHINES)} can be")
        reason = why_not_here() if "native" in MACHINES[options.machine] else None
        if reason:
            raise Refused(f"--machine {options.machine}: {reason}")
        cases = chosen(options.file, options.scope, options.prefixes)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 1 if replay(cases, options.backend, options.machine) else 0


if __name__ == "__main__":
    sys.exit(main())
