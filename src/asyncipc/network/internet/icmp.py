"""ICMP and ICMPv6: what hosts tell each other about packets (RFC 792, RFC 4443).

Errors quote the packet that they are about and go to its source.  What they
mean to a program is the kernel's (``kernel/udp/verdict``); here are the
messages, and how often a host sends any (inet_peer_xrlim_allow, by measure).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.udp.verdict import (
    HOST_UNREACHABLE,
    NOT_REASSEMBLED,
    PORT_UNREACHABLE,
    TOO_BIG,
    Verdict,
)

if TYPE_CHECKING:
    from asyncipc.network.packet import Packet

ICMP_HEAD: Final = 8
QUOTED4: Final = 548
"""Bytes of a packet that are quoted at most, with its own heads: 576 in all (RFC 1812, 4.3.2.3)."""
QUOTED6: Final = 1232
"""1280 in all (RFC 4443, 2.4)."""

BURST: Final = 6
"""Errors that a host may send to another at once (XRLIM_BURST_FACTOR)."""
INTERVAL4: Final = 1_000_000_000
INTERVAL6: Final = 100_000_000
"""Nanoseconds until it may send one more: net.ipv4.icmp_ratelimit, net.ipv6.icmp.ratelimit."""

WORDS: Final = {
    PORT_UNREACHABLE: "port unreachable",
    HOST_UNREACHABLE: "host unreachable",
    TOO_BIG: "need to frag",
    NOT_REASSEMBLED: "reassembly time exceeded",
}


@final
class IcmpError:
    """``about``: the packet that it quotes.  ``info``: the MTU, if that is what it is about."""

    __slots__ = ("about", "info", "verdict")

    protocol = "ICMP"
    data = b""

    def __init__(self, verdict: Verdict, about: Packet, info: int = 0) -> None:
        self.verdict = verdict
        self.about = about
        self.info = info

    @property
    def size(self) -> int:
        most = QUOTED6 if is_ipv6(self.about.source) else QUOTED4
        return ICMP_HEAD + min(self.about.size, most)

    def with_data(self, data: bytes) -> IcmpError:
        return self

    def describe(self) -> str:
        mtu = f" (mtu {self.info})" if self.info else ""
        return f"{WORDS[self.verdict]}{mtu}: {self.about.describe()}"


@final
class Echo:
    """A request or its reply; ``number``: which one of its sender."""

    __slots__ = ("data", "is_reply", "number")

    protocol = "ICMP"

    def __init__(self, number: int, data: bytes, *, is_reply: bool = False) -> None:
        self.number = number
        self.data = data
        self.is_reply = is_reply

    @property
    def size(self) -> int:
        return ICMP_HEAD + len(self.data)

    def with_data(self, data: bytes) -> Echo:
        return Echo(self.number, data, is_reply=self.is_reply)

    def reply(self) -> Echo:
        return Echo(self.number, self.data, is_reply=True)

    def describe(self) -> str:
        kind = "reply" if self.is_reply else "request"
        return f"echo {kind}, seq {self.number}, length {self.size}"


@final
class RateLimit:
    """How many errors a host may still send to each other host: a bucket of tokens."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[int, int]] = {}  # tokens in nanoseconds, when counted

    def allows(self, host: str, now: int) -> bool:
        """May one more go to ``host``?  Then it counts as sent."""
        interval = INTERVAL6 if is_ipv6(host) else INTERVAL4
        full = BURST * interval
        tokens, counted = self._buckets.get(host, (full, now))
        tokens = min(tokens + now - counted, full)
        allowed = tokens >= interval
        self._buckets[host] = tokens - interval if allowed else tokens, now
        return allowed
