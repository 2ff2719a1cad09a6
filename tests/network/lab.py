"""The laboratory: hosts, a fabric and an event heap, and no event loop.

Time stands until a test lets it go (``lab.run``).  Sockets are the kernel's own;
a call that would block answers ``WouldBlock``, as in the pure tests of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.socket import AF_INET, SOCK_DGRAM, SOCK_STREAM
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.timers import Timer
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.network.fabric import Fabric
from asyncipc.network.internet.stack import Stack
from asyncipc.runtime.clock import TimerHeap

SECOND = 1_000_000_000
FOREVER = 1 << 62


class Lab:
    def __init__(self, seed: int = 0) -> None:
        self.now_ns = 0
        self.seed = seed
        self.heap = TimerHeap()
        self.fabric = Fabric(self.dice)
        self.fabric.timers = self

    def dice(self, purpose: str) -> Random:
        return Random(f"{self.seed}:{purpose}")

    # -- the clock (kernel/timers.Timers)

    def now(self) -> int:
        return self.now_ns

    def arm(self, due_ns: int, action: Callable[[], None]) -> Timer:
        return self.heap.arm(due_ns, action)

    def cancel(self, timer: Timer) -> None:
        self.heap.cancel(timer)

    def run(self, until_s: float | None = None) -> None:
        """Let time go: to ``until_s`` seconds, or until nothing more happens."""
        stop = FOREVER if until_s is None else round(until_s * SECOND)
        while (due := self.heap.next_due()) is not None and due <= stop:
            self.now_ns = max(self.now_ns, due)
            self.heap.fire(self.now_ns)
        if until_s is not None:
            self.now_ns = max(self.now_ns, stop)

    # -- hosts and sockets

    def host(self, name: str, *addresses: str) -> Host:
        return Host(self, name, addresses)


class Host:
    """``process``: who makes the calls."""

    def __init__(self, lab: Lab, name: str, addresses: tuple[str, ...]) -> None:
        self.kernel = Kernel(name)
        self.kernel.timers = lab
        self.stack = Stack(name, self.kernel, lab.fabric, lambda: lab.dice(f"stack:{name}"))
        for address in addresses:
            self.stack.attach(address)
        self.address = addresses[0]

    @property
    def process(self) -> Process:
        return self.kernel.init

    def tcp(self, *, nonblocking: bool = False) -> TcpSocket:
        socket = self.kernel.socket(AF_INET, SOCK_STREAM, 0)
        assert isinstance(socket, TcpSocket)
        socket.hold()
        if nonblocking:
            socket.flags |= 0o4000
        return socket

    def udp(self, port: int = 0) -> UdpSocket:
        """Bound to all of the host's addresses."""
        socket = self.kernel.socket(AF_INET, SOCK_DGRAM, 0)
        assert isinstance(socket, UdpSocket)
        socket.hold()
        socket.bind(self.process, InetAddress("0.0.0.0", port))
        return socket

    def listener(self, port: int, backlog: int = 10) -> TcpSocket:
        socket = self.tcp()
        socket.bind(self.process, InetAddress("0.0.0.0", port))
        socket.listen(self.process, backlog)
        return socket
