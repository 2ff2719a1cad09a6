"""Rules: what somebody wants done to packets, and how it is said.

A rule is any callable that is shown a packet and its journey and answers with a
verdict, or with None if it has no opinion.  Rules are asked in the order in
which they were installed, before the link; the first answer wins, and each
sees a packet once, also one that is held for a while.  A rule may keep a state and
throw ``journey.die``, which is its own.

An error in a rule is its author's to see, and no packet's fate: it leaves through the call that
sent the packet, which has then not been sent at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

from asyncipc.network.counts import CAUSES

if TYPE_CHECKING:
    from asyncipc.network.dice import Die
    from asyncipc.network.fabric import Fabric
    from asyncipc.network.flight import Flight
    from asyncipc.network.packet import Packet

SECOND: Final = 1_000_000_000


def nanoseconds(seconds: float) -> int:
    """A time that a rule or a schedule has given.  ValueError: there is none such."""
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"a time is 0 seconds or more, and finite, not {seconds}")
    return round(seconds * SECOND)


@final
@dataclass(frozen=True, slots=True)
class Drop:
    """It does not arrive."""

    cause: str = "rule"

    def __post_init__(self) -> None:
        if self.cause not in CAUSES:
            raise ValueError(f"{self.cause!r} is no cause; there are {', '.join(CAUSES)}")


@final
@dataclass(frozen=True, slots=True)
class Delay:
    """It takes so much longer than the link says, and others may overtake it."""

    seconds: float

    def __post_init__(self) -> None:
        nanoseconds(self.seconds)


@final
@dataclass(frozen=True, slots=True, init=False)
class Deliver:
    """It arrives after exactly so many seconds, whatever the link says; several make copies."""

    delays: tuple[float, ...]

    def __init__(self, *delays: float) -> None:
        if not delays:
            raise ValueError("a packet that is never delivered is dropped: Drop()")
        for delay in delays:
            nanoseconds(delay)
        object.__setattr__(self, "delays", delays)


@final
@dataclass(frozen=True, slots=True)
class Replace:
    """Another goes in its place, perhaps to another host."""

    packet: Packet


@final
@dataclass(frozen=True, slots=True)
class Hold:
    """It stays until the rule releases it, or is removed; then the rules behind are asked."""


@final
@dataclass(frozen=True, slots=True)
class Reset:
    """A TCP connection is broken: both ends are sent a RST in the name of the other.

    ``passes``: the packet itself goes on, before the RST, with ``packet`` in its
    place if there is one.  Otherwise it is dropped (``cut``), as what is not TCP's always is.
    """

    passes: bool = False
    packet: Packet | None = None


@final
@dataclass(frozen=True, slots=True)
class Pass:
    """It goes by the link, and nobody else is asked."""


PASS: Final = Pass()

Verdict: TypeAlias = Drop | Delay | Deliver | Replace | Hold | Reset | Pass


class Journey(NamedTuple):
    """``source``, ``target``: names of hosts.  ``now``: nanoseconds.  ``die``: the rule's own."""

    source: str
    target: str
    now: int
    die: Die


Rule: TypeAlias = Callable[["Packet", Journey], Verdict | None]


@final
class Installed:
    """A rule in use.  As a context manager it is removed at the end.

    ``sequence``: its place among all.  ``held``: what it holds, in order.
    """

    __slots__ = ("_fabric", "die", "held", "is_installed", "name", "rule", "sequence")

    def __init__(self, fabric: Fabric, rule: Rule, name: str, sequence: int, die: Die) -> None:
        self._fabric = fabric
        self.rule = rule
        self.name = name
        self.sequence = sequence
        self.die = die
        self.held: dict[Flight, None] = {}
        self.is_installed = True

    def release(self, stays: Callable[[str, str], bool] | None = None) -> None:
        """What it holds goes on, in order, all at once; but not what ``stays``, by the
        names of the hosts.
        """
        self._fabric.release(self, stays)

    def discard(self) -> None:
        """What it holds is dropped, for cause ``rule``."""
        for flight in tuple(self.held):
            self._fabric.drop(flight, "rule")

    def remove(self) -> None:
        """It is asked no more, and releases what it holds.  Twice is once."""
        self._fabric.remove(self)

    def __enter__(self) -> Installed:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def describe(self) -> str:
        return f"{self.name}, holds {len(self.held)}" if self.held else self.name
