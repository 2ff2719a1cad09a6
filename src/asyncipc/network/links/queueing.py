"""Queueing: who may wait for a wire that is busy, and who is dropped.

A policy is a value; ``begin`` starts it on a port, and its *gate* is asked once
for each packet that comes.  Limits count what waits, not what is being sent
(as pfifo's, tc-pfifo(8)).  A drop has the cause ``queue``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isqrt
from typing import Final, NamedTuple, Protocol, final

from asyncipc.network.dice import Die
from asyncipc.network.links.bounds import nanoseconds, number, probability, seconds, whole

QUEUE: Final = "queue"


class Backlog(NamedTuple):
    """What a packet finds: how many wait and their bytes; how long it would wait, or how
    long nothing has been sent.
    """

    packets: int
    size: int
    wait_ns: int
    idle_ns: int


class Gate(Protocol):
    """A policy at work."""

    def admits(self, size: int, now: int, backlog: Backlog) -> bool:
        """May a packet of ``size`` bytes join?"""


class Queue:
    """A policy."""

    __slots__ = ()

    def begin(self, die: Die, rate: int) -> Gate:
        """``rate``: of the wire that it waits for, in bits per second."""
        raise NotImplementedError


@final
@dataclass(frozen=True, slots=True)
class TailDrop(Queue):
    """Whoever comes while ``packets`` or ``size`` bytes wait is dropped; one of them is enough."""

    packets: int | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        if self.packets is None and self.size is None:
            raise ValueError("TailDrop must have a limit: packets, size (bytes) or both")
        for name in ("packets", "size"):
            if (limit := getattr(self, name)) is not None:
                whole(f"TailDrop.{name}", limit, 1)

    def begin(self, die: Die, rate: int) -> Gate:
        return _Tail(self.packets or inf, self.size or inf)


@final
class _Tail:
    __slots__ = ("_packets", "_size")

    def __init__(self, packets: float, size: float) -> None:
        self._packets = packets
        self._size = size

    def admits(self, size: int, now: int, backlog: Backlog) -> bool:
        if not backlog.wait_ns:
            return True
        return backlog.packets < self._packets and backlog.size + size <= self._size


@final
@dataclass(frozen=True, slots=True)
class RandomEarly(Queue):
    """Random early detection (Floyd and Jacobson 1993, figure 2), counted in packets.

    Between ``least`` and ``most`` waiting on a moving average of ``weight``, packets are
    dropped with a probability that grows up to ``share``, and evenly apart; above, all.
    ``packets``: the hard limit.  Nothing is marked instead of dropped: no ECN.
    """

    packets: int = 50
    least: float = 5.0
    most: float = 15.0
    share: float = 0.02
    weight: float = 0.002

    def __post_init__(self) -> None:
        whole("RandomEarly.packets", self.packets, 1)
        number("RandomEarly.least", self.least, 0)
        number("RandomEarly.most", self.most, self.least)
        if self.most == self.least:
            raise ValueError(f"RandomEarly.most must be more than least, not {self.most!r}")
        probability("RandomEarly.share", self.share)
        probability("RandomEarly.weight", self.weight)

    def begin(self, die: Die, rate: int) -> Gate:
        return _RandomEarly(self, die, rate)


@final
class _RandomEarly:
    __slots__ = ("_average", "_die", "_passed", "_policy", "_rate")

    def __init__(self, policy: RandomEarly, die: Die, rate: int) -> None:
        self._policy = policy
        self._die = die
        self._rate = rate
        self._average = 0.0
        self._passed = -1

    def admits(self, size: int, now: int, backlog: Backlog) -> bool:
        policy = self._policy
        self._follow(size, backlog)
        if self._average < policy.least:
            self._passed = -1
        elif self._average >= policy.most or self._is_picked():
            self._passed = 0
            return False
        return backlog.packets < policy.packets or not backlog.wait_ns

    def _follow(self, size: int, backlog: Backlog) -> None:
        """The average; an idle time counts as so many packets of this size that found nobody."""
        weight = self._policy.weight
        if backlog.idle_ns:
            missed = backlog.idle_ns * self._rate // (size * 8_000_000_000)
            self._average *= (1 - weight) ** missed
        self._average += weight * (backlog.packets - self._average)

    def _is_picked(self) -> bool:
        policy = self._policy
        self._passed += 1
        share = policy.share * (self._average - policy.least) / (policy.most - policy.least)
        left = 1 - self._passed * share
        return left <= 0 or self._die.random() < share / left


@final
@dataclass(frozen=True, slots=True)
class CoDel(Queue):
    """Controlled delay (RFC 8289): waiting longer than ``target`` for an ``interval`` is too much.

    Who is dropped is decided when a packet comes, at the time at which it would be sent, which
    is known; only how much will wait behind it then is not, so that a queue of less than a
    packet is judged by what waits before it.  ``packets``: the hard limit.
    """

    target: float = 0.005
    interval: float = 0.1
    packets: int = 1000

    def __post_init__(self) -> None:
        seconds("CoDel.target", self.target)
        seconds("CoDel.interval", self.interval)
        whole("CoDel.packets", self.packets, 1)

    def begin(self, die: Die, rate: int) -> Gate:
        return _ControlledDelay(self)


@final
class _ControlledDelay:
    __slots__ = (
        "_above_ns", "_count", "_dropping", "_greatest", "_interval_ns", "_last_count",
        "_next_ns", "_packets", "_target_ns",
    )  # fmt: skip

    def __init__(self, policy: CoDel) -> None:
        self._target_ns = nanoseconds(policy.target)
        self._interval_ns = nanoseconds(policy.interval)
        self._packets = policy.packets
        self._above_ns = 0
        self._next_ns = 0
        self._count = self._last_count = 0
        self._greatest = 0
        self._dropping = False

    def admits(self, size: int, now: int, backlog: Backlog) -> bool:
        self._greatest = max(self._greatest, size)
        if backlog.packets >= self._packets:
            return False
        at = now + backlog.wait_ns
        if not self._is_too_late(at, backlog):
            self._dropping = False
            return True
        if self._dropping:
            if at < self._next_ns:
                return True
            self._count += 1
            self._next_ns = self._after(self._next_ns)
        else:
            self._begin_dropping(at)
        return False

    def _is_too_late(self, at: int, backlog: Backlog) -> bool:
        """dodequeue() of RFC 8289, 5.6."""
        if backlog.wait_ns < self._target_ns or backlog.size <= self._greatest:
            self._above_ns = 0
            return False
        if not self._above_ns:
            self._above_ns = at + self._interval_ns
            return False
        return at >= self._above_ns

    def _begin_dropping(self, at: int) -> None:
        """As often as the last time, if that is not long ago."""
        grown = self._count - self._last_count
        recent = at - self._next_ns < 16 * self._interval_ns
        self._dropping = True
        self._count = self._last_count = grown if grown > 1 and recent else 1
        self._next_ns = self._after(at)

    def _after(self, at: int) -> int:
        """The control law: an interval over the square root of the count."""
        return at + isqrt(self._interval_ns * self._interval_ns // self._count)
