"""The subnet: an address of a host with the length of its prefix.

Hosts of one subnet find each other without a router, hear its broadcasts, and
notice when nobody has an address there.  Without a prefix an IPv4 address is
taken as of a /24, an IPv6 one as of a /64.

Not modelled: link-local addresses (fe80::/10), which need an interface beside them.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import Final, final

from asyncipc.errors import Unsupported
from asyncipc.kernel.ip.address import (
    is_ipv6,
    is_link_local,
    is_loopback,
    is_multicast,
    is_wildcard,
    packed4,
    text4,
)

PREFIX4: Final = 24
PREFIX6: Final = 64
BITS4: Final = 32
BITS6: Final = 128
POINT_TO_POINT: Final = 31
"""From this prefix on a subnet of IPv4 has no broadcast address (RFC 3021)."""


@final
class Subnet:
    """``address``: the host's own, canonical.  ``broadcast``: where all hear; IPv6 has none."""

    __slots__ = ("_network", "_shift", "address", "broadcast", "prefix")

    def __init__(self, text: str) -> None:
        """``"10.0.0.2/24"``, ``"fd00::2/64"``, ``"10.0.0.2"``.  ValueError for what is none."""
        if "/" in text:
            interface = ip_interface(text)
            own, self.prefix = interface.ip, interface.network.prefixlen
        else:
            own = parsed(text)
            self.prefix = PREFIX4 if own.version == 4 else PREFIX6
        if isinstance(own, IPv6Address) and own.ipv4_mapped is not None:
            raise ValueError(f"{text}: an IPv4 address is given as such, not as ::ffff:a.b.c.d")
        self.address = str(own)
        self._shift = (BITS4 if own.version == 4 else BITS6) - self.prefix
        self._network = int(own) >> self._shift
        self.broadcast: str | None = None
        if own.version == 4 and self.prefix < POINT_TO_POINT:
            self.broadcast = text4(((self._network + 1 << self._shift) - 1).to_bytes(4, "big"))
        _check_a_hosts(self.address, self.broadcast)

    def has(self, host: str) -> bool:
        """Is ``host``, which is of the same family, in it?"""
        return number(host) >> self._shift == self._network


@lru_cache(maxsize=1024)
def parsed(text: str) -> IPv4Address | IPv6Address:
    """An address in any form of it.  ValueError for what is none."""
    return ip_address(text)


@lru_cache(maxsize=65536)
def number(host: str) -> int:
    """An address as the number that it is."""
    if is_ipv6(host):
        return int(IPv6Address(host))
    return int.from_bytes(packed4(host), "big")


def _check_a_hosts(address: str, broadcast: str | None) -> None:
    if is_link_local(address):
        raise Unsupported("asyncipc does not model link-local addresses (fe80::/10)")
    if is_wildcard(address) or is_multicast(address) or address == broadcast:
        raise ValueError(f"{address} can be no host's address")
    if is_loopback(address):
        raise ValueError(f"{address} is on the loopback, which every host has of its own")
