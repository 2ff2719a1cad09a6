"""The internet of one host: which addresses are its own, and its port tables.

All of 127/8 and ::1 are the host's own.  A packet to one of its addresses
leaves from there and is there; the way to others is the network's (``outside``).
"""

from __future__ import annotations

from typing import final

from asyncipc.kernel.ip.address import (
    LOOPBACK4,
    LOOPBACK6,
    is_broadcast,
    is_ipv6,
    is_loopback,
    is_wildcard,
    unmapped,
)
from asyncipc.kernel.ip.outside import ALONE, Outside
from asyncipc.kernel.tcp.ports import TcpPorts
from asyncipc.kernel.udp.ports import UdpPorts


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

    def is_broadcast(self, host: str) -> bool:
        return is_broadcast(host) or self.outside.is_broadcast(host)

    def source_for(self, host: str) -> str:
        """The address that a packet to ``host`` leaves from.  ENETUNREACH if none does."""
        if is_loopback(host):
            return LOOPBACK6 if is_ipv6(host) else LOOPBACK4
        return host if host in self.hosts else self.outside.source_for(host)
