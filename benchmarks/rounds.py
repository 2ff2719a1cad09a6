"""Rounds: every contender once, then every contender again."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from statistics import median
from typing import TypeAlias

from benchmarks.case import Case

Samples: TypeAlias = Mapping[str, list[float]]


def sample(case: Case, rounds: int) -> Samples:
    """The costs of each contender, one for each round."""
    samples: dict[str, list[float]] = {contender.name: [] for contender in case.contenders}
    for number in range(min(rounds, case.rounds_max)):
        order = case.contenders if number % 2 == 0 else case.contenders[::-1]
        for contender in order:
            gc.collect()
            samples[contender.name].append(contender.measure())
    return samples


def ratio(samples: Samples, ours: str, peer: str) -> float:
    """The median of the per-round ratios peer / ours."""
    return median(p / o for o, p in zip(samples[ours], samples[peer], strict=True))
