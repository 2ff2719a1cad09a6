"""The report: medians, ratios, verdicts; as text and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median
from typing import final

from benchmarks.case import Case, Comparison, Limit
from benchmarks.rounds import Samples, ratio


@final
@dataclass(frozen=True)
class Verdict:
    """One line of the table; ``met`` is None where there is no bar."""

    case: str
    claim: str
    measured: str
    bar: str
    met: bool | None


def verdicts(case: Case, samples: Samples) -> Iterator[Verdict]:
    """Each comparison and each limit of a case, judged."""
    for comparison in case.comparisons:
        yield _compared(case, comparison, samples)
    for limit in case.limits:
        yield _limited(case, limit, samples)


def _compared(case: Case, comparison: Comparison, samples: Samples) -> Verdict:
    measured = ratio(samples, comparison.ours, comparison.peer)
    bar = comparison.at_least
    return Verdict(
        case.name,
        f"{comparison.ours} against {comparison.peer}",
        f"{measured:.2f}x",
        "" if bar is None else f">= {bar:.3g}x",
        None if bar is None else measured >= bar,
    )


def _limited(case: Case, limit: Limit, samples: Samples) -> Verdict:
    measured = median(samples[limit.ours])
    return Verdict(
        case.name,
        limit.ours,
        f"{measured:.2f} {case.unit}",
        f"<= {limit.at_most:g} {case.unit}",
        measured <= limit.at_most,
    )


def text(case: Case, samples: Samples) -> str:
    """A case's medians, then its verdicts."""
    rounds = len(next(iter(samples.values())))
    lines = [f"{case.name}: {case.work} ({case.unit}, {rounds} rounds)"]
    for name, costs in samples.items():
        lines.append(f"    {name:<34}{median(costs):>10.2f}   best {min(costs):.2f}")
    lines += (f"  {line(verdict)}" for verdict in verdicts(case, samples))
    return "\n".join(lines)


def line(verdict: Verdict) -> str:
    word = {None: "", True: "met", False: "NOT MET"}[verdict.met]
    return f"{verdict.claim:<58}{verdict.measured:>10}  {verdict.bar:<10}{word}".rstrip()


def summary(judged: Sequence[Verdict]) -> str:
    """How many bars are met, and which are not."""
    bars = [verdict for verdict in judged if verdict.met is not None]
    missed = [verdict for verdict in bars if not verdict.met]
    lines = [f"{len(bars) - len(missed)} bars met, {len(missed)} not met"]
    lines += (f"  {verdict.case}: {line(verdict)}" for verdict in missed)
    return "\n".join(lines)


def as_json(case: Case, samples: Samples) -> dict[str, object]:
    """All there is to know of a case, for later comparison."""
    return {
        "case": case.name,
        "work": case.work,
        "unit": case.unit,
        "samples": dict(samples),
        "medians": {name: median(costs) for name, costs in samples.items()},
        "verdicts": [asdict(verdict) for verdict in verdicts(case, samples)],
    }


def environment() -> dict[str, str]:
    """What the figures depend on."""
    packages = {name: version(name) for name in ("trio", "anyio")}
    return {"python": platform.python_version(), "system": platform.platform(), **packages}
