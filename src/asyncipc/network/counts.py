"""The counts of a link: what became of every packet that it was given.

At every moment

    sent + copied = arrived + dropped, by cause + in flight

where what is in flight is counted from the flights themselves, never here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

CAUSES: Final = (
    *("loss", "burst loss", "queue", "damage", "mtu", "cut", "rule", "down", "no host", "ttl"),
    *("fragments", "no port", "ring"),
)
"""For what a packet is dropped: these short words, everywhere."""


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """``dropped``: (cause, packets), in the order of the first of each.

    ``bytes_sent``: of all packets sent, with their heads.
    """

    sent: int
    copied: int
    arrived: int
    dropped: tuple[tuple[str, int], ...]
    in_flight: int
    bytes_sent: int

    @property
    def lost(self) -> int:
        """All that were dropped, for whatever cause."""
        return sum(number for _, number in self.dropped)

    @property
    def is_conserved(self) -> bool:
        return self.sent + self.copied == self.arrived + self.lost + self.in_flight

    def describe(self) -> str:
        causes = "".join(f", {number} dropped ({cause})" for cause, number in self.dropped)
        return (
            f"{self.sent} sent + {self.copied} copied, {self.arrived} arrived{causes}, "
            f"{self.in_flight} in flight"
        )


@final
class Counts:
    """The same, while it counts."""

    __slots__ = ("arrived", "bytes_sent", "copied", "dropped", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.copied = 0
        self.arrived = 0
        self.bytes_sent = 0
        self.dropped: dict[str, int] = {}

    def drop(self, cause: str) -> None:
        self.dropped[cause] = self.dropped.get(cause, 0) + 1

    def statistics(self, in_flight: int) -> LinkStatistics:
        dropped = tuple(self.dropped.items())
        return LinkStatistics(
            self.sent, self.copied, self.arrived, dropped, in_flight, self.bytes_sent
        )
