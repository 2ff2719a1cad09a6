"""The datagram of udp(7): what it is made of, how long it may be, how it is gathered.

A datagram is a plain tuple, because one is made per send.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, final

from asyncipc.errors import fail
from asyncipc.kernel.buffers import Buffer, as_bytes
from asyncipc.kernel.ip.address import is_ipv6, unmapped
from asyncipc.kernel.ip.route import InetName, destination_of, name_of, source_of
from asyncipc.kernel.sockets.address import Address, InetAddress
from asyncipc.kernel.sockets.options import SO_BROADCAST
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    MSG_DONTROUTE,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SEND_SHUTDOWN,
)
from asyncipc.kernel.udp.error_queue import too_long
from asyncipc.kernel.udp.inbox import IPV6_EXTRA, datagram_memory

if TYPE_CHECKING:
    from asyncipc.kernel.udp.socket import UdpSocket

Datagram: TypeAlias = tuple[bytes, InetName, InetName, int]
"""Data, source, destination, and the memory it counts at its receiver."""

LENGTH_MAX: Final = 0xFFFF
"""What fits into UDP's length field; more is refused before anything else."""
IPV4_MAX: Final = LENGTH_MAX - 28
"""Bytes of data beside the heads of IPv4 (20) and UDP (8)."""
IPV6_MAX: Final = LENGTH_MAX - 8

UNUSUAL: Final = ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_DONTROUTE)
"""Flags that a send has to look at."""


def longest(destination: InetName) -> int:
    """The most bytes in one datagram."""
    return IPV4_MAX if type(destination) is InetAddress else IPV6_MAX


def memory_extra(destination: InetName) -> int:
    """What :func:`datagram_memory` is to add for the longer heads of IPv6."""
    return 0 if type(destination) is InetAddress else IPV6_EXTRA


class Receiver(Protocol):
    """Who takes a sender's datagrams: a socket of the host, or the network."""

    def deliver(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        """It is there, or on its way."""


class Way(NamedTuple):
    """Where a datagram went, for the next one: it holds until the port table changes."""

    version: int
    address: Address
    source: InetName
    destination: InetName
    receiver: Receiver
    extra: int
    most: int

    def beside(self, last: Way | None, known: dict[Address, Way]) -> dict[Address, Way]:
        """The ways that hold: this one with those that are ``known``, unless the ``last`` that
        was found does not hold any more.
        """
        if last is None or last.version != self.version:
            return NO_WAYS
        if last.address == self.address:
            return known
        if known is NO_WAYS or len(known) >= WAYS_MAX:
            known = {last.address: last}
        known[self.address] = self
        return known


NO_WAYS: Final[dict[Address, Way]] = {}
"""Stands for the ways of every socket that has sent to one address only."""
WAYS_MAX: Final = 256
"""So many are remembered; when they are more, from then on anew."""


@final
class Gathering:
    """A datagram in the making; MSG_MORE and UDP_CORK make it of several sends."""

    __slots__ = ("_parts", "_size", "destination", "source")

    def __init__(self, source: InetName, destination: InetName) -> None:
        self.source = source
        self.destination = destination
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: Buffer, sender: UdpSocket) -> None:
        """EMSGSIZE if that makes it too long."""
        if self._size + len(data) > longest(self.destination):
            too_long(sender, self.destination)
        self._parts.append(as_bytes(data))
        self._size += len(data)

    def datagram(self) -> Datagram:
        """The whole: its first part's memory, and the bytes that came behind."""
        first = len(self._parts[0])
        memory = datagram_memory(first, memory_extra(self.destination)) + self._size - first
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        return data, self.source, self.destination, memory

    def way(self, version: int, address: Address, receiver: Receiver) -> Way:
        extra, most = memory_extra(self.destination), longest(self.destination)
        return Way(version, address, self.source, self.destination, receiver, extra, most)


def begin(sender: UdpSocket, data: Buffer, address: Address | None) -> Gathering:
    """A datagram to ``address``, if the socket may send one there now (udp_sendmsg's order)."""
    if address is None:
        fail(errno.EDESTADDRREQ)
    if not isinstance(address, bytes) and not address.port:
        _check_port_zero(sender, address)
    destination, source = ends(sender, address)
    if len(data) > longest(destination):
        too_long(sender, destination)
    if sender.error:
        fail(sender.take_error())
    if sender.shut & SEND_SHUTDOWN:
        fail(errno.EPIPE)
    return Gathering(source, destination)


def _check_port_zero(sender: UdpSocket, address: InetName) -> None:
    """EINVAL; but a connected socket is not asked for its port, unless it is an
    IPv6 one that hands a mapped address on to IPv4 (udpv6_sendmsg).
    """
    handed_on = sender.family != AF_INET and not is_ipv6(unmapped(address.host))
    if handed_on and sender.v6only:
        fail(errno.ENETUNREACH)
    if handed_on or address is not sender.peer:
        fail(errno.EINVAL)


def ends(sender: UdpSocket, address: Address) -> tuple[InetName, InetName]:
    """Destination and source of the socket's datagrams to ``address``.

    EAFNOSUPPORT, ENETUNREACH, EINVAL from the loopback to another host, EACCES for a
    broadcast address that SO_BROADCAST has not asked for.
    """
    own, inet = sender.host, sender.kernel.inet
    destination = destination_of(inet, address, sender.family, own, v6only=sender.v6only)
    groups = None if sender.udp is None else sender.udp.groups
    source = source_of(inet, destination.host, own, groups)
    if inet.is_broadcast(destination.host) and not sender.options.is_on(SO_BROADCAST):
        fail(errno.EACCES)
    return destination, name_of(source, sender.port)
