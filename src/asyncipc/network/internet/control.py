"""ICMP at a host: what it tells others of their packets, and what it makes of what it hears.

An error finds the socket whose packet it quotes: UDP's by its port table, TCP's
by its connections.  Errors are never told of packets for many, nor of errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import is_ipv6, is_multicast
from asyncipc.kernel.udp.verdict import PORT_UNREACHABLE, TOO_BIG, Verdict
from asyncipc.network.internet.fragments import Fragment
from asyncipc.network.internet.icmp import Echo, IcmpError, RateLimit
from asyncipc.network.internet.udp import UdpBody
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import Segment

if TYPE_CHECKING:
    from asyncipc.network.internet.stack import Stack

PATH_MTU_LASTS: Final = 600_000_000_000
"""net.ipv4.route.mtu_expires: what was heard of a path's MTU is forgotten."""
ECHO_SIZE: Final = 56
"""Bytes that ping(8) sends."""


@final
class Control:
    """Of one host.  ``path_mtus``: what was heard, by target, and until when it holds."""

    __slots__ = ("_echoes", "_limit", "_stack", "path_mtus")

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._limit = RateLimit()
        self._echoes: dict[int, tuple[Callable[[int], None], int]] = {}
        self.path_mtus: dict[str, tuple[int, int]] = {}

    # -- what it tells

    def tell(self, verdict: Verdict, about: Packet, info: int = 0) -> None:
        """Send an error to the source of a packet, unless it was told enough lately."""
        if about.hop != about.target or isinstance(about.body, IcmpError):
            return
        if verdict is TOO_BIG or self._limit.allows(about.source, self._now()):
            self._send(about, IcmpError(verdict, about, info))

    def ping(self, address: str, told: Callable[[int], None], size: int = ECHO_SIZE) -> None:
        """Send an echo request; ``told`` gets the nanoseconds until the reply, if one comes."""
        source = self._stack.kernel.inet.source_for(address)
        number = len(self._echoes) + 1
        while number in self._echoes:
            number += 1
        if self._stack.kernel.inet.is_here(address):
            told(0)
            return
        self._echoes[number] = told, self._now()
        self._stack.send(Packet(source, address, Echo(number, bytes(size))))

    def _send(self, about: Packet, body: IcmpError | Echo) -> None:
        self._stack.send(Packet(about.target, about.source, body))

    # -- what it hears

    def input(self, packet: Packet) -> None:
        body = packet.body
        if isinstance(body, IcmpError):
            self.heard(body.verdict, body.about, packet.source, body.info)
        elif isinstance(body, Echo) and body.is_reply:
            self._replied(body)
        elif isinstance(body, Echo) and not is_multicast(packet.target):
            self._send(packet, body.reply())

    def heard(self, verdict: Verdict, about: Packet, offender: str, info: int = 0) -> None:
        """One of this host's packets did not arrive; ``offender`` says so."""
        if verdict is TOO_BIG:
            until = self._now() + PATH_MTU_LASTS
            self.path_mtus[about.target] = max(info, _least(about.target)), until
        body = about.body.whole if isinstance(about.body, Fragment) else about.body
        if isinstance(body, UdpBody):
            inet = self._stack.kernel.inet
            inet.udp.unreachable(body.datagram, verdict, offender, info)
        elif isinstance(body, Segment) and verdict is not TOO_BIG:
            self._stack.tcp.unreachable(
                body.source, body.target, verdict.error, hard=verdict is PORT_UNREACHABLE
            )

    def path_mtu(self, target: str) -> int:
        """The greatest packet that is known to pass; the interface's MTU unless told otherwise."""
        mtu, until = self.path_mtus.get(target, (self._stack.mtu, 0))
        if until and until <= self._now():
            del self.path_mtus[target]
            return self._stack.mtu
        return min(mtu, self._stack.mtu)

    def _replied(self, echo: Echo) -> None:
        asked = self._echoes.pop(echo.number, None)
        if asked is not None:
            told, since = asked
            told(self._now() - since)

    def _now(self) -> int:
        return self._stack.fabric.timers.now()


def _least(target: str) -> int:
    """Every wire of IPv6 carries 1280 bytes; of IPv4, 552 are taken for the least that is
    meant (net.ipv4.route.min_pmtu).
    """
    return 1280 if is_ipv6(target) else 552
