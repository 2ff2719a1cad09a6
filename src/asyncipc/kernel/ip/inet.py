"""The internet of one host: which addresses are its own, and its port tables.

All of 127/8 and ::1 are the host's own.  A packet to one of its addresses
leaves from there and is there; the way to others is the network's (``outside``).
There are two interfaces: the loopback, and from its first address on the one
that leads to the network.
"""

from __future__ import annotations

from typing import Final, final

from asyncipc.kernel.ip.address import (
    LOOPBACK4,
    LOOPBACK6,
    LOOPBACK_INDEX,
    NETWORK_INDEX,
    is_broadcast,
    is_ipv6,
    is_loopback,
    is_wildcard,
    unmapped,
)
from asyncipc.kernel.ip.outside import ALONE, FarEnd, Outside
from asyncipc.kernel.tcp.ports import TcpPorts
from asyncipc.kernel.udp.ports import UdpPorts

ANYBODY: Final = FarEnd("anybody")


@final
class Inet:
    """``hosts``: the addresses of the host beside those of its loopback."""

    __slots__ = ("hosts", "outside", "tcp", "udp")

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.outside: Outside = ALONE
        self.tcp = TcpPorts()
        self.udp = UdpPorts(self)

    def is_local(self, host: str) -> bool:
        """May a socket be bound to it?"""
        host = unmapped(host)
        own = is_wildcard(host) or host.startswith("127.") or host == LOOPBACK6
        return own or host in self.hosts

    def is_here(self, host: str) -> bool:
        """Does a packet to it stay on the host?"""
        return is_loopback(host) or host in self.hosts

    def anybody(self) -> tuple[FarEnd, ...]:
        """Who could send something from outside, if there is an outside."""
        return (ANYBODY,) if self.hosts else ()

    def is_broadcast(self, host: str) -> bool:
        return is_broadcast(host) or self.outside.is_broadcast(host)

    def has_interface(self, index: int) -> bool:
        return index == LOOPBACK_INDEX or (index == NETWORK_INDEX and bool(self.hosts))

    def interface_of(self, address: str) -> int:
        """The index of the interface that has ``address``; 0 if none has."""
        if is_wildcard(address) or is_broadcast(address) or not self.is_local(address):
            return 0
        return NETWORK_INDEX if address in self.hosts else LOOPBACK_INDEX

    def interface_for_groups(self, *, ipv6: bool) -> int:
        """The one that groups are reached by unless another is named; 0 if there is no route."""
        routed = any(is_ipv6(host) == ipv6 for host in self.hosts)
        return NETWORK_INDEX if routed else 0

    def source_for(self, host: str) -> str:
        """The address that a packet to ``host`` leaves from.  ENETUNREACH if none does."""
        if is_loopback(host):
            return LOOPBACK6 if is_ipv6(host) else LOOPBACK4
        return host if host in self.hosts else self.outside.source_for(host)
