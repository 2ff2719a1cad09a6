"""The fabric: all links between all hosts, and every packet that is on its way.

A packet enters by ``submit`` and leaves by arriving at a host's stack, or is
dropped for a named cause.  Nothing else moves packets, and faults enter here
and nowhere else.  At every moment and for every link

    sent + copied = arrived + dropped, by cause + in flight

Links are made when they are first used: hosts that never speak cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, final

from asyncipc.network.counts import Counts
from asyncipc.network.dice import Dice
from asyncipc.network.faults.rulebook import RuleBook
from asyncipc.network.faults.rules import Installed, Rule
from asyncipc.network.faults.verdicts import obey
from asyncipc.network.flight import Flight, Lane, check_alive
from asyncipc.network.internet.members import Members
from asyncipc.network.traffic import Station as Station
from asyncipc.network.traffic import Tap as Tap
from asyncipc.network.traffic import Traffic
from asyncipc.network.train import pieces

if TYPE_CHECKING:
    from asyncipc.network.links.link import Link
    from asyncipc.network.packet import Packet


@final
class Fabric(Traffic):
    """``members``: of groups and subnets.  ``stray``: what was dropped in hosts, or never
    came to a link.
    """

    def __init__(self, dice: Dice) -> None:
        super().__init__(dice)
        self.members = Members()
        self.rules = RuleBook(dice)
        self.stray = Counts()

    # -- who is where

    def attach(self, station: Station, address: str) -> None:
        if address in self.stations:
            raise ValueError(f"{address} is {self.stations[address].name}'s address already")
        self.stations[address] = station

    def detach(self, address: str) -> None:
        del self.stations[address]

    # -- the way of a packet

    def submit(self, packet: Packet, origin: Station, now: int) -> None:
        """A host sends a packet."""
        station = self.stations.get(packet.hop)
        if station is None:
            self.dropped(packet, None, "no host")
            return
        lane = self._lanes.get((origin.name, station.name))
        if lane is None:
            lane = self.lane(origin.name, station.name)
        rules = self.rules
        if rules.looks_inside or not lane.link.is_clean:
            for piece in pieces(packet, lane.link.conditions):
                self._judge(lane, piece, now)
        elif rules.are_any or self.tap is not None:
            self._judge(lane, packet, now)
        else:
            self._hurry(lane, packet, now)

    def _hurry(self, lane: Lane, packet: Packet, now: int) -> None:
        """``carry``, where nobody has a say and nobody looks: most packets come this way."""
        fate = lane.link.carry(packet, now)
        if isinstance(fate, str):
            self.refuse(lane, packet, fate)
            return
        if len(fate) > 1:
            self.send_off(lane, packet, fate, now)
            return
        due, arriving = fate[0]
        lane.counts.sent += 1
        lane.counts.bytes_sent += packet.size
        flight = Flight(arriving, lane, due)
        lane.flights[flight] = None
        if due > now:
            self._arm(flight)
        else:
            self._launch(flight, now)

    def _judge(self, lane: Lane, packet: Packet, now: int, flight: Flight | None = None) -> None:
        """``flight``: the packet has been held; the rules in front have seen it already."""
        after = 0 if flight is None or flight.holder is None else flight.holder.sequence
        answer = self.rules.ask(packet, lane.link, now, after)
        if answer is None:
            self.carry(lane, packet, now, flight)
        else:
            obey(self, answer, lane, packet, now, flight)

    def carry(
        self, lane: Lane, packet: Packet, now: int, flight: Flight | None = None, extra_ns: int = 0
    ) -> None:
        """By the link, and ``extra_ns`` longer.  What was caught has the link behind it."""
        if flight is not None and flight.was_caught:
            self.send_off(lane, packet, ((now + extra_ns, packet),), now, flight)
            return
        fate = lane.link.carry(packet, now)
        if isinstance(fate, str):
            self.refuse(lane, packet, fate, flight)
            return
        if extra_ns:
            fate = tuple((due + extra_ns, arriving) for due, arriving in fate)
        self.send_off(lane, packet, fate, now, flight)

    def send_off(
        self,
        lane: Lane,
        packet: Packet,
        arrivals: Iterable[tuple[int, Packet]],
        now: int,
        flight: Flight | None = None,
    ) -> None:
        """It is on its way, perhaps with copies.  Whoever watches sees the books balanced."""
        flights = [Flight(arriving, lane, due) for due, arriving in arrivals]
        self._book(lane, packet, flight)
        lane.counts.copied += len(flights) - 1
        for sent in flights:
            lane.flights[sent] = None
        if self.tap is not None:
            self._tell_sent(lane, packet, flights, flight)
        for sent in flights:
            if not sent.is_over:
                self._launch(sent, now)

    def refuse(self, lane: Lane, packet: Packet, cause: str, flight: Flight | None = None) -> None:
        """It is sent, and comes to nothing."""
        self._book(lane, packet, flight)
        lane.counts.drop(cause)
        if self.tap is not None:
            self._tell_sent(lane, packet, (), flight)
            self._tell(lane, packet, f"dropped: {cause}")
        origin = self.stations.get(packet.source)
        if cause == "mtu" and origin is not None:
            origin.too_big(packet, lane.link.conditions.mtu)

    def hold(
        self, holder: Installed, lane: Lane, packet: Packet, flight: Flight | None = None
    ) -> None:
        """It is sent, and stays at the beginning of its link; or still is held, now by another."""
        held = Flight(packet, lane, 0)
        held.was_caught = flight is not None and flight.was_caught
        held.holder = holder
        self._book(lane, packet, flight)
        lane.flights[held] = None
        holder.held[held] = None
        if self.tap is not None:
            self._tell_sent(lane, packet, (), flight)
            self._tell(lane, packet, "held")

    def _book(self, lane: Lane, packet: Packet, flight: Flight | None) -> None:
        """Count it as sent; unless that was done, and ``flight`` stood for it until now."""
        if flight is not None and flight.lane is lane:
            self._forget(flight)
            return
        if flight is not None:  # another went in its place, by another way
            self.drop(flight, "rule")
        lane.counts.sent += 1
        lane.counts.bytes_sent += packet.size

    # -- rules

    def rule(self, rule: Rule, name: str | None = None, *, looks_inside: bool = True) -> Installed:
        """Install a rule, at the end of all: ``with fabric.rule(drop(to_port(53))): …``.

        ``looks_inside``: it wants each packet as it would be on a wire.  A rule that asks for hosts
        alone is shown a big TCP segment as one.  ValueError: there is one of that name.
        """
        return self.rules.install(self, rule, name, looks_inside)

    def remove(self, installed: Installed) -> None:
        if installed.is_installed:
            self.rules.remove(installed)
        self.release(installed)

    def release(self, holder: Installed, stays: Callable[[str, str], bool] | None = None) -> None:
        """What is held goes on, in order, before anything that is sent for its sake."""
        now, was_delivering = self.timers.now(), self._delivering
        self._delivering = True
        try:
            for flight in tuple(holder.held):
                link = flight.lane.link
                if flight in holder.held and not (stays and stays(link.source, link.target)):
                    self._judge(flight.lane, flight.packet, now, flight)
        finally:
            self._delivering = was_delivering
        if not was_delivering:
            self._deliver_at_once()

    def discard_held(self, host: str) -> None:
        """A host crashed: nothing that is held comes from it or goes to it any more."""
        for installed in self.rules.holding():
            for flight in tuple(installed.held):
                if host in {flight.lane.link.source, flight.lane.link.target}:
                    self.drop(flight, "down")

    def redirect(self, flight: Flight, packet: Packet) -> None:
        """``packet`` arrives in its place, when it would have; perhaps at another host."""
        station = self.stations.get(packet.hop)
        if station is None:
            raise ValueError(f"nobody has the address {packet.hop}")
        check_alive(flight)
        due = max(flight.due_ns, self.timers.now())
        source = flight.lane.link.source
        self.drop(flight, "rule")
        lane = self.lane(source, station.name)
        self.send_off(lane, packet, ((due, packet),), self.timers.now())

    # -- the books

    def dropped(self, packet: Packet, link: Link | None, cause: str) -> None:
        """A packet came to nothing: on ``link``, or (None) in a host, before it reached one or
        after it arrived.
        """
        if link is not None:
            self.refuse(self.lane(link.source, link.target), packet, cause)
            return
        self.stray.drop(cause)
        if self.tap is not None:
            source, target = self._name(packet.source), self._name(packet.hop)
            self.tap(packet, source, target, f"dropped: {cause}")

    def _name(self, address: str) -> str:
        """Whose it is; the address itself if it is nobody's."""
        station = self.stations.get(address)
        return address if station is None else station.name
