"""Traffic: the packets that are on their way, link by link, and how they arrive.

A packet that takes no time arrives in the turn of its sender, unless an
earlier one of its link is still on its way.  No host is entered twice at a time:
what is sent while a packet arrives, and takes no time, waits until that is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from asyncipc.network.counts import Counts, LinkStatistics
from asyncipc.network.dice import Dice
from asyncipc.network.flight import Flight, Lane, check_alive
from asyncipc.network.links.conditions import PERFECT, Conditions
from asyncipc.network.links.link import Link
from asyncipc.network.links.passage import wire_size
from asyncipc.network.packet import Packet

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timers
    from asyncipc.network.faults.rules import Installed
    from asyncipc.network.links.port import Port

Tap: TypeAlias = Callable[[Packet, str, str, str], None]
"""A packet, the names of the hosts that it comes from and goes to, and its fate: ``sent``,
``copied``, ``damaged``, ``held``, ``released``, ``arrived``, ``dropped: CAUSE``."""


class Station(Protocol):
    """A host, as the fabric knows it."""

    name: str

    def input(self, packet: Packet) -> None:
        """A packet has arrived."""

    def too_big(self, packet: Packet, mtu: int) -> None:
        """A link has dropped one of its packets, for which its MTU is too small."""


class Traffic:
    """``stations``: who has which address.  ``conditions``: of links that were given none.

    ``tap``: who watches, if anybody.
    """

    def __init__(self, dice: Dice) -> None:
        self.timers: Timers
        self.stations: dict[str, Station] = {}
        self.conditions: Conditions = PERFECT
        self.tap: Tap | None = None
        self._dice = dice
        self._ports: dict[str, tuple[Port | None, Port | None]] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._at_once: deque[Flight] = deque()
        self._delivering = False

    def link(self, source: str, target: str) -> Link:
        """The way from one host to another, by their names."""
        return self.lane(source, target).link

    def lane(self, source: str, target: str) -> Lane:
        key = source, target
        lane = self._lanes.get(key)
        if lane is None:
            link = Link(source, target, self.conditions, self._dice)
            lane = self._lanes[key] = Lane(link)
            self._fit(link)
        return lane

    def set_ports(self, host: str, up: Port | None, down: Port | None) -> None:
        """All that a host sends, and all that it gets, goes through these."""
        self._ports[host] = up, down
        for lane in self._lanes.values():
            if host in {lane.link.source, lane.link.target}:
                self._fit(lane.link)

    def _fit(self, link: Link) -> None:
        up, down = self._ports.get(link.source), self._ports.get(link.target)
        if up is not None or down is not None:
            link.use_ports(up and up[0], down and down[1])

    # -- how they arrive

    def _launch(self, flight: Flight, now: int) -> None:
        lane = flight.lane
        if flight.due_ns > now or lane.timed or lane.link.down is not None:
            self._arm(flight)
            return
        self._let_in(flight)

    def _arm(self, flight: Flight) -> None:
        flight.lane.timed += 1
        flight.timer = self.timers.arm(flight.due_ns, partial(self._fall_due, flight))

    def _fall_due(self, flight: Flight) -> None:
        """Its link is behind it; before it may lie what its host can take in."""
        if flight.timer is not None:
            flight.timer = None
            flight.lane.timed -= 1
        if flight.lane.link.down is not None and not flight.is_inside:
            self._take_in(flight, flight.lane.link.down)
            return
        self._let_in(flight)

    def _take_in(self, flight: Flight, port: Port) -> None:
        due = port.send(wire_size(flight.packet), self.timers.now())
        if due is None:
            self.drop(flight, "queue")
            return
        flight.is_inside = True
        flight.due_ns = due
        self._arm(flight)

    def _let_in(self, flight: Flight) -> None:
        """What is sent meanwhile waits for its turn."""
        if self._delivering:
            self._at_once.append(flight)
            return
        self._delivering = True
        try:
            self._arrive(flight)
            while self._at_once:
                self._arrive(self._at_once.popleft())
        finally:
            self._delivering = False

    def _deliver_at_once(self) -> None:
        self._delivering = True
        try:
            while self._at_once:
                self._arrive(self._at_once.popleft())
        finally:
            self._delivering = False

    def _arrive(self, flight: Flight) -> None:
        """Unless it was caught, dropped or put off while it waited for its turn."""
        lane, packet = flight.lane, flight.packet
        if flight not in lane.flights or flight.holder is not None or flight.timer is not None:
            return
        station = self.stations.get(packet.hop)
        if station is None or station.name != lane.link.target:  # an address may change hands
            self.drop(flight, "no host")
            return
        del lane.flights[flight]
        lane.counts.arrived += 1
        if self.tap is not None:
            self._tell(lane, packet, "arrived")
        station.input(packet)

    # -- those on their way

    def flights(self, source: str | None = None, target: str | None = None) -> list[Flight]:
        """All on their way (from ``source``, to ``target``), in the order in which they were
        sent, link by link; those that are held among them.
        """
        return [flight for lane in self.lanes(source, target) for flight in lane.flights]

    def lanes(self, source: str | None = None, target: str | None = None) -> Iterator[Lane]:
        """The links that have been used, in the order of their first use."""
        if source is not None and target is not None:
            lane = self._lanes.get((source, target))
            if lane is not None:
                yield lane
            return
        for lane in tuple(self._lanes.values()):
            if source in {None, lane.link.source} and target in {None, lane.link.target}:
                yield lane

    def deliver(self, flight: Flight) -> None:
        """It arrives now, whatever is before it, held or not."""
        self.postpone(flight, self.timers.now())

    def postpone(self, flight: Flight, due_ns: int) -> None:
        """It arrives at ``due_ns``; nobody holds it any more."""
        check_alive(flight)
        self._stop(flight)
        flight.is_inside = True
        if due_ns <= self.timers.now():
            self._fall_due(flight)
        else:
            flight.due_ns = due_ns
            self._arm(flight)

    def drop(self, flight: Flight, cause: str) -> None:
        """It will not arrive."""
        check_alive(flight)
        self._forget(flight)
        flight.lane.counts.drop(cause)
        if self.tap is not None:
            self._tell(flight.lane, flight.packet, f"dropped: {cause}")

    def catch(self, flight: Flight, holder: Installed) -> None:
        """``holder`` holds it from now on.  Who holds it already keeps it."""
        check_alive(flight)
        if flight.holder is not None:
            return
        self._stop(flight)
        flight.was_caught = True
        flight.holder = holder
        holder.held[flight] = None
        if self.tap is not None:
            self._tell(flight.lane, flight.packet, "held")

    def _stop(self, flight: Flight) -> None:
        """Neither time nor anybody moves it on."""
        if flight.timer is not None:
            self.timers.cancel(flight.timer)
            flight.timer = None
            flight.lane.timed -= 1
        if flight.holder is not None:
            del flight.holder.held[flight]
            flight.holder = None

    def _forget(self, flight: Flight) -> None:
        self._stop(flight)
        del flight.lane.flights[flight]

    # -- the books

    def statistics(self, source: str, target: str) -> LinkStatistics:
        """What became of all packets from one host to another."""
        lane = self._lanes.get((source, target))
        return Counts().statistics(0) if lane is None else lane.statistics()

    def check_conservation(self) -> None:
        """AssertionError: a link has lost or made packets, and which."""
        for lane in self._lanes.values():
            if not lane.statistics().is_conserved:
                raise AssertionError(f"packets are not conserved on {lane.describe()}")

    def _tell(self, lane: Lane, packet: Packet, fate: str) -> None:
        if self.tap is not None:
            self.tap(packet, lane.link.source, lane.link.target, fate)

    def _tell_sent(
        self, lane: Lane, packet: Packet, flights: Iterable[Flight], before: Flight | None
    ) -> None:
        """``before``: it is not sent but released."""
        self._tell(lane, packet, "sent" if before is None else "released")
        for index, flight in enumerate(flights):
            if index:
                self._tell(lane, flight.packet, "copied")
            if flight.packet.damaged and not packet.damaged:
                self._tell(lane, flight.packet, "damaged")
