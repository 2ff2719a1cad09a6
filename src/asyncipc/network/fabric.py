"""The fabric: all links between all hosts, and every packet that is on its way.

A packet enters by ``submit`` and leaves by arriving at a host's stack, or is
dropped for a named cause.  Nothing else moves packets, and faults enter here
and nowhere else.  At every moment and for every link

    sent + copied = arrived + dropped, by cause + in flight

Links are made when they are first used: hosts that never speak cost nothing.
A packet that takes no time arrives in the turn of its sender, unless an
earlier one of its link is still on its way.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol, final

from asyncipc.network.conditions import PERFECT, Conditions
from asyncipc.network.dice import Dice
from asyncipc.network.link import Link
from asyncipc.network.packet import Packet

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timer, Timers


class Station(Protocol):
    """A host, as the fabric knows it."""

    name: str

    def input(self, packet: Packet) -> None:
        """A packet has arrived."""


@final
class Flight:
    """A packet on its way."""

    __slots__ = ("due_ns", "link", "packet", "timer")

    def __init__(self, packet: Packet, link: Link, due_ns: int) -> None:
        self.packet = packet
        self.link = link
        self.due_ns = due_ns
        self.timer: Timer | None = None


@final
class Fabric:
    """``stations``: who has which address.  ``conditions``: of links that were given none."""

    def __init__(self, dice: Dice) -> None:
        self.timers: Timers
        self.stations: dict[str, Station] = {}
        self.conditions: Conditions = PERFECT
        self._links: dict[tuple[str, str], Link] = {}
        self._dice = dice
        self._flights: dict[Flight, None] = {}
        self._at_once: deque[Flight] = deque()
        self._delivering = False

    # -- who is where

    def attach(self, station: Station, address: str) -> None:
        if address in self.stations:
            raise ValueError(f"{address} is {self.stations[address].name}'s address already")
        self.stations[address] = station

    def detach(self, address: str) -> None:
        del self.stations[address]

    def link(self, source: str, target: str) -> Link:
        """The way from one host to another, by their names."""
        key = source, target
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link(source, target, self.conditions, self._dice)
        return link

    # -- the way of a packet

    def submit(self, packet: Packet, origin: Station, now: int) -> None:
        """A host sends a packet."""
        station = self.stations.get(packet.target)
        if station is None:
            return
        link = self.link(origin.name, station.name)
        fate = link.carry(packet, now)
        if isinstance(fate, str):
            return
        for due, arriving in fate:
            self._send_off(Flight(arriving, link, due), now)

    def _send_off(self, flight: Flight, now: int) -> None:
        self._flights[flight] = None
        if flight.due_ns > now or len(self._flights) > 1:
            flight.timer = self.timers.arm(flight.due_ns, partial(self._arrive, flight))
            return
        self._at_once.append(flight)
        if not self._delivering:
            self._deliver_at_once()

    def _deliver_at_once(self) -> None:
        """What is sent meanwhile waits for its turn: no host is entered twice at a time."""
        self._delivering = True
        try:
            while self._at_once:
                self._arrive(self._at_once.popleft())
        finally:
            self._delivering = False

    def _arrive(self, flight: Flight) -> None:
        del self._flights[flight]
        station = self.stations.get(flight.packet.target)
        if station is not None:
            station.input(flight.packet)
