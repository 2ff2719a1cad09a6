"""Damage: bits that flip, and ends that are missing.

A damaged packet is another packet (``damaged=True``: a checksum would tell).  One
without data is hurt in its head: nobody could make sense of it, so that is always
found out, also by a host that does not look at checksums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from asyncipc.network.dice import Die
from asyncipc.network.links.bounds import number, probability, whole

if TYPE_CHECKING:
    from asyncipc.network.packet import Packet


@final
@dataclass(frozen=True, slots=True)
class PowerLaw:
    """How many bits flip: P(at least n) = n ** -``exponent``, at most ``most``."""

    exponent: float = 1.0
    most: int = 32

    def __post_init__(self) -> None:
        number("PowerLaw.exponent", self.exponent, 0.1)
        whole("PowerLaw.most", self.most, 1)

    def draw(self, die: Die) -> int:
        drawn = 1.0 - die.random()
        return min(self.most, int(drawn ** (-1 / self.exponent)))


@final
@dataclass(frozen=True, slots=True)
class Corruption:
    """``share`` of all packets arrive with ``bits`` flipped: so many, or a :class:`PowerLaw`."""

    share: float
    bits: int | PowerLaw = 1

    def __post_init__(self) -> None:
        probability("Corruption.share", self.share)
        if not isinstance(self.bits, PowerLaw):
            whole("Corruption.bits", self.bits, 1)

    def strike(self, packet: Packet, die: Die) -> Packet:
        """``packet`` damaged, or itself."""
        if die.random() >= self.share:
            return packet
        body = packet.body
        if not body.data:
            return packet.with_body(body, damaged=True)
        bits = self.bits if isinstance(self.bits, int) else self.bits.draw(die)
        return packet.with_body(body.with_data(flipped(body.data, bits, die)), damaged=True)


def flipped(data: bytes, count: int, die: Die) -> bytes:
    """``data`` with ``count`` of its bits, no two the same, the other way round; or all of them."""
    changed, size = bytearray(data), 8 * len(data)
    chosen: dict[int, None] = {}
    while len(chosen) < min(count, size):
        chosen[die.randrange(0, size)] = None
    for bit in chosen:
        changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


def truncated(packet: Packet, die: Die) -> Packet:
    """A datagram that lost its end: from none of its data to all but one byte.

    Its length and its checksum no longer fit, so it is damaged.  Segments are spared: TCP's
    stream would be the same as with one lost.
    """
    body = packet.body
    if body.protocol != "UDP" or not body.data:
        return packet
    left = die.randrange(0, len(body.data))
    return packet.with_body(body.with_data(body.data[:left]), damaged=True)
