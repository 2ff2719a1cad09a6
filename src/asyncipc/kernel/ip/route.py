"""The addresses of a datagram: where it goes, and where it says it comes from.

Sockets give what they are bound to (``own``, unmapped) and get names as
datagrams carry them: unmapped, no wildcards, IPv6 without flow and scope, so
that equal ones are equal.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, TypeAlias

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    ANY4,
    ANY6,
    BROADCAST,
    LOOPBACK4,
    LOOPBACK6,
    LOOPBACK_INDEX,
    NET_BROADCAST,
    is_ipv6,
    is_link_local,
    is_loopback,
    is_multicast,
    is_wildcard,
    mapped,
    unmapped,
)
from asyncipc.kernel.sockets.address import Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.socket import AF_INET

if TYPE_CHECKING:
    from asyncipc.kernel.ip.inet import Inet
    from asyncipc.kernel.ip.multicast import Groups

InetName: TypeAlias = InetAddress | Inet6Address


def name_of(host: str, port: int) -> InetName:
    return Inet6Address(host, port) if is_ipv6(host) else InetAddress(host, port)


def shown(host: str, port: int, family: int) -> Address:
    """A name as sockets of ``family`` show it."""
    return InetAddress(host, port) if family == AF_INET else Inet6Address(mapped(host), port)


def anywhere(family: int) -> str:
    """The host of a socket that was given none."""
    return ANY4 if family == AF_INET else ANY6


def bindable(inet: Inet, address: Address, family: int, *, v6only: bool) -> tuple[str, int]:
    """Host, unmapped, and port that a socket may be bound to.

    EAFNOSUPPORT and EINVAL for what is none of the family's, EADDRNOTAVAIL
    for a host that is neither this one nor a group.
    """
    if isinstance(address, bytes) or (family == AF_INET and isinstance(address, Inet6Address)):
        fail(errno.EAFNOSUPPORT)
    host = unmapped(address.host)
    if family != AF_INET and (isinstance(address, InetAddress) or (v6only and not is_ipv6(host))):
        fail(errno.EINVAL)
    check_scope(address)
    if not (is_multicast(host) or inet.is_broadcast(host) or inet.is_local(host)):
        fail(errno.EADDRNOTAVAIL)
    return host, address.port


def check_scope(address: Address) -> None:
    """An address of a link means nothing without its interface: EINVAL."""
    if isinstance(address, Inet6Address) and not address.scope_id and is_link_local(address.host):
        fail(errno.EINVAL)


def destination_of(
    inet: Inet, address: Address, family: int, own: str, *, v6only: bool
) -> InetName:
    """Where a socket sends that is told ``address``.

    0.0.0.0 is the socket's own host, :: the loopback of its sort.
    EAFNOSUPPORT for another family's, ENETUNREACH for IPv4 if ``v6only``.
    """
    if isinstance(address, bytes) or (family == AF_INET and isinstance(address, Inet6Address)):
        fail(errno.EAFNOSUPPORT)
    host = unmapped(address.host)
    if host == ANY6:
        host = LOOPBACK6 if is_ipv6(own) else LOOPBACK4
    if is_ipv6(host):
        if not is_ipv6(own):
            fail(errno.EAFNOSUPPORT)
    elif v6only:
        fail(errno.ENETUNREACH)
    elif host == ANY4:
        host = sendable(inet, own) or LOOPBACK4
    return name_of(host, address.port)


def source_of(inet: Inet, host: str, own: str, groups: Groups | None) -> str:
    """The host that a datagram to ``host`` comes from.  ENETUNREACH if it can't leave.

    ``groups``: knows the interface for groups, if one is set.  EINVAL for who
    is bound to the loopback and means another host (ip_route_output_key).
    """
    if is_ipv6(host):
        return _source6(inet, host, own, groups)
    source = sendable(inet, own)
    if host == NET_BROADCAST:
        return source or LOOPBACK4
    if host == BROADCAST:
        return source or inet.source_for(host)
    if is_multicast(host):
        return source or (groups and groups.outgoing) or inet.source_for(host)
    routed = inet.source_for(host)
    if source is None:
        return routed
    if is_loopback(source) and not inet.is_here(host):
        fail(errno.EINVAL)
    return source


def _source6(inet: Inet, host: str, own: str, groups: Groups | None) -> str:
    if is_multicast(host) and groups is not None and groups.index6 == LOOPBACK_INDEX:
        fail(errno.ENETUNREACH)
    source = inet.source_for(host)
    return own if is_ipv6(own) and not is_wildcard(own) and not is_multicast(own) else source


def leads_out(inet: Inet, host: str, source: str, groups: Groups | None) -> bool:
    """Does what goes to many leave by the network's interface, not by the loopback's?"""
    if is_multicast(host) and groups is not None:
        chosen = groups.index6 if is_ipv6(host) else groups.index4
        if chosen:
            return chosen != LOOPBACK_INDEX
    return bool(inet.hosts) and not is_loopback(source) and host != NET_BROADCAST


def sendable(inet: Inet, own: str) -> str | None:
    """The IPv4 address that a socket is bound to, if that is one to send from."""
    if is_ipv6(own) or own == ANY4 or is_multicast(own) or inet.is_broadcast(own):
        return None
    return own
