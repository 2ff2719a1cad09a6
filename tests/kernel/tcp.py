"""A host with TCP sockets and a clock that the test moves, for the pure tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.sockets.address import Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SECOND, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, SOCK_STREAM
from asyncipc.kernel.tcp.options import TCP_INFO
from asyncipc.kernel.tcp.socket import TcpSocket


class Armed:
    """One timer."""

    def __init__(self, due_ns: int, action: Callable[[], None]) -> None:
        self.due_ns = due_ns
        self.action = action


class Clock:
    """Timers that fire when the test lets time pass."""

    def __init__(self) -> None:
        self.time_ns = 0
        self.armed: list[Armed] = []

    def now(self) -> int:
        return self.time_ns

    def arm(self, due_ns: int, action: Callable[[], None]) -> Armed:
        self.armed.append(Armed(due_ns, action))
        return self.armed[-1]

    def cancel(self, timer: object) -> None:
        self.armed = [one for one in self.armed if one is not timer]

    def wait(self, seconds: float) -> None:
        """Let time pass, timer after timer."""
        until = self.time_ns + round(seconds * SECOND)
        while due := [timer for timer in self.armed if timer.due_ns <= until]:
            first = min(due, key=lambda timer: timer.due_ns)
            self.armed.remove(first)
            self.time_ns = first.due_ns
            first.action()
        self.time_ns = until


class Host:
    """``process`` calls; every socket is held by one descriptor, as it were."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.kernel.timers = self.clock = Clock()
        self.process = self.kernel.init

    def socket(self, family: int = AF_INET, *, options: Iterable[int] = ()) -> TcpSocket:
        socket = self.kernel.socket(family, SOCK_STREAM, 0)
        assert isinstance(socket, TcpSocket)
        socket.hold()
        for option in options:
            socket.setsockopt(SOL_SOCKET, option, 1)
        return socket

    def name(self, host: str, port: int) -> Address:
        return Inet6Address(host, port) if ":" in host else InetAddress(host, port)

    def bound(
        self, host: str = "127.0.0.1", port: int = 0, *, options: Iterable[int] = ()
    ) -> TcpSocket:
        socket = self.socket(AF_INET6 if ":" in host else AF_INET, options=options)
        socket.bind(self.process, self.name(host, port))
        return socket

    def listener(
        self, backlog: int = 8, *, port: int = 0, options: Iterable[int] = ()
    ) -> TcpSocket:
        socket = self.bound(port=port, options=options)
        socket.listen(self.process, backlog)
        return socket

    def connected(self, address: Address, *, source: int = 0) -> TcpSocket:
        socket = self.bound(port=source) if source else self.socket()
        assert socket.connect(self.process, address) is None
        return socket

    def accepted(self, listener: TcpSocket) -> TcpSocket:
        found = listener.accept()
        assert isinstance(found, tuple)
        socket = found[0]
        assert isinstance(socket, TcpSocket)
        socket.hold()
        return socket

    def pair(self, *, options: Iterable[int] = ()) -> tuple[TcpSocket, TcpSocket]:
        """A client and the server's end; the listener is gone."""
        listener = self.listener(options=options)
        client = self.connected(listener.getsockname())
        server = self.accepted(listener)
        listener.drop()
        return client, server


def state(socket: TcpSocket) -> int:
    """What TCP_INFO tells."""
    info = socket.getsockopt(IPPROTO_TCP, TCP_INFO)
    assert isinstance(info, bytes)
    return info[0]
