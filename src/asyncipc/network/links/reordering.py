"""Reordering: packets that overtake others, or are overtaken.

``reorder PERCENT gap N`` of tc-netem(8), and how far: at once, as there, or by
so many seconds.  These packets keep no order, whatever the link keeps else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from asyncipc.network.dice import Die
from asyncipc.network.links.bounds import nanoseconds, probability, seconds, whole


@final
@dataclass(frozen=True, slots=True)
class Reordering:
    """After ``gap`` - 1 packets in order each next one is picked with probability ``share``,
    until one is.  That takes no time at all; or ``earlier`` or ``later`` seconds less or more
    than the others.
    """

    share: float
    gap: int = 1
    earlier: float | None = None
    later: float | None = None

    def __post_init__(self) -> None:
        probability("Reordering.share", self.share)
        whole("Reordering.gap", self.gap, 1)
        if self.earlier is not None and self.later is not None:
            raise ValueError("Reordering: a packet is either earlier or later, not both")
        for name in ("earlier", "later"):
            if (value := getattr(self, name)) is not None:
                seconds(f"Reordering.{name}", value)

    @property
    def picked_share(self) -> float:
        """Of all packets, in the long run."""
        return 1 / (self.gap - 1 + 1 / self.share) if self.share else 0.0


@final
class Overtaking:
    """A reordering at work on a link."""

    __slots__ = ("_count", "_die", "_model")

    def __init__(self, model: Reordering, die: Die) -> None:
        self._model = model
        self._die = die
        self._count = 0

    def picks(self) -> bool:
        """Is the next packet one of those?  (netem_enqueue in net/sched/sch_netem.c)"""
        model = self._model
        if self._count < model.gap - 1 or self._die.random() >= model.share:
            self._count += 1
            return False
        self._count = 0
        return True

    def shifted(self, delay_ns: int) -> int:
        model = self._model
        if model.later is not None:
            return delay_ns + nanoseconds(model.later)
        if model.earlier is not None:
            return max(0, delay_ns - nanoseconds(model.earlier))
        return 0
