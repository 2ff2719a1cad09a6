"""UDP's options: those of IP and of groups, and UDP_CORK (udp(7))."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.ip.multicast import Groups
from asyncipc.kernel.ip.options import (
    GROUP_OPTIONS,
    IP_MULTICAST_ALL,
    IP_RECVERR,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_MULTICAST_ALL,
    IpOptions,
)
from asyncipc.kernel.sockets.options import integer
from asyncipc.kernel.sockets.socket import AF_INET6
from asyncipc.kernel.udp.error_queue import ErrorQueue

if TYPE_CHECKING:
    from asyncipc.kernel.ip.inet import Inet
    from asyncipc.kernel.udp.inbox import Inbox

UDP_CORK: Final = 1
HOLES: Final = {100: "UDP_ENCAP", 103: "UDP_SEGMENT", 104: "UDP_GRO"}


@final
class UdpOptions:
    """One socket's, made when it is first asked for one.  ``corked``: sends gather;
    ``mishaps``: unless IP_RECVERR is off.
    """

    __slots__ = ("_family", "_inbox", "corked", "groups", "ip", "mishaps")

    def __init__(self, inet: Inet, family: int, inbox: Inbox) -> None:
        self._family = family
        self._inbox = inbox
        self.mishaps: ErrorQueue | None = None
        self.corked = False
        self.ip = IpOptions(family, stream=False)
        self.groups = Groups(inet)

    def get(self, level: int, option: int) -> int | bytes:
        """getsockopt(2).  ENOPROTOOPT, EOPNOTSUPP."""
        if level == IPPROTO_UDP:
            _check(option)
            return int(self.corked)
        if self._is_of_groups(level, option):
            return self.groups.get(level, option)
        return self.ip.get(level, option)

    def set(self, level: int, option: int, value: int | bytes, *, bound: bool) -> None:
        """setsockopt(2).  EINVAL, ENOPROTOOPT, and those of groups."""
        if level == IPPROTO_UDP:
            _check(option)
            self.corked = integer(value) != 0
        elif self._is_of_groups(level, option):
            self.groups.set(level, option, value)
        else:
            self.ip.set(level, option, value, bound=bound)
            if (level, option) == (IPPROTO_IP, IP_RECVERR):
                self._queue_errors(on=bool(self.ip.value(level, option)))

    def _queue_errors(self, *, on: bool) -> None:
        if on and self.mishaps is None:
            self.mishaps = ErrorQueue(self._inbox)
        elif not on and self.mishaps is not None:
            self.mishaps.clear()
            self.mishaps = None

    def hears(self, group: str, index: int) -> bool:
        """Does the socket get what comes by an interface for a group that somebody joined there?"""
        if self.groups.hears(group, index):
            return True
        if is_ipv6(group):
            return bool(self.ip.value(IPPROTO_IPV6, IPV6_MULTICAST_ALL))
        return bool(self.ip.value(IPPROTO_IP, IP_MULTICAST_ALL))

    def _is_of_groups(self, level: int, option: int) -> bool:
        known = level == IPPROTO_IP or self._family == AF_INET6
        return known and (level, option) in GROUP_OPTIONS


def _check(option: int) -> None:
    if option in HOLES:
        raise Unsupported(f"asyncipc does not model the socket option {HOLES[option]}")
    if option != UDP_CORK:
        fail(errno.ENOPROTOOPT)
