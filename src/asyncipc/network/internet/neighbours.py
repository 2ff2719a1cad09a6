"""Neighbours: addresses of a host's own subnets that nobody has answered for yet.

After arp(7), and neighbour discovery for IPv6: who is asked for three times, a
second apart, and does not answer, is unreachable, and what waited for the
answer fails (net.ipv4.neigh.default.mcast_solicit, retrans_time_ms).  Who has an
address answers at once and needs no time here.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, final

from asyncipc.kernel.udp.inbox import datagram_memory
from asyncipc.network.traffic import Station

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timer
    from asyncipc.network.fabric import Fabric
    from asyncipc.network.packet import Packet

TRIES: Final = 3
INTERVAL: Final = 1_000_000_000
WAITING_MAX: Final = 212_992
"""net.ipv4.neigh.default.unres_qlen_bytes: memory of the packets that wait for one answer."""


@final
class Neighbour:
    """One that is being asked for."""

    __slots__ = ("held", "packets", "timer", "tries")

    def __init__(self) -> None:
        self.packets: deque[Packet] = deque()
        self.held = 0
        self.tries = 1
        self.timer: Timer


class Asker(Station, Protocol):
    """The host that asks."""

    fabric: Fabric

    def nobody_there(self, packet: Packet) -> None:
        """Nobody has answered."""

    def drop(self, packet: Packet, cause: str) -> None:
        """There was no more room for it."""


@final
class Neighbours:
    """Those that one host asks for."""

    __slots__ = ("_asked", "_host")

    def __init__(self, host: Asker) -> None:
        self._host = host
        self._asked: dict[str, Neighbour] = {}

    def wait(self, packet: Packet) -> None:
        """It leaves when somebody has its address; the oldest makes room for it."""
        neighbour = self._asked.get(packet.hop)
        if neighbour is None:
            neighbour = self._asked[packet.hop] = Neighbour()
            self._ask(packet.hop, neighbour)
        neighbour.packets.append(packet)
        neighbour.held += datagram_memory(packet.size)
        while neighbour.held > WAITING_MAX and len(neighbour.packets) > 1:
            oldest = neighbour.packets.popleft()
            neighbour.held -= datagram_memory(oldest.size)
            self._host.drop(oldest, "no host")

    def clear(self) -> None:
        """The host is off."""
        for neighbour in self._asked.values():
            self._host.fabric.timers.cancel(neighbour.timer)
            for packet in neighbour.packets:
                self._host.drop(packet, "down")
        self._asked.clear()

    def _ask(self, address: str, neighbour: Neighbour) -> None:
        timers = self._host.fabric.timers
        neighbour.timer = timers.arm(timers.now() + INTERVAL, partial(self._look, address))

    def _look(self, address: str) -> None:
        neighbour, fabric = self._asked[address], self._host.fabric
        found = address in fabric.stations
        if not found and neighbour.tries < TRIES:
            neighbour.tries += 1
            self._ask(address, neighbour)
            return
        del self._asked[address]
        for packet in neighbour.packets:
            if found:
                fabric.submit(packet, self._host, fabric.timers.now())
            else:
                self._host.nobody_there(packet)
