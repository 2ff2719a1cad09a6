"""The internet of one host: which addresses are its own, and its port tables.

All of 127/8 and ::1 are the host's own.  A packet to one of its addresses
leaves from there and is there; to others there is no way yet.
"""

from __future__ import annotations

import errno
from typing import final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    LOOPBACK4,
    LOOPBACK6,
    is_ipv6,
    is_loopback,
    is_wildcard,
    unmapped,
)
from asyncipc.kernel.tcp.ports import TcpPorts
from asyncipc.kernel.udp.ports import UdpPorts


@final
class Inet:
    """``hosts``: the addresses of the host beside those of its loopback."""

    __slots__ = ("hosts", "tcp", "udp")

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.tcp = TcpPorts()
        self.udp = UdpPorts()

    def is_local(self, host: str) -> bool:
        """May a socket be bound to it?"""
        host = unmapped(host)
        own = is_wildcard(host) or host.startswith("127.") or host == LOOPBACK6
        return own or host in self.hosts

    def source_for(self, host: str) -> str:
        """The address that a packet to ``host`` leaves from.  ENETUNREACH if none does."""
        if is_loopback(host):
            return LOOPBACK6 if is_ipv6(host) else LOOPBACK4
        if host not in self.hosts:
            fail(errno.ENETUNREACH)
        return host
