"""UDP between hosts: a datagram of udp(7) as a packet carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.udp.inbox import datagram_memory

if TYPE_CHECKING:
    from asyncipc.kernel.udp.datagram import Datagram

UDP_HEAD: Final = 8


@final
class UdpBody:
    """``datagram``: as the kernel's sockets exchange it."""

    __slots__ = ("datagram",)

    protocol = "UDP"

    def __init__(self, datagram: Datagram) -> None:
        self.datagram = datagram

    @property
    def size(self) -> int:
        return len(self.datagram[0]) + UDP_HEAD

    @property
    def data(self) -> bytes:
        return self.datagram[0]

    def with_data(self, data: bytes) -> UdpBody:
        _, source, target, _ = self.datagram
        return UdpBody((data, source, target, datagram_memory(len(data))))

    def describe(self) -> str:
        data, source, target, _ = self.datagram
        return f"{source.port} > {target.port}, {len(data)} bytes"
