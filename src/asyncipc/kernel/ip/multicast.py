"""Multicast: the groups that a socket has joined, and the way it sends to groups.

A host without a network has one interface, the loopback (index 1), and no
route for groups: an IPv4 socket must name the interface (IP_MULTICAST_IF), or
be bound to an address of it; IPv6 groups can be joined, but not reached.
The values are the bytes of ip(7)'s struct ip_mreq (group, address), ip_mreqn
(group, address, index) and of ipv6(7)'s struct ipv6_mreq (group, index).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    ANY4,
    LOOPBACK_INDEX,
    is_broadcast,
    is_multicast,
    is_wildcard,
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

    ``joined``: each group, and the address of the interface that was named.
    ``outgoing``: the address that datagrams to IPv4 groups leave from; None:
    no interface is set.  One that is set by its index alone has no address:
    they leave from 0.0.0.0.
    """

    __slots__ = ("_inet", "_outgoing6", "joined", "outgoing")

    def __init__(self, inet: Inet) -> None:
        self._inet = inet
        self.joined: dict[str, str] = {}
        self.outgoing: str | None = None
        self._outgoing6 = 0

    def get(self, level: int, option: int) -> int | bytes:
        """getsockopt(2) of the outgoing interface."""
        if (level, option) == (IPPROTO_IP, IP_MULTICAST_IF):
            return packed4(self.outgoing or ANY4)
        if (level, option) == (IPPROTO_IPV6, IPV6_MULTICAST_IF):
            return self._outgoing6
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
        for group in tuple(self.joined):
            self._forget(group)

    def _join4(self, group: str, address: str, index: int) -> None:
        if not is_multicast(group):
            fail(errno.EINVAL)
        if not self._is_interface(address, index):
            fail(errno.ENODEV)
        if group not in self.joined and sum("." in g for g in self.joined) >= MEMBERSHIPS_MAX:
            fail(errno.ENOBUFS)
        self._remember(group, address)

    def _leave4(self, group: str, address: str, index: int) -> None:
        if not index and address == ANY4:  # no route tells which interface is meant
            fail(errno.ENODEV)
        known = self.joined.get(group)
        if known is None or index not in {0, LOOPBACK_INDEX} or (not index and known != address):
            fail(errno.EADDRNOTAVAIL)
        self._forget(group)

    def _join6(self, group: str, index: int) -> None:
        if index != LOOPBACK_INDEX:
            fail(errno.ENODEV)
        self._remember(group, "")

    def _leave6(self, group: str, index: int) -> None:
        if group not in self.joined or index not in {0, LOOPBACK_INDEX}:
            fail(errno.EADDRNOTAVAIL)
        self._forget(group)

    def _remember(self, group: str, address: str) -> None:
        if group in self.joined:
            fail(errno.EADDRINUSE)
        self.joined[group] = address
        self._inet.udp.join(group)

    def _forget(self, group: str) -> None:
        del self.joined[group]
        self._inet.udp.leave(group)

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
            self.outgoing = None
        elif self._is_interface(address, index):
            self.outgoing = address
        else:
            fail(errno.EADDRNOTAVAIL)

    def _send6_through(self, index: int) -> None:
        if index not in {0, LOOPBACK_INDEX}:
            fail(errno.ENODEV)
        self._outgoing6 = index

    def _is_interface(self, address: str, index: int) -> bool:
        """The index counts where it is given, else whose address it is."""
        if index:
            return index == LOOPBACK_INDEX
        own = self._inet.is_local(address) and not is_broadcast(address)
        return own and not is_wildcard(address)


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
