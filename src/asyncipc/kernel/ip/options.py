"""IP options: what setsockopt(2) may change at the levels of ip(7) and ipv6(7).

TCP and UDP share them.  On one host most change nothing but what getsockopt(2)
answers: no hop counts a time to live, no router looks at a class of service.
What would change what a program receives and is not modelled (error queues of
IPv6, ancillary data, addresses that are not the host's) is refused by name.
Groups and the interface that leads to them are :mod:`asyncipc.kernel.ip.multicast`'s.
"""

from __future__ import annotations

import errno
from typing import Final, NamedTuple, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6

IPPROTO_IP: Final = 0
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_IPV6: Final = 41

IP_TOS: Final = 1
IP_TTL: Final = 2
IP_MTU_DISCOVER: Final = 10
IP_RECVERR: Final = 11
IP_MULTICAST_IF: Final = 32
IP_MULTICAST_TTL: Final = 33
IP_MULTICAST_LOOP: Final = 34
IP_ADD_MEMBERSHIP: Final = 35
IP_DROP_MEMBERSHIP: Final = 36
IP_MULTICAST_ALL: Final = 49

IPV6_UNICAST_HOPS: Final = 16
IPV6_MULTICAST_IF: Final = 17
IPV6_MULTICAST_HOPS: Final = 18
IPV6_MULTICAST_LOOP: Final = 19
IPV6_JOIN_GROUP: Final = 20
IPV6_LEAVE_GROUP: Final = 21
IPV6_MTU_DISCOVER: Final = 23
IPV6_V6ONLY: Final = 26
IPV6_MULTICAST_ALL: Final = 29
IPV6_TCLASS: Final = 67

ECN_BITS: Final = 0x3
"""The two bits of a class of service that are TCP's own to set."""

HOLES: Final = {
    (IPPROTO_IP, 8): "IP_PKTINFO",
    (IPPROTO_IP, 12): "IP_RECVTTL",
    (IPPROTO_IP, 13): "IP_RECVTOS",
    (IPPROTO_IP, 15): "IP_FREEBIND",
    (IPPROTO_IP, 19): "IP_TRANSPARENT",
    (IPPROTO_IP, 20): "IP_RECVORIGDSTADDR",
    (IPPROTO_IP, 21): "IP_MINTTL",
    (IPPROTO_IP, 24): "IP_BIND_ADDRESS_NO_PORT",
    (IPPROTO_IP, 37): "IP_UNBLOCK_SOURCE",
    (IPPROTO_IP, 38): "IP_BLOCK_SOURCE",
    (IPPROTO_IP, 39): "IP_ADD_SOURCE_MEMBERSHIP",
    (IPPROTO_IP, 40): "IP_DROP_SOURCE_MEMBERSHIP",
    (IPPROTO_IP, 42): "MCAST_JOIN_GROUP",
    (IPPROTO_IP, 46): "MCAST_JOIN_SOURCE_GROUP",
    (IPPROTO_IPV6, 25): "IPV6_RECVERR",
    (IPPROTO_IPV6, 42): "MCAST_JOIN_GROUP",
    (IPPROTO_IPV6, 46): "MCAST_JOIN_SOURCE_GROUP",
    (IPPROTO_IPV6, 49): "IPV6_RECVPKTINFO",
    (IPPROTO_IPV6, 51): "IPV6_RECVHOPLIMIT",
    (IPPROTO_IPV6, 66): "IPV6_RECVTCLASS",
}
"""Options that are off, and may be set to off."""


class Rule(NamedTuple):
    """``least`` to ``most`` are taken, else EINVAL; -1 is the default where ``resets``.

    A switch takes every number, and keeps whether it is 0; a ``byte`` keeps
    the lowest eight bits.  ``on_streams``: the errno there, 0 for none.
    """

    default: int
    least: int = 0
    most: int = 1
    resets: bool = False
    switch: bool = False
    byte: bool = False
    on_streams: int = 0

    def stored(self, value: int) -> int:
        if self.switch:
            return int(value != 0)
        if self.byte:
            return value & 0xFF
        if self.resets and value == -1:
            return self.default
        if not self.least <= value <= self.most:
            fail(errno.EINVAL)
        return value


RULES: Final = {
    (IPPROTO_IP, IP_TOS): Rule(0, byte=True),
    (IPPROTO_IP, IP_TTL): Rule(64, 1, 255, resets=True),
    (IPPROTO_IP, IP_MTU_DISCOVER): Rule(1, 0, 5),
    (IPPROTO_IP, IP_RECVERR): Rule(0, switch=True),
    (IPPROTO_IP, IP_MULTICAST_TTL): Rule(1, 0, 255, resets=True, on_streams=errno.EINVAL),
    (IPPROTO_IP, IP_MULTICAST_LOOP): Rule(1, switch=True),
    (IPPROTO_IP, IP_MULTICAST_ALL): Rule(1),
    (IPPROTO_IPV6, IPV6_UNICAST_HOPS): Rule(64, 0, 255, resets=True),
    (IPPROTO_IPV6, IPV6_MULTICAST_HOPS): Rule(1, 0, 255, resets=True, on_streams=errno.ENOPROTOOPT),
    (IPPROTO_IPV6, IPV6_MULTICAST_LOOP): Rule(1),
    (IPPROTO_IPV6, IPV6_MTU_DISCOVER): Rule(1, 0, 5),
    (IPPROTO_IPV6, IPV6_V6ONLY): Rule(0, switch=True),
    (IPPROTO_IPV6, IPV6_MULTICAST_ALL): Rule(1, switch=True),
    (IPPROTO_IPV6, IPV6_TCLASS): Rule(0, 0, 255, resets=True),
}

GROUP_OPTIONS: Final = {
    (IPPROTO_IP, IP_MULTICAST_IF): errno.EINVAL,
    (IPPROTO_IP, IP_ADD_MEMBERSHIP): errno.EPROTO,
    (IPPROTO_IP, IP_DROP_MEMBERSHIP): errno.EPROTO,
    (IPPROTO_IPV6, IPV6_MULTICAST_IF): errno.ENOPROTOOPT,
    (IPPROTO_IPV6, IPV6_JOIN_GROUP): errno.EPROTO,
    (IPPROTO_IPV6, IPV6_LEAVE_GROUP): errno.EPROTO,
}
"""What belongs to datagrams only, and what a stream says to it."""


@final
class IpOptions:
    """The IP options of one socket of ``family``; ``stream``: of TCP."""

    __slots__ = ("_changed", "_family", "_stream")

    def __init__(self, family: int, *, stream: bool) -> None:
        self._family = family
        self._stream = stream
        self._changed: dict[tuple[int, int], int] = {}

    def get(self, level: int, option: int) -> int:
        """getsockopt(2).  EOPNOTSUPP or ENOPROTOOPT for what there is not."""
        key = level, option
        if not self._knows(level):
            fail(errno.EOPNOTSUPP if self._family == AF_INET else errno.ENOPROTOOPT)
        if key in HOLES or key in GROUP_OPTIONS:
            return 0
        if key not in RULES:
            fail(errno.ENOPROTOOPT)
        return self.value(level, option)

    def set(self, level: int, option: int, value: int | bytes, *, bound: bool = False) -> None:
        """setsockopt(2).  EINVAL out of range, ENOPROTOOPT for what there is not.

        ``bound``: has the socket a port?  Then IPV6_V6ONLY is settled (EINVAL).
        """
        key = level, option
        if not self._knows(level):
            fail(errno.ENOPROTOOPT)
        if key in GROUP_OPTIONS:
            fail(GROUP_OPTIONS[key])
        number = _integer(level, value)
        rule = RULES.get(key)
        if rule is None:
            self._must_stay_off(key, number)
            return
        if self._stream and rule.on_streams:
            fail(rule.on_streams)
        if bound and key == (IPPROTO_IPV6, IPV6_V6ONLY):
            fail(errno.EINVAL)
        if number and key == (IPPROTO_IP, IP_RECVERR) and self._family == AF_INET6:
            raise Unsupported("asyncipc does not model IP_RECVERR on sockets of IPv6")
        stored = rule.stored(number)
        if self._stream and key in {(IPPROTO_IP, IP_TOS), (IPPROTO_IPV6, IPV6_TCLASS)}:
            stored &= ~ECN_BITS
        self._changed[key] = stored

    def value(self, level: int, option: int) -> int:
        """The value in force of an option that has a rule."""
        key = level, option
        found = self._changed.get(key)
        if found is not None:
            return found
        if key == (IPPROTO_IP, IP_MULTICAST_ALL) and self._family == AF_INET6:
            return 0  # inet6_create leaves it off
        return RULES[key].default

    @property
    def v6only(self) -> bool:
        """Does an IPv6 socket have nothing to do with IPv4?"""
        return bool(self._changed.get((IPPROTO_IPV6, IPV6_V6ONLY)))

    def keep_to_v6(self) -> None:
        """A socket that is bound to an IPv6 address is V6ONLY from then on (inet6_bind)."""
        self._changed[IPPROTO_IPV6, IPV6_V6ONLY] = 1

    def copy(self) -> IpOptions:
        """What a connection inherits of its listener."""
        copied = IpOptions(self._family, stream=self._stream)
        copied._changed = self._changed.copy()
        return copied

    def _knows(self, level: int) -> bool:
        return level == IPPROTO_IP or (level == IPPROTO_IPV6 and self._family == AF_INET6)

    def _must_stay_off(self, key: tuple[int, int], value: int) -> None:
        if key not in HOLES:
            fail(errno.ENOPROTOOPT)
        if value:
            raise Unsupported(f"asyncipc does not model the socket option {HOLES[key]}")


def _integer(level: int, value: int | bytes) -> int:
    """The first four bytes; ip(7)'s options also come as a single byte."""
    if isinstance(value, int):
        return value
    if len(value) >= 4:
        return int.from_bytes(value[:4], "little", signed=True)
    if level == IPPROTO_IP and value:
        return value[0]
    fail(errno.EINVAL)
