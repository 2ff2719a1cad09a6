"""The link: one way from a host to another, and what happens to packets on it.

``carry`` decides a packet's fate when it is sent: when it arrives, as what, how
often, or for what cause not at all.  It draws dice only for what is switched
on, each concern from a stream of its own, so that switching one on shifts no
other's draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from asyncipc.network.conditions import Conditions
from asyncipc.network.dice import Dice

if TYPE_CHECKING:
    from asyncipc.network.packet import Packet


@final
class Link:
    """From host ``source`` to host ``target``, under ``conditions``."""

    def __init__(self, source: str, target: str, conditions: Conditions, dice: Dice) -> None:
        self.source = source
        self.target = target
        self.conditions = conditions
        self._dice = dice

    def carry(self, packet: Packet, now: int) -> Sequence[tuple[int, Packet]] | str:
        """When (nanoseconds) which packets arrive, in the order of arrival where it keeps
        order; or the cause for which none does.
        """
        return ((now + self.conditions.latency_ns, packet),)
