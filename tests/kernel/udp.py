"""A host with UDP sockets, for the pure tests."""

from __future__ import annotations

from collections.abc import Iterable

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.sockets.address import Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, SOCK_DGRAM
from asyncipc.kernel.udp.socket import UdpSocket


class Host:
    """``process`` calls; every socket is held by one descriptor, as it were."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.process = self.kernel.init

    def socket(self, family: int = AF_INET, *, options: Iterable[int] = ()) -> UdpSocket:
        socket = self.kernel.socket(family, SOCK_DGRAM, 0)
        assert isinstance(socket, UdpSocket)
        socket.hold()
        for option in options:
            socket.setsockopt(SOL_SOCKET, option, 1)
        return socket

    def socket_for(self, host: str, *, options: Iterable[int] = ()) -> UdpSocket:
        return self.socket(AF_INET6 if ":" in host else AF_INET, options=options)

    def name(self, host: str, port: int) -> Address:
        return Inet6Address(host, port) if ":" in host else InetAddress(host, port)

    def bound(
        self, host: str = "127.0.0.1", port: int = 0, *, options: Iterable[int] = ()
    ) -> UdpSocket:
        socket = self.socket_for(host, options=options)
        socket.bind(self.process, self.name(host, port))
        return socket

    def connected(self, address: Address, *, options: Iterable[int] = ()) -> UdpSocket:
        host = "" if isinstance(address, bytes) else address.host
        socket = self.socket_for(host, options=options)
        socket.connect(self.process, address)
        return socket

    def send(
        self, sender: UdpSocket, data: bytes, to: UdpSocket | Address, flags: int = 0
    ) -> object:
        address = to.getsockname() if isinstance(to, UdpSocket) else to
        return sender.sendto(data, flags, address, self.process)

    def dead(self) -> Address:
        """The address of a port where nobody is any more."""
        socket = self.bound()
        address = socket.getsockname()
        socket.drop()
        return address
