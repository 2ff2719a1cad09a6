"""Cuts: hosts that do not reach each other, and in which of three ways.

``drop``: packets vanish, as by a pulled cable.  ``hold``: they wait at the
beginning of their link, and go on in order when it heals.  ``reset``: TCP
connections across it are broken with a RST to either end, other packets vanish
(but a RST: it breaks them as well).

A cut is a rule that asks for names of hosts alone, and so do cuts compose: of
several, the first that was made has the say, and what one releases has the
others still before it.  Packets on their way keep going, unless ``in_flight``
says that they too are meant; then also those that others hold.  TCP's bytes can be
late or never come, and none is ever missing between two that did.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, final

from asyncipc.network.faults.rules import Drop, Hold, Installed, Journey, Reset, Verdict
from asyncipc.network.faults.verdicts import break_connection, is_reset

if TYPE_CHECKING:
    from asyncipc.network.fabric import Fabric
    from asyncipc.network.flight import Flight
    from asyncipc.network.packet import Packet

Hosts: TypeAlias = str | Iterable[str]
"""A name, or several."""
Manner: TypeAlias = Literal["drop", "hold", "reset"]

VERDICTS: Final[dict[str, Verdict]] = {"drop": Drop("cut"), "hold": Hold(), "reset": Reset()}


def names(hosts: Hosts) -> tuple[str, ...]:
    return (hosts,) if isinstance(hosts, str) else tuple(hosts)


class Reach(Protocol):
    """Whom a cut is between."""

    def severs(self, source: str, target: str) -> bool: ...
    def describe(self) -> str: ...


@final
class Groups:
    """Hosts of different groups.  One in several reaches them all; one in none, everybody."""

    def __init__(self, groups: tuple[tuple[str, ...], ...]) -> None:
        self._groups = groups
        self._bits: dict[str, int] = {}
        for index, group in enumerate(groups):
            for host in group:
                self._bits[host] = self._bits.get(host, 0) | 1 << index

    def severs(self, source: str, target: str) -> bool:
        one, other = self._bits.get(source, 0), self._bits.get(target, 0)
        return one != 0 != other and not one & other

    def describe(self) -> str:
        return " | ".join(" ".join(group) for group in self._groups)


@final
class OneWay:
    """From ``sources`` to ``targets``."""

    def __init__(self, sources: tuple[str, ...], targets: tuple[str, ...]) -> None:
        self._sources = dict.fromkeys(sources)
        self._targets = dict.fromkeys(targets)

    def severs(self, source: str, target: str) -> bool:
        return source in self._sources and target in self._targets

    def describe(self) -> str:
        return f"{' '.join(self._sources)} > {' '.join(self._targets)}"


@final
class Around:
    """Between ``inside`` and all others, known or not, one way or both."""

    def __init__(self, inside: tuple[str, ...], *, incoming: bool, outgoing: bool) -> None:
        self._inside = dict.fromkeys(inside)
        self._incoming = incoming
        self._outgoing = outgoing

    def severs(self, source: str, target: str) -> bool:
        if (source in self._inside) == (target in self._inside):
            return False
        return self._outgoing if source in self._inside else self._incoming

    def describe(self) -> str:
        way = "<" * self._incoming + ">" * self._outgoing
        return f"{' '.join(self._inside)} {way} all others"


@final
class Cut:
    """One cut.  As a context manager it is healed at the end.

    ``rule``: None once it is healed.
    """

    def __init__(self, cuts: Cuts, reach: Reach, how: Manner) -> None:
        if how not in VERDICTS:
            raise ValueError(f"a cut is one of {', '.join(VERDICTS)}, not {how!r}")
        self._cuts = cuts
        self._reach = reach
        self.how = how
        self._verdict = VERDICTS[how]
        self._healed: dict[tuple[str, str], None] = {}
        self.rule: Installed | None = None

    def severs(self, source: str, target: str) -> bool:
        return self._reach.severs(source, target) and (source, target) not in self._healed

    def __call__(self, packet: Packet, journey: Journey) -> Verdict | None:
        return self._verdict if self.severs(journey.source, journey.target) else None

    @property
    def held(self) -> tuple[Flight, ...]:
        return () if self.rule is None else tuple(self.rule.held)

    def heal(self, one: Hosts | None = None, other: Hosts | None = None) -> None:
        """All of it; or between two hosts (or any of one's and any of the other's), both
        ways.  What it holds there goes on.  Twice is once.
        """
        if self.rule is None:
            return
        if one is None or other is None:
            rule, self.rule = self.rule, None
            self._cuts.forget(self)
            rule.remove()
            return
        for source in names(one):
            for target in names(other):
                self._healed[source, target] = self._healed[target, source] = None
        self.rule.release(self.severs)

    def release(self) -> None:
        """What it holds goes on; what comes now is held."""
        if self.rule is not None:
            self.rule.release()

    def discard(self) -> None:
        """What it holds is dropped."""
        for flight in self.held:
            self._cuts.fabric.drop(flight, "cut")

    def __enter__(self) -> Cut:
        return self

    def __exit__(self, *error: object) -> None:
        self.heal()

    def describe(self) -> str:
        held = f", holds {len(self.held)}" if self.held else ""
        return f"{self.how} {self._reach.describe()}{held}"


@final
class Cuts:
    """All cuts of a network, in the order in which they were made."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self._active: dict[Cut, None] = {}

    @property
    def active(self) -> tuple[Cut, ...]:
        return tuple(self._active)

    def partition(self, *groups: Hosts, how: Manner = "drop", in_flight: bool = False) -> Cut:
        """Only hosts that have a group in common reach each other.  Hosts that
        are in none are not concerned.
        """
        if len(groups) < 2:
            raise ValueError(f"a partition has at least two groups, not {len(groups)}")
        return self._make(Groups(tuple(names(group) for group in groups)), how, in_flight)

    def cut(
        self, source: Hosts, target: Hosts, *, how: Manner = "drop", in_flight: bool = False
    ) -> Cut:
        """One way: what ``target`` sends still arrives."""
        return self._make(OneWay(names(source), names(target)), how, in_flight)

    def isolate(
        self,
        *hosts: str,
        how: Manner = "drop",
        in_flight: bool = False,
        incoming: bool = True,
        outgoing: bool = True,
    ) -> Cut:
        """From everybody else; several still reach each other."""
        if not hosts:
            raise ValueError("who is to be isolated?")
        return self._make(Around(hosts, incoming=incoming, outgoing=outgoing), how, in_flight)

    def hold(self, one: Hosts, other: Hosts, *, in_flight: bool = False) -> Cut:
        """Both ways: packets wait until it heals."""
        return self.partition(one, other, how="hold", in_flight=in_flight)

    def reset(self, one: Hosts, other: Hosts, *, in_flight: bool = False) -> Cut:
        """Both ways: connections break."""
        return self.partition(one, other, how="reset", in_flight=in_flight)

    def heal(self, one: Hosts | None = None, other: Hosts | None = None) -> None:
        """All cuts; or all that are between two hosts.  What is held goes on."""
        for cut in self.active:
            cut.heal(one, other)

    def forget(self, cut: Cut) -> None:
        self._active.pop(cut, None)

    def severs(self, source: str, target: str) -> bool:
        """Does any cut lie on the way?"""
        return any(cut.severs(source, target) for cut in self._active)

    def describe(self) -> str:
        return "; ".join(cut.describe() for cut in self._active)

    def _make(self, reach: Reach, how: Manner, in_flight: bool) -> Cut:
        cut = Cut(self, reach, how)
        cut.rule = self.fabric.rule(cut, looks_inside=False)
        self._active[cut] = None
        if in_flight:
            self._reach_in_flight(cut, cut.rule)
        return cut

    def _reach_in_flight(self, cut: Cut, rule: Installed) -> None:
        """One look at every link in use, as the cut is made."""
        fabric = self.fabric
        caught = [
            flight
            for lane in fabric.lanes()
            if lane.flights and cut.severs(lane.link.source, lane.link.target)
            for flight in lane.flights
        ]
        for flight in _in_due_order(caught):
            if cut.how == "hold":
                fabric.catch(flight, rule)
            elif not flight.is_over and not (cut.how == "reset" and is_reset(flight.packet)):
                fabric.drop(flight, "cut")
        if cut.how == "reset":
            _break_all(fabric, caught)


def _in_due_order(flights: list[Flight]) -> list[Flight]:
    return sorted(flights, key=lambda flight: flight.due_ns)


def _break_all(fabric: Fabric, flights: list[Flight]) -> None:
    """Each connection once, by the earliest of its packets that were on their way."""
    broken: dict[tuple[object, object], None] = {}
    for flight in flights:
        body = flight.packet.body
        ends = getattr(body, "source", None), getattr(body, "target", None)
        if ends not in broken:
            broken[ends] = None
            now = fabric.timers.now()
            break_connection(fabric, flight.lane, flight.packet, now, passed=False)
