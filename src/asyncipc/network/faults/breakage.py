"""Breakage: connections that are refused, hang, close slowly or break, as rules.

Each takes a predicate that says whose: ``fabric.rule(refuse(to_port(80)))``.
What they know of a connection they have seen on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.network.faults.predicates import EVERY, Predicate, delay, drop, flags, reset
from asyncipc.network.faults.rules import Drop, Journey, Replace, Reset, Rule, Verdict
from asyncipc.network.tcp.segment import ACK, FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from asyncipc.kernel.sockets.address import InetAddress
    from asyncipc.network.packet import Packet

FIRST_SYN: Final = flags(SYN) & ~flags(ACK)
MODULUS: Final = 1 << 32


def refuse(predicate: Predicate = EVERY) -> Rule:
    """connect(2) fails with ECONNREFUSED, whoever listens."""
    return reset(predicate & FIRST_SYN)


def hang(predicate: Predicate = EVERY) -> Rule:
    """SYNs are swallowed: connect(2) tries until ETIMEDOUT."""
    return drop(predicate & FIRST_SYN)


def slow_handshake(predicate: Predicate, seconds: float) -> Rule:
    """Every SYN, either way, takes so much longer."""
    return delay(predicate & flags(SYN), seconds)


def slow_close(predicate: Predicate, seconds: float) -> Rule:
    """Every FIN takes so much longer."""
    return delay(predicate & flags(FIN), seconds)


def accept_and_reset(predicate: Predicate = EVERY) -> Rule:
    """Connections come about, and break as soon as they have: connect(2) succeeds, and
    accept(2), and then ECONNRESET.
    """
    opened: dict[tuple[InetAddress, InetAddress], None] = {}

    def rule(packet: Packet, journey: Journey) -> Verdict | None:
        body = packet.body
        if not isinstance(body, Segment) or not predicate(packet, journey):
            return None
        ends = body.source, body.target
        if body.flags & (SYN | ACK) == SYN:
            opened[ends] = None
        elif ends in opened and body.flags & (SYN | RST | ACK) == ACK:
            del opened[ends]
            return Reset(passes=True)
        return None

    return rule


def reset_after(predicate: Predicate, size: int) -> Rule:
    """The first ``size`` bytes either way arrive; then the connection breaks."""
    limit = _Limit(size)

    def rule(packet: Packet, journey: Journey) -> Verdict | None:
        if not isinstance(packet.body, Segment) or not predicate(packet, journey):
            return None
        fits = limit.fits(packet.body)
        if fits is None:
            return None
        return Reset(passes=True, packet=_shortened(packet, fits)) if fits else Reset()

    return rule


def limit_data(predicate: Predicate, size: int) -> Rule:
    """The first ``size`` bytes either way arrive; what follows is swallowed, for ever."""
    limit = _Limit(size)

    def rule(packet: Packet, journey: Journey) -> Verdict | None:
        if not isinstance(packet.body, Segment) or not predicate(packet, journey):
            return None
        fits = limit.fits(packet.body)
        if fits is None or (fits == len(packet.body.data) and not packet.body.flags & FIN):
            return None
        return Replace(_shortened(packet, fits)) if fits else Drop()

    return rule


@final
class _Limit:
    """How much of each direction of each connection has gone by."""

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"a limit is 0 bytes or more, not {size}")
        self._size = size
        self._starts: dict[tuple[InetAddress, InetAddress], int] = {}

    def fits(self, segment: Segment) -> int | None:
        """How much of a segment that reaches the limit is in front of it; None: it does not."""
        ends = segment.source, segment.target
        if segment.flags & SYN:
            self._starts[ends] = (segment.sequence + 1) % MODULUS
            return None
        if not segment.data or segment.flags & RST:
            return None
        start = self._starts.setdefault(ends, segment.sequence)
        offset = (segment.sequence - start) % MODULUS
        if offset > MODULUS // 2:  # from before the rule was there
            return None
        if offset + len(segment.data) < self._size:
            return None
        return max(0, min(self._size - offset, len(segment.data)))


def _shortened(packet: Packet, size: int) -> Packet:
    """Its first bytes, without the FIN that follows them."""
    assert isinstance(packet.body, Segment)
    body = packet.body.with_data(packet.body.data[:size])
    body.flags &= ~FIN
    return packet.with_body(body)
