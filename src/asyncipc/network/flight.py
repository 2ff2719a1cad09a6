"""The flight: a packet on its way, and the lane that it is on.

A flight ends by arriving or by being dropped.  Until then it is in ``flights``
of its lane, and waits for its timer, for its turn among those that arrive at
once, or for who holds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.network.counts import Counts, LinkStatistics

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timer
    from asyncipc.network.faults.rules import Installed
    from asyncipc.network.links.link import Link
    from asyncipc.network.packet import Packet


@final
class Lane:
    """A link in use: its counts, and what is on it now, ``timed`` of it with timers."""

    __slots__ = ("counts", "flights", "link", "timed")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.counts = Counts()
        self.flights: dict[Flight, None] = {}
        self.timed = 0

    def statistics(self) -> LinkStatistics:
        return self.counts.statistics(len(self.flights))

    def describe(self) -> str:
        return f"{self.link.source} > {self.link.target}: {self.statistics().describe()}"


@final
class Flight:
    """``holder``: the rule that holds it; its ``due_ns`` says nothing then.

    ``was_caught``: it was on its way when somebody began to hold it, and has the link
    behind it.  ``is_inside``: so has its host's down port.
    """

    __slots__ = ("due_ns", "holder", "is_inside", "lane", "packet", "timer", "was_caught")

    def __init__(self, packet: Packet, lane: Lane, due_ns: int) -> None:
        self.packet = packet
        self.lane = lane
        self.due_ns = due_ns
        self.timer: Timer | None = None
        self.holder: Installed | None = None
        self.was_caught = False
        self.is_inside = False

    @property
    def is_over(self) -> bool:
        return self not in self.lane.flights

    def describe(self) -> str:
        when = f"held by {self.holder.name}" if self.holder else f"due {self.due_ns} ns"
        link = self.lane.link
        return f"{link.source} > {link.target}: {self.packet.describe()}, {when}"


def check_alive(flight: Flight) -> None:
    if flight.is_over:
        raise ValueError(f"it has arrived, or was dropped: {flight.describe()}")
