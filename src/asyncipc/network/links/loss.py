"""Loss: which packets the wire swallows.

A model is a value; ``begin`` starts it on a link, with the link's die, and what
it answers is asked once for each packet: the cause for which it is lost, or None.
The two with a memory are tc-netem(8)'s, state for state (loss_gilb_ell and
loss_4state in net/sched/sch_netem.c); their parameters are probabilities, not percent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from asyncipc.network.dice import Die
from asyncipc.network.links.bounds import number, probability, whole

LOSS: Final = "loss"
BURST_LOSS: Final = "burst loss"

Judge: TypeAlias = Callable[[], str | None]


class Loss:
    """A model of loss."""

    __slots__ = ()

    def begin(self, die: Die) -> Judge:
        raise NotImplementedError


@final
@dataclass(frozen=True, slots=True)
class Bernoulli(Loss):
    """Each packet for itself, with probability ``share``."""

    share: float

    def __post_init__(self) -> None:
        probability("Bernoulli.share", self.share)

    def begin(self, die: Die) -> Judge:
        share, random = self.share, die.random
        return lambda: LOSS if random() < share else None


@final
@dataclass(frozen=True, slots=True)
class GilbertElliott(Loss):
    """Two states: ``loss gemodel P R 1-H 1-K`` of tc-netem(8).

    ``p``: from good to bad, ``r``: from bad to good, before each next packet.
    ``lost_in_bad`` (1-h) and ``lost_in_good`` (1-k): what either loses.  In the long run
    p / (p + r) of the time is bad.
    """

    p: float
    r: float
    lost_in_bad: float = 1.0
    lost_in_good: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p", "r", "lost_in_bad", "lost_in_good"):
            probability(f"GilbertElliott.{name}", getattr(self, name))

    @classmethod
    def of(cls, rate: float, burst: float) -> GilbertElliott:
        """That loses ``rate`` of all packets, on average ``burst`` in a row."""
        probability("GilbertElliott.of: rate", rate)
        if rate == 1:
            raise ValueError("GilbertElliott.of: rate must be below 1: bursts would not end")
        number("GilbertElliott.of: burst", burst, 1)
        r = 1 / burst
        p = rate * r / (1 - rate)
        if p > 1:
            raise ValueError(
                f"GilbertElliott.of: bursts of {burst:g} lose at most {burst / (burst + 1):g}"
                f" of all packets, not {rate!r}"
            )
        return cls(p, r)

    def begin(self, die: Die) -> Judge:
        leave = self.p, self.r
        lost = self.lost_in_good, self.lost_in_bad
        random, bad = die.random, 0

        def judge() -> str | None:
            nonlocal bad
            state = bad
            if random() < leave[state]:
                bad = 1 - state
            return BURST_LOSS if random() < lost[state] else None

        return judge


@final
@dataclass(frozen=True, slots=True)
class FourState(Loss):
    """``loss state P13 [P31 [P32 [P23 P14]]]`` of tc-netem(8), with its defaults.

    1: received in a gap, 2: received within a burst, 3: lost within a burst, 4: lost alone
    in a gap.  From 4 it is always back to 1.
    """

    p13: float
    p31: float | None = None
    p32: float = 0.0
    p23: float = 1.0
    p14: float = 0.0

    def __post_init__(self) -> None:
        probability("FourState.p13", self.p13)
        if self.p31 is None:
            object.__setattr__(self, "p31", 1 - self.p13)
        for name in ("p31", "p32", "p23", "p14"):
            probability(f"FourState.{name}", getattr(self, name))
        for one, other in (("p13", "p14"), ("p31", "p32")):
            if getattr(self, one) + getattr(self, other) > 1:
                raise ValueError(f"FourState: {one} + {other} must be at most 1")

    def begin(self, die: Die) -> Judge:
        assert self.p31 is not None
        p13, p31, p32, p23, p14 = self.p13, self.p31, self.p32, self.p23, self.p14
        ways = {
            1: ((p14, 4), (p14 + p13, 3)),
            2: ((p23, 3),),
            3: ((p32, 2), (p32 + p31, 1)),
            4: ((1.0, 1),),
        }
        random, state = die.random, 1

        def judge() -> str | None:
            nonlocal state
            drawn = random()
            state = next((to for bound, to in ways[state] if drawn < bound), state)
            return BURST_LOSS if state >= 3 else None

        return judge


@final
@dataclass(frozen=True, slots=True, init=False)
class Exactly(Loss):
    """The packets of these numbers, counted from 1 since the model is in force; no die."""

    numbers: tuple[int, ...]

    def __init__(self, *numbers: int) -> None:
        chosen = sorted({whole("Exactly: a packet's number", given, 1) for given in numbers})
        object.__setattr__(self, "numbers", tuple(chosen))

    def begin(self, die: Die) -> Judge:
        left, count = list(reversed(self.numbers)), 0

        def judge() -> str | None:
            nonlocal count
            count += 1
            if not left or left[-1] != count:
                return None
            left.pop()
            return LOSS

        return judge
