"""Who a segment is for: the connections of one host, and its listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.errors import Unsupported
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.tcp.transport import Transport

if TYPE_CHECKING:
    from asyncipc.network.packet import Packet
    from asyncipc.network.stack import Stack


@final
class Connections:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def open(self, socket: TcpSocket) -> Transport:
        """A transport for ``socket``, whose names are set; it has yet to connect."""
        raise Unsupported("TCP between hosts")

    def input(self, packet: Packet) -> None:
        """A packet with a segment has arrived."""
        raise Unsupported("TCP between hosts")
