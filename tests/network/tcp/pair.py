"""A client's and a server's host, which may be one and the same: for cases that hold on both."""

from __future__ import annotations

from asyncipc.errors import errno_name
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.address import Address, InetAddress
from asyncipc.kernel.sockets.options import SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, SOCK_STREAM
from asyncipc.kernel.tcp.options import TCP_INFO
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.waitqueue import WouldBlock
from tests.network.lab import SECOND, Host, Lab

WORTH_A_WHILE = 0.5
"""Seconds in which everything that is on its way has arrived and is acknowledged."""
TURNS = 10_000


class Pair:
    """``apart``: are there two hosts?  ``address``: where the server listens."""

    def __init__(self, *, apart: bool) -> None:
        self.apart = apart
        self.lab = Lab()
        self.server = self.lab.host("server", "10.0.0.2", "fd00::2")
        self.client = self.lab.host("client", "10.0.0.1", "fd00::1") if apart else self.server
        self.address = InetAddress("10.0.0.2", 80)

    def settle(self, seconds: float = WORTH_A_WHILE) -> None:
        """Let time go."""
        self.lab.run(self.lab.now_ns / SECOND + seconds)

    # -- sockets

    def socket(self, host: Host, *options: int, family: int = AF_INET) -> TcpSocket:
        socket = host.kernel.socket(family, SOCK_STREAM, 0)
        assert isinstance(socket, TcpSocket)
        socket.hold()
        for option in options:
            socket.setsockopt(SOL_SOCKET, option, 1)
        return socket

    def listener(self, backlog: int = 8, *options: int, host: str = "10.0.0.2") -> TcpSocket:
        socket = self.socket(self.server, *options)
        socket.bind(self.server.process, InetAddress(host, 80))
        socket.listen(self.server.process, backlog)
        return socket

    def connect(self, socket: TcpSocket, address: Address | None = None) -> str:
        """What comes of it: "connected", an errno, or "hangs"."""
        target = address or self.address
        try:
            found = socket.connect(self.client.process, target)
            if isinstance(found, WouldBlock):
                self.settle()
                found = socket.connect(self.client.process, target)
        except OSError as error:
            return errno_name(error.errno or 0)
        return "hangs" if isinstance(found, WouldBlock) else "connected"

    def connected(self, address: Address | None = None, *, family: int = AF_INET) -> TcpSocket:
        socket = self.socket(self.client, family=family)
        assert self.connect(socket, address) == "connected"
        return socket

    def ends(self, *options: int) -> tuple[TcpSocket, TcpSocket]:
        """The client's and the server's; the listener is gone."""
        listener = self.listener(8, *options)
        near = self.connected()
        far = accepted(listener)
        listener.drop()
        return near, far

    # -- data

    def send(self, socket: TcpSocket, data: bytes, flags: int = 0) -> None:
        """All of it, and it arrives."""
        assert socket.send(data, flags) == len(data)
        self.settle()

    def fill(self, socket: TcpSocket) -> int:
        """Write until nothing more goes; how many bytes that took."""
        total = refusals = 0
        while refusals < 2:
            moved = socket.write(b"f" * 65536)
            if isinstance(moved, WouldBlock):
                refusals += 1
                self.settle()
            else:
                total, refusals = total + moved, 0
        return total

    def drain(self, socket: TcpSocket, size: int) -> None:
        """Read so many bytes."""
        for _ in range(TURNS):
            data = socket.recv(1 << 20, 0)
            if isinstance(data, WouldBlock):
                self.settle()
                continue
            size -= len(data)
            if not data or not size:
                break
        assert not size


def accepted(listener: TcpSocket) -> TcpSocket:
    found = listener.accept()
    assert isinstance(found, tuple)
    socket = found[0]
    assert isinstance(socket, TcpSocket)
    socket.hold()
    return socket


def state(socket: TcpSocket) -> int:
    """What TCP_INFO tells."""
    info = socket.getsockopt(IPPROTO_TCP, TCP_INFO)
    assert isinstance(info, bytes)
    return info[0]
