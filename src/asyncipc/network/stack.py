"""The stack: the internet layer of one host, between its kernel and the wire."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.network.dice import Die
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.connections import Connections
from asyncipc.network.udp import UdpBody

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.tcp.transport import Transport
    from asyncipc.kernel.udp.datagram import Datagram
    from asyncipc.kernel.udp.socket import UdpSocket
    from asyncipc.network.fabric import Fabric


@final
class Stack:
    """``kernel``: whose sockets it serves.  ``die``: for what must not be guessed."""

    def __init__(self, name: str, kernel: Home, fabric: Fabric, die: Die) -> None:
        self.name = name
        self.kernel = kernel
        self.fabric = fabric
        self.die = die
        self.tcp = Connections(self)
        kernel.inet.outside = self

    def attach(self, address: str) -> None:
        """The host has one more address."""
        self.fabric.attach(self, address)
        inet = self.kernel.inet
        inet.hosts.append(address)
        inet.udp.version += 1

    # -- what the kernel asks (kernel/ip/outside)

    def source_for(self, host: str) -> str:
        for own in self.kernel.inet.hosts:
            if is_ipv6(own) == is_ipv6(host):
                return own
        fail(errno.ENETUNREACH)

    def is_broadcast(self, host: str) -> bool:
        return False

    def transport(self, socket: TcpSocket) -> Transport:
        return self.tcp.open(socket)

    def deliver(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        source, target = datagram[1].host, datagram[2].host
        self.output(Packet(source, target, UdpBody(datagram)))

    def join(self, group: str) -> None: ...

    def leave(self, group: str) -> None: ...

    # -- the wire

    def output(self, packet: Packet) -> None:
        self.fabric.submit(packet, self, self.fabric.timers.now())

    def input(self, packet: Packet) -> None:
        """A packet has arrived."""
        body = packet.body
        if isinstance(body, UdpBody):
            self._datagram_arrived(body.datagram)
        else:
            self.tcp.input(packet)

    def _datagram_arrived(self, datagram: Datagram) -> None:
        receiver = self.kernel.inet.udp.lookup(datagram[2], datagram[1])
        if receiver is not None:
            receiver.deliver(datagram, None)
