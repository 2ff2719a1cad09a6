"""The link: one way from a host to another, and what happens to packets on it.

``carry`` decides a packet's fate when it is sent: when it arrives, as what, how
often, or for what cause not at all.  It draws dice only for what is switched
on, each concern from a stream of its own, so that switching one on shifts no
other's draws.

A link that is only a latency, as most are, is this object alone; all else is a
:class:`~asyncipc.network.links.passage.Passage`'s, made when it is first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from asyncipc.network.dice import Dice
from asyncipc.network.links.conditions import PERFECT, Conditions
from asyncipc.network.links.passage import TOO_BIG, Passage, is_too_big

if TYPE_CHECKING:
    from asyncipc.network.links.latency import Latency
    from asyncipc.network.links.port import Port
    from asyncipc.network.packet import Packet


@final
class Link:
    """From host ``source`` to host ``target``, under ``conditions``.

    ``is_clean``: each packet is as good as any other, so that a train may go as one.
    ``up``, ``down``: the ports that the hosts' links share, if the hosts' rates are limited.
    ``carry`` asks the first; who lets a packet arrive asks the other, whose queue is others', too.
    """

    __slots__ = (
        "_conditions", "_dice", "_extra_ns", "_is_plain", "_passage", "down", "is_clean",
        "last_due_ns", "latency_ns", "mtu", "source", "target", "up",
    )  # fmt: skip

    def __init__(self, source: str, target: str, conditions: Conditions, dice: Dice) -> None:
        self.source = source
        self.target = target
        self.up: Port | None = None
        self.down: Port | None = None
        self.last_due_ns = 0
        self._dice = dice
        self._passage: Passage | None = None
        self._conditions = PERFECT
        self._extra_ns = 0
        self.conditions = conditions

    @property
    def conditions(self) -> Conditions:
        return self._conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        """For the packets that are sent from now on; those on their way keep their fate."""
        if conditions.extra != self._conditions.extra:
            self._extra_ns = self._draw_extra(conditions.extra)
        self._conditions = conditions
        self.mtu = conditions.mtu
        self.latency_ns = conditions.latency_ns
        if self._extra_ns:
            self.latency_ns += self._extra_ns
        self._settle()

    def _draw_extra(self, extra: Latency | None) -> int:
        """Of the pair, so that the link back draws the same: from the beginning of one stream."""
        if extra is None:
            return 0
        pair = " - ".join(sorted((self.source, self.target)))
        return extra.draw(self._dice(f"pair {pair}: extra"))

    def use_ports(self, up: Port | None, down: Port | None) -> None:
        """The hosts' rates are limited, or no longer."""
        self.up = up
        self.down = down
        self._settle()

    def _settle(self) -> None:
        ports = [port for port in (self.up, self.down) if port is not None]
        self.is_clean = self._conditions.are_clean and not any(port.is_bounded for port in ports)
        self._is_plain = self._conditions.are_plain and self.up is None
        if self._passage is None:
            if self._is_plain:
                return
            self._passage = Passage(f"link {self.source} > {self.target}", self._dice)
        self._passage.take(self._conditions)

    def carry(self, packet: Packet, now: int) -> Sequence[tuple[int, Packet]] | str:
        """When (nanoseconds) which packets arrive, in the order of arrival where it keeps
        order; or the cause for which none does.
        """
        if not self._is_plain:
            assert self._passage is not None
            return self._passage.carry(packet, now, self)
        if packet.size > self.mtu and is_too_big(packet, self.mtu):
            return TOO_BIG
        due = now + self.latency_ns
        if due < self.last_due_ns:
            due = self.last_due_ns
        self.last_due_ns = due
        return ((due, packet),)

    def describe(self) -> str:
        return f"{self.source} > {self.target}: {self._conditions.describe()}"
