"""Two hosts one millisecond apart, a connection between them, and a trace of what they send."""

from __future__ import annotations

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.tcp.transport import SegmentTransport
from tests.network.lab import SECOND, Lab
from tests.network.tcp.trace import Trace

SERVER = InetAddress("10.0.0.2", 80)


class Exchange:
    """``client`` on host ``a``, ``server`` on ``b``; the trace goes on after the ``handshake``."""

    def __init__(self, *options: tuple[int, int, int | bytes]) -> None:
        self.lab = Lab()
        self.a, self.b = self.lab.host("a", "10.0.0.1"), self.lab.host("b", "10.0.0.2")
        self.trace = Trace(self.lab, self.a, self.b)
        self.listener = self.b.listener(80)
        self.client = self.a.tcp()
        for level, option, value in options:
            self.client.setsockopt(level, option, value)
            self.listener.setsockopt(level, option, value)
        self.client.connect(self.a.process, SERVER)
        self.lab.run(0.1)
        accepted = self.listener.accept()
        assert isinstance(accepted, tuple)
        assert isinstance(accepted[0], TcpSocket)
        self.server = accepted[0]
        self.handshake = self.trace.since()

    def after(self, seconds: float) -> list[str]:
        """Let so much time go: what was sent since the last look."""
        self.lab.run(self.lab.now_ns / SECOND + seconds)
        return self.trace.since()

    def converse(self) -> None:
        """A message each way: from then on, both sides wait with their acknowledgements."""
        for _ in range(2):
            self.client.write(b"?")
            self.after(0.005)
            assert self.server.read(10) == b"?"
            self.server.write(b"!")
            self.after(0.005)
            assert self.client.read(10) == b"!"
        self.after(0.2)


def transport(socket: TcpSocket) -> SegmentTransport:
    assert isinstance(socket.transport, SegmentTransport)
    return socket.transport


def drain(socket: TcpSocket) -> bytes:
    """All that has come."""
    parts = []
    while isinstance(data := socket.read(1 << 20), bytes) and data:
        parts.append(data)
    return b"".join(parts)
