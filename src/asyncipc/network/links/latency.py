"""Latency: how long a packet is under way, as a distribution to draw from.

A model is a value; its times are seconds.  ``draw`` answers nanoseconds.
Models and plain seconds add up: ``0.05 + Exponential(0.01)``.  Each asks its die
for as many numbers whatever comes out, but :class:`Normal`, which casts again what
fell below 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import final

from asyncipc.network.dice import Die
from asyncipc.network.links.bounds import nanoseconds, number, probability, seconds


class Latency:
    """A distribution of delays."""

    __slots__ = ()

    def draw(self, die: Die) -> int:
        """One delay, in nanoseconds."""
        raise NotImplementedError

    def __add__(self, other: Latency | float) -> Latency:
        return Sum(self, as_latency("latency", other))

    __radd__ = __add__


def as_latency(name: str, value: object) -> Latency:
    """A model as it is; seconds are a constant."""
    if isinstance(value, Latency):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be seconds or a latency model, not {value!r}")
    return Constant(seconds(name, value))


@final
@dataclass(frozen=True, slots=True)
class Constant(Latency):
    seconds: float

    def __post_init__(self) -> None:
        seconds("Constant.seconds", self.seconds)

    def draw(self, die: Die) -> int:
        return nanoseconds(self.seconds)


@final
@dataclass(frozen=True, slots=True)
class Uniform(Latency):
    """Evenly from ``low`` to ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        seconds("Uniform.low", self.low)
        number("Uniform.high (seconds)", self.high, self.low)

    def draw(self, die: Die) -> int:
        return nanoseconds(self.low + (self.high - self.low) * die.random())


@final
@dataclass(frozen=True, slots=True)
class Spread(Latency):
    """Evenly from ``-reach`` to ``reach``, around a latency that is no smaller: tc-netem(8)'s
    jitter.  For ``jitter`` alone.
    """

    reach: float

    def __post_init__(self) -> None:
        seconds("jitter", self.reach)

    @property
    def reach_ns(self) -> int:
        return nanoseconds(self.reach)

    def draw(self, die: Die) -> int:
        return nanoseconds(self.reach * (2 * die.random() - 1))


@final
@dataclass(frozen=True, slots=True)
class Normal(Latency):
    """The bell curve, truncated at 0: what is below is cast again, so the mean is a little more
    than ``mean`` where that is not many ``deviation`` s.
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        seconds("Normal.mean", self.mean)
        seconds("Normal.deviation", self.deviation)

    def draw(self, die: Die) -> int:
        while (value := die.normalvariate(self.mean, self.deviation)) < 0:
            pass
        return nanoseconds(value)


@final
@dataclass(frozen=True, slots=True)
class Exponential(Latency):
    mean: float

    def __post_init__(self) -> None:
        seconds("Exponential.mean", self.mean)

    def draw(self, die: Die) -> int:
        return nanoseconds(self.mean * die.expovariate(1.0))


@final
@dataclass(frozen=True, slots=True)
class Pareto(Latency):
    """Heavy-tailed: P(delay > x) = (``least`` / x) ** ``shape``; the mean is
    ``least * shape / (shape - 1)``.
    """

    least: float
    shape: float

    def __post_init__(self) -> None:
        seconds("Pareto.least", self.least)
        number("Pareto.shape", self.shape, 0)
        if self.shape <= 1:
            raise ValueError(f"Pareto.shape must be more than 1 (no mean else), not {self.shape!r}")

    def draw(self, die: Die) -> int:
        return nanoseconds(self.least * die.paretovariate(self.shape))


@final
@dataclass(frozen=True, slots=True)
class Bimodal(Latency):
    """Of ``share`` of all packets ``slow``, of the others ``fast``: seconds or models."""

    fast: Latency | float
    slow: Latency | float
    share: float
    _modes: tuple[Latency, Latency] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        probability("Bimodal.share", self.share)
        modes = as_latency("Bimodal.fast", self.fast), as_latency("Bimodal.slow", self.slow)
        object.__setattr__(self, "_modes", modes)

    def draw(self, die: Die) -> int:
        return self._modes[die.random() < self.share].draw(die)


@final
@dataclass(frozen=True, slots=True, init=False)
class Empirical(Latency):
    """As measured: each draw is one of ``samples``, all equally likely."""

    samples: tuple[float, ...]

    def __init__(self, samples: Iterable[float]) -> None:
        values = tuple(seconds("Empirical: a sample", sample) for sample in samples)
        if not values:
            raise ValueError("Empirical.samples must have at least one")
        object.__setattr__(self, "samples", values)

    def draw(self, die: Die) -> int:
        return nanoseconds(self.samples[die.randrange(0, len(self.samples))])


@final
@dataclass(frozen=True, slots=True, init=False)
class Quantiles(Latency):
    """As published: pairs (share of packets, seconds within which they arrive), straight between.

    The first share is 0, the last is 1: ``Quantiles([(0, 0.01), (0.5, 0.02), (1, 2)])``.
    """

    table: tuple[tuple[float, float], ...]

    def __init__(self, table: Iterable[tuple[float, float]]) -> None:
        rows = tuple(
            (probability("Quantiles: a share", share), seconds("Quantiles: a value", value))
            for share, value in table
        )
        shares, values = [row[0] for row in rows], [row[1] for row in rows]
        rising = all(a < b for a, b in pairwise(shares))
        if len(rows) < 2 or (shares[0], shares[-1]) != (0, 1) or not rising:
            raise ValueError(f"Quantiles.table: shares must rise from 0 to 1, not {shares}")
        if values != sorted(values):
            raise ValueError(f"Quantiles.table: values must not fall, not {values}")
        object.__setattr__(self, "table", rows)

    def draw(self, die: Die) -> int:
        share = die.random()
        index = bisect_right(self.table, share, key=lambda row: row[0])
        (left, low), (right, high) = self.table[index - 1], self.table[index]
        return nanoseconds(low + (high - low) * (share - left) / (right - left))


@final
@dataclass(frozen=True, slots=True)
class Sum(Latency):
    """One delay after the other."""

    first: Latency
    second: Latency

    def draw(self, die: Die) -> int:
        return self.first.draw(die) + self.second.draw(die)


def constant_part(model: Latency) -> tuple[int, Latency | None]:
    """``model`` as a constant (nanoseconds) and what there is to draw."""
    if isinstance(model, Constant):
        return nanoseconds(model.seconds), None
    if not isinstance(model, Sum):
        return 0, model
    first_ns, first = constant_part(model.first)
    second_ns, second = constant_part(model.second)
    both = Sum(first, second) if first and second else first or second
    return first_ns + second_ns, both
