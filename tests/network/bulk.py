"""Bulk transfer between two hosts in the laboratory: how fast one connection gets."""

from __future__ import annotations

from typing import Final, Unpack

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.tcp.options import TCP_CONGESTION
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.links.conditions import PERFECT, Spelling, conditions
from tests.network.lab import SECOND, Lab
from tests.network.tasks import Program, Task

MSS: Final = 1448
"""Of data, with timestamps."""
WIRE: Final = 1500
CHUNK: Final = bytes(1 << 18)


class Transfer:
    """From host ``a`` to ``b``: ``size`` bytes over a link under ``keywords``; acknowledgements
    come back as late, and undamaged.  ``control``: whose the congestion window is.
    ``received``: (seconds, bytes so far), at each read.
    """

    def __init__(
        self,
        size: int,
        rtt: float,
        seed: int = 0,
        control: bytes = b"reno",
        **keywords: Unpack[Spelling],
    ) -> None:
        self.lab = lab = Lab(seed)
        self.size = size
        lab.fabric.conditions = conditions(PERFECT, latency=rtt / 2)
        self.source, self.target = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
        way = conditions(lab.fabric.conditions, **keywords)
        lab.fabric.link("a", "b").conditions = way
        self.sender, self.listener = self.source.tcp(), self.target.listener(80)
        self.sender.setsockopt(IPPROTO_TCP, TCP_CONGESTION, control)
        self.received: list[tuple[float, int]] = []
        self.receiver: TcpSocket | None = None

    def run(self) -> None:
        tasks = [Task(self.lab, self.send()), Task(self.lab, self.receive())]
        while not all(task.over for task in tasks):
            due = self.lab.heap.next_due()
            assert due is not None, "it stands still"
            self.lab.run(due / SECOND)

    def send(self) -> Program:
        socket, left = self.sender, self.size
        address = InetAddress("10.0.0.2", 80)
        yield lambda: socket.connect(self.source.process, address)
        while left:
            chunk = memoryview(CHUNK)[:left]
            left -= yield lambda chunk=chunk: socket.write(chunk)
        socket.drop()

    def receive(self) -> Program:
        socket, _ = yield self.listener.accept
        socket.hold()
        self.receiver = socket
        count = 0
        while data := (yield lambda: socket.read(1 << 20)):
            count += len(data)
            self.received.append((self.lab.now_ns / SECOND, count))
        assert count == self.size
        socket.drop()
        self.listener.drop()

    def rate(self, share: float = 0.5) -> float:
        """Bytes per second, in the last ``share`` of the transfer."""
        start, before = next(r for r in self.received if r[1] >= self.size * (1 - share))
        end, all_of_it = self.received[-1]
        return (all_of_it - before) / (end - start)


def transfer(
    size: int, rtt: float, seed: int = 0, control: bytes = b"reno", **keywords: Unpack[Spelling]
) -> Transfer:
    made = Transfer(size, rtt, seed, control, **keywords)
    made.run()
    return made
