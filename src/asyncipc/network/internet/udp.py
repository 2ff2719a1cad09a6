"""UDP between hosts: a datagram of udp(7) as a packet carries it, and how it leaves.

What a socket's options say of the packets is looked at here: time to live,
path MTU discovery, IP_MULTICAST_LOOP (ip_append_data, ip_mc_output).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import is_ipv6, is_multicast
from asyncipc.kernel.ip.options import (
    IP_MTU_DISCOVER,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_MTU_DISCOVER,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP,
    IPV6_UNICAST_HOPS,
)
from asyncipc.kernel.udp.datagram import memory_extra
from asyncipc.kernel.udp.error_queue import too_long
from asyncipc.kernel.udp.inbox import datagram_memory
from asyncipc.network.packet import HEAD4, HEAD6, TTL_DEFAULT, Packet

if TYPE_CHECKING:
    from asyncipc.kernel.udp.datagram import Datagram
    from asyncipc.kernel.udp.socket import UdpSocket

UDP_HEAD: Final = 8

PMTUDISC_WANT: Final = 1
PMTUDISC_DO: Final = 2
PMTUDISC_PROBE: Final = 3
PMTUDISC_INTERFACE: Final = 4
WHOLE_ALWAYS: Final = {PMTUDISC_DO, PMTUDISC_PROBE, PMTUDISC_INTERFACE}
"""What is too long is refused with EMSGSIZE, not cut."""
BY_INTERFACE: Final = {PMTUDISC_PROBE, PMTUDISC_INTERFACE, 5}
"""The interface's MTU counts, whatever was heard of the path's."""
KEPT_WHOLE: Final = {PMTUDISC_WANT, PMTUDISC_DO, PMTUDISC_PROBE}
"""With IP's DF."""


@final
class UdpBody:
    """``datagram``: as the kernel's sockets exchange it."""

    __slots__ = ("datagram", "size")

    protocol = "UDP"

    def __init__(self, datagram: Datagram) -> None:
        self.datagram = datagram
        self.size = len(datagram[0]) + UDP_HEAD

    @property
    def data(self) -> bytes:
        return self.datagram[0]

    def with_data(self, data: bytes) -> UdpBody:
        _, source, target, _ = self.datagram
        return UdpBody((data, source, target, datagram_memory(len(data), memory_extra(target))))

    def describe(self) -> str:
        data, source, target, _ = self.datagram
        return f"{source.port} > {target.port}, {len(data)} bytes"


@final
class Sending:
    """What the options of ``sender`` say of a datagram to ``target``; None: the defaults."""

    __slots__ = ("_ip", "_six", "_target")

    def __init__(self, sender: UdpSocket | None, target: str) -> None:
        self._ip = None if sender is None or sender.udp is None else sender.udp.ip
        self._target = target
        self._six = is_ipv6(target)

    @property
    def ttl(self) -> int:
        if is_multicast(self._target):
            return self._value(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 1)
        return self._value(IP_TTL, IPV6_UNICAST_HOPS, TTL_DEFAULT)

    @property
    def loops(self) -> bool:
        """Does what is sent to a group come back to the host?"""
        return self._value(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, 1) != 0

    @property
    def discovery(self) -> int:
        return self._value(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_WANT)

    def _value(self, option4: int, option6: int, default: int) -> int:
        if self._ip is None:
            return default
        if self._six:
            return self._ip.value(IPPROTO_IPV6, option6)
        return self._ip.value(IPPROTO_IP, option4)


def packet_of(
    datagram: Datagram, sender: UdpSocket | None, *, interface_mtu: int, path_mtu: int
) -> tuple[Packet, int]:
    """A datagram as a packet, and the MTU that it must be cut for.  EMSGSIZE if it must not."""
    target = datagram[2].host
    sending = Sending(sender, target)
    discovery = sending.discovery
    mtu = interface_mtu if discovery in BY_INTERFACE else min(interface_mtu, path_mtu)
    size = len(datagram[0]) + UDP_HEAD + (HEAD6 if is_ipv6(target) else HEAD4)
    if size > mtu and discovery in WHOLE_ALWAYS and sender is not None:
        too_long(sender, datagram[2], mtu)
    whole = size <= mtu and (discovery in KEPT_WHOLE or is_ipv6(target))
    body = UdpBody(datagram)
    return Packet(datagram[1].host, target, body, ttl=sending.ttl, whole=whole), mtu
