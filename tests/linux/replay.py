"""Replay measured Linux cases on a simulated machine.

    python -m tests.linux.replay FILE [--scope NAME] [--backend trio|asyncio] [PREFIX ...]

FILE has the format of ``observed.json``.  Each case runs in a fresh machine;
each difference is printed as one block, and last ``N passed, N failed``.
Exit status: 0, 1 if a case failed, 2 if there is nothing to run as asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.linux.machine import BackendName, Case, outcomes
from tests.linux.oplang import Written

HERE: Final = Path(__file__).parent
MACHINES: Final = ("sim",)


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


def load(file: Path) -> list[Case]:
    try:
        cases = json.loads(file.read_text())["cases"]
        return [
            Case(case["id"], tuple((line, expected) for line, expected in case["steps"]))
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


def differences(case: Case, backend: BackendName = "trio") -> Iterator[Difference]:
    """Where the simulated machine does not do what Linux did."""
    got = outcomes(case, backend)
    for step, ((line, expected), outcome) in enumerate(zip(case.steps, got, strict=True), 1):
        if outcome != expected:
            yield Difference(case.id, step, line, expected, outcome)


def replay(cases: Sequence[Case], backend: BackendName) -> int:
    """Replay and report; how many cases failed."""
    failed = 0
    for case in cases:
        found = list(differences(case, backend))
        failed += bool(found)
        for difference in found:
            print(difference)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.linux.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("prefixes", metavar="PREFIX", nargs="*", help="only ids that start so")
    parser.add_argument("--machine", default="sim", help="sim, the only one there is yet")
    parser.add_argument("--scope", metavar="NAME", help="only the ids that scope.json lists so")
    parser.add_argument("--backend", choices=("trio", "asyncio"), default="trio")
    options = parser.parse_intermixed_args(arguments)
    try:
        if options.machine not in MACHINES:
            raise Refused(f"--machine {options.machine}: only 'sim' can be replayed on yet")
        cases = chosen(options.file, options.scope, options.prefixes)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 1 if replay(cases, options.backend) else 0


if __name__ == "__main__":
    sys.exit(main())
