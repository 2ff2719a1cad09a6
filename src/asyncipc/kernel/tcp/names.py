"""The names of TCP sockets: what bind(2) and connect(2) may be given.

A socket keeps its addresses unmapped, whatever its family, so that the two
ends of a connection share them; a program sees them in the socket's family.
"""

from __future__ import annotations

import errno
from typing import Final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    ANY4,
    ANY6,
    LOOPBACK4,
    LOOPBACK6,
    is_broadcast,
    is_ipv6,
    is_multicast,
    is_wildcard,
    mapped,
    unmapped,
)
from asyncipc.kernel.sockets.address import Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6

NOWHERE: Final = {AF_INET: InetAddress(ANY4, 0), AF_INET6: InetAddress(ANY6, 0)}
"""The name of a socket that was given none."""
SIZES: Final = {AF_INET: 16, AF_INET6: 24}
"""The least that is an address of the family: sizeof(sockaddr_in), SIN6_LEN_RFC2133."""


def shown(family: int, address: InetAddress) -> Address:
    """The address as a program of the family sees it."""
    if family == AF_INET:
        return address
    return Inet6Address(mapped(address.host), address.port)


def own_form(family: int, address: Address) -> InetAddress:
    """The address unmapped.  EAFNOSUPPORT, or EINVAL where it is too short to tell."""
    if isinstance(address, Inet6Address) and family == AF_INET6:
        return InetAddress(unmapped(address.host), address.port)
    if isinstance(address, InetAddress) and family == AF_INET:
        return address
    size = len(address) + 2 if isinstance(address, bytes) else SIZES[_family(address)]
    fail(errno.EAFNOSUPPORT if size >= SIZES[family] else errno.EINVAL)


def check_bindable(family: int, host: str, *, v6only: bool) -> None:
    """What cannot be any TCP socket's own address.  EINVAL."""
    if family == AF_INET6 and (v6only if not is_ipv6(host) else is_multicast(host)):
        fail(errno.EINVAL)


def destination(address: InetAddress, own_host: str, *, v6only: bool) -> InetAddress:
    """Who is meant by connect(2).  ENETUNREACH.

    :: is the loopback; 0.0.0.0 is the socket's own address, if it has one
    (ip_route_output_key: without a destination it is the source).
    """
    host, port = address
    if v6only and not is_ipv6(host):
        fail(errno.ENETUNREACH)
    if host == ANY4 and not is_wildcard(own_host) and not is_ipv6(own_host):
        return InetAddress(own_host, port)
    if is_wildcard(host):
        loopback = LOOPBACK6 if is_ipv6(host) and is_ipv6(own_host) else LOOPBACK4
        return InetAddress(loopback, port)
    if is_multicast(host) or is_broadcast(host):
        fail(errno.ENETUNREACH)
    return address


def _family(address: InetAddress | Inet6Address) -> int:
    return AF_INET if isinstance(address, InetAddress) else AF_INET6
