"""Multicast: the groups that a socket has joined, and the way it sends to groups.

A host without a network has one interface, the loopback (index 1), and no
route for groups: an IPv4 socket must name the interface (IP_MULTICAST_IF), or
be bound to an address of it; IPv6 groups can be joined, but not reached.  A
host with addresses has another (index 2), which leads to all groups; what is
joined on one interface is not heard on the other.
The values are the bytes of ip(7)'s struct ip_mreq (group, address), ip_mreqn
(group, address, index) and of ipv6(7)'s struct ipv6_mreq (group, index).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    ANY4,
    NETWORK_INDEX,
    is_ipv6,
    is_multicast,
    packed4,
    text4,
)
from asyncipc.kernel.ip.options import (
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    IPV6_MULTICAST_IF,
)
from asyncipc.kernel.sockets.options import integer

if TYPE_CHECKING:
    from asyncipc.kernel.ip.inet import Inet

MEMBERSHIPS_MAX: Final = 20
"""net.ipv4.igmp_max_memberships: IPv4 groups of one socket."""
MREQ_SIZE: Final = 8
MREQN_SIZE: Final = 12
IPV6_MREQ_SIZE: Final = 20


@final
class Groups:
    """What one socket has to do with groups.

    ``joined``: group and interface, and the address that was named.
    ``index4``, ``index6``: the interface that datagrams to groups leave by; 0: none is
    set.  ``outgoing``: the address that they leave from over IPv4; one of the
    loopback that is set by its index alone has none: they leave from 0.0.0.0.
    """

    __slots__ = ("_inet", "index4", "index6", "joined", "outgoing")

    def __init__(self, inet: Inet) -> None:
        self._inet = inet
        self.joined: dict[tuple[str, int], str] = {}
        self.index4 = self.index6 = 0
        self.outgoing: str | None = None

    def get(self, level: int, option: int) -> int | bytes:
        """getsockopt(2) of the outgoing interface."""
        if (level, option) == (IPPROTO_IP, IP_MULTICAST_IF):
            return packed4(self.outgoing or ANY4)
        if (level, option) == (IPPROTO_IPV6, IPV6_MULTICAST_IF):
            return self.index6
        fail(errno.ENOPROTOOPT)

    def set(self, level: int, option: int, value: int | bytes) -> None:
        """setsockopt(2): join, leave, or name the outgoing interface."""
        if (level, option) == (IPPROTO_IP, IP_ADD_MEMBERSHIP):
            self._join4(*_mreqn(value))
        elif (level, option) == (IPPROTO_IP, IP_DROP_MEMBERSHIP):
            self._leave4(*_mreqn(value))
        elif (level, option) == (IPPROTO_IP, IP_MULTICAST_IF):
            self._send_through(value)
        elif (level, option) == (IPPROTO_IPV6, IPV6_JOIN_GROUP):
            self._join6(*_ipv6_mreq(value))
        elif (level, option) == (IPPROTO_IPV6, IPV6_LEAVE_GROUP):
            self._leave6(*_ipv6_mreq(value))
        else:
            self._send6_through(integer(value))

    def leave_all(self) -> None:
        """The socket is closed."""
        for group, index in tuple(self.joined):
            self._forget(group, index)

    def hears(self, group: str, index: int) -> bool:
        """Has it joined the group there?  IPv6 does not ask where (inet6_mc_check)."""
        if is_ipv6(group):
            return any(group == joined for joined, _ in self.joined)
        return (group, index) in self.joined

    def _join4(self, group: str, address: str, index: int) -> None:
        if not is_multicast(group):
            fail(errno.EINVAL)
        found = self._interface(address, index)
        if not found:
            fail(errno.ENODEV)
        known = sum(not is_ipv6(joined) for joined, _ in self.joined)
        if (group, found) not in self.joined and known >= MEMBERSHIPS_MAX:
            fail(errno.ENOBUFS)
        self._remember(group, found, address)

    def _leave4(self, group: str, address: str, index: int) -> None:
        found = self._interface(address, index) or index
        if not found and address == ANY4:  # no route tells which interface is meant
            fail(errno.ENODEV)
        for known, interface in self.joined:
            if known == group and _matches(
                found, interface, address, self.joined[known, interface]
            ):
                self._forget(group, interface)
                return
        fail(errno.EADDRNOTAVAIL)

    def _join6(self, group: str, index: int) -> None:
        found = index or self._inet.interface_for_groups(ipv6=True)
        if not self._inet.has_interface(found):
            fail(errno.ENODEV)
        self._remember(group, found, "")

    def _leave6(self, group: str, index: int) -> None:
        for known, interface in reversed(self.joined):
            if known == group and index in {0, interface}:
                self._forget(group, interface)
                return
        fail(errno.EADDRNOTAVAIL)

    def _remember(self, group: str, index: int, address: str) -> None:
        if (group, index) in self.joined:
            fail(errno.EADDRINUSE)
        self.joined[group, index] = address
        self._inet.udp.join(group, index)

    def _forget(self, group: str, index: int) -> None:
        del self.joined[group, index]
        self._inet.udp.leave(group, index)

    def _send_through(self, value: int | bytes) -> None:
        """A struct in_addr, ip_mreq or ip_mreqn; all zero: no interface."""
        data = value.to_bytes(4, "little", signed=value < 0) if isinstance(value, int) else value
        if len(data) < 4:
            fail(errno.EINVAL)
        if len(data) < MREQ_SIZE:
            address, index = text4(data[:4]), 0
        else:
            _, address, index = _mreqn(data)
        if not index and address == ANY4:
            self.outgoing, self.index4 = None, 0
            return
        found = self._interface(address, index)
        if not found:
            fail(errno.EADDRNOTAVAIL)
        by_route = found == NETWORK_INDEX and address == ANY4
        self.outgoing, self.index4 = None if by_route else address, found

    def _send6_through(self, index: int) -> None:
        if index and not self._inet.has_interface(index):
            fail(errno.ENODEV)
        self.index6 = index

    def _interface(self, address: str, index: int) -> int:
        """The index counts where it is given, else whose address it is, else the route; 0: none
        (ip_mc_find_dev).
        """
        if index:
            return index if self._inet.has_interface(index) else 0
        if address == ANY4:
            return self._inet.interface_for_groups(ipv6=False)
        return self._inet.interface_of(address)


def _matches(index: int, joined: int, address: str, named: str) -> bool:
    """Is the interface that was joined the one that is to be left?"""
    return joined == index if index else address == named


def _mreqn(value: int | bytes) -> tuple[str, str, int]:
    """Group, address and index of a struct ip_mreqn, or ip_mreq (index 0)."""
    if isinstance(value, int) or len(value) < MREQ_SIZE:
        fail(errno.EINVAL)
    index = integer(value[8:12]) if len(value) >= MREQN_SIZE else 0
    return text4(value[:4]), text4(value[4:8]), index


def _ipv6_mreq(value: int | bytes) -> tuple[str, int]:
    """Group and index of a struct ipv6_mreq.  EINVAL for what is no group."""
    if isinstance(value, int) or len(value) < IPV6_MREQ_SIZE:
        fail(errno.EINVAL)
    from ipaddress import IPv6Address  # dear to import, and hardly ever wanted

    group = str(IPv6Address(value[:16]))
    if not is_multicast(group):
        fail(errno.EINVAL)
    return group, integer(value[16:20])
