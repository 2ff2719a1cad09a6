"""Two tests of a sample against a formula, each with the value that chance alone seldom passes.

``SEVERITY``: how seldom, if the formula is right.  Seeds are fixed, so a case that passes always
does; the severity says how much a wrong formula has to be wrong to be found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erfc, exp, log, sqrt

SEVERITY = 0.001
NORMAL_QUANTILE = 3.0902
"""Which a standard normal value exceeds with probability ``SEVERITY``."""


def kolmogorov_smirnov(samples: Sequence[float], cdf: Callable[[float], float]) -> float:
    """The greatest distance between ``cdf`` and the share of samples up to a value."""
    count = len(samples)
    return max(
        max((index + 1) / count - cdf(value), cdf(value) - index / count)
        for index, value in enumerate(sorted(samples))
    )


def kolmogorov_smirnov_limit(count: int) -> float:
    """Kolmogorov's distribution, by its first term (good to a percent from 35 samples on)."""
    return sqrt(-log(SEVERITY / 2) / 2 / count)


def chi_square(observed: Sequence[int], expected: Sequence[float]) -> float:
    """Pearson's; ``expected``: shares, which sum up to 1."""
    total = sum(observed)
    assert abs(sum(expected) - 1) < 1e-9
    assert min(expected) * total >= 5, "too few samples for the rarest"
    return sum(
        (seen - share * total) ** 2 / (share * total)
        for seen, share in zip(observed, expected, strict=True)
    )


def chi_square_limit(cells: int) -> float:
    """Wilson and Hilferty 1931: the cube root is nearly normal."""
    freedom = cells - 1
    return float(freedom * (1 - 2 / (9 * freedom) + NORMAL_QUANTILE * sqrt(2 / (9 * freedom))) ** 3)


def follows(samples: Sequence[float], cdf: Callable[[float], float]) -> bool:
    """Could the samples be of this distribution?"""
    return kolmogorov_smirnov(samples, cdf) < kolmogorov_smirnov_limit(len(samples))


def fits(observed: Sequence[int], expected: Sequence[float]) -> bool:
    """Could the counts be of these shares?"""
    return chi_square(observed, expected) < chi_square_limit(len(observed))


def tally(values: Sequence[int], cells: int) -> list[int]:
    """How often 1, 2, ... came, and in the last cell all the rest."""
    counts = [0] * cells
    for value in values:
        counts[min(value, cells) - 1] += 1
    return counts


def geometric(stop: float, cells: int) -> list[float]:
    """The shares of 1, 2, ... tries until it stops, and of all the rest."""
    shares = [stop * (1 - stop) ** index for index in range(cells - 1)]
    return [*shares, 1 - sum(shares)]


def runs(events: Sequence[bool], of: bool = True) -> list[int]:
    """The lengths of the runs of ``of`` that have both a beginning and an end."""
    lengths, length = [], 0
    for event in events:
        if event is of:
            length += 1
        elif length:
            lengths.append(length)
            length = 0
    return lengths[1:]


# -- distributions


def uniform(low: float, high: float) -> Callable[[float], float]:
    return lambda x: min(1.0, max(0.0, (x - low) / (high - low)))


def normal(mean: float, deviation: float) -> Callable[[float], float]:
    return lambda x: erfc((mean - x) / deviation / sqrt(2)) / 2


def truncated(cdf: Callable[[float], float]) -> Callable[[float], float]:
    """Given that it is not below 0."""
    below = cdf(0)
    return lambda x: (cdf(x) - below) / (1 - below)


def exponential(mean: float) -> Callable[[float], float]:
    return lambda x: 1 - exp(-max(0.0, x) / mean)


def pareto(least: float, shape: float) -> Callable[[float], float]:
    return lambda x: 1 - (least / x) ** shape if x > least else 0.0


def mixed(
    one: Callable[[float], float], other: Callable[[float], float], share: float
) -> Callable[[float], float]:
    return lambda x: (1 - share) * one(x) + share * other(x)


def straight(table: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Through (share, value) points."""

    def cdf(x: float) -> float:
        for (left, low), (right, high) in zip(table, table[1:], strict=False):
            if x < high:
                return max(left, left + (right - left) * (x - low) / (high - low))
        return 1.0

    return cdf
