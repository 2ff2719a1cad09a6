"""Conversations: TCP connections whose two ends write and read as they like.

What an end reads is compared with what the other wrote, byte by byte as it comes.
"""

from __future__ import annotations

import struct
from functools import partial
from random import Random
from typing import Final

from asyncipc.errors import errno_name
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets import options as opt
from asyncipc.kernel.sockets.socket import MSG_MORE
from asyncipc.kernel.tcp import options as tcp
from asyncipc.kernel.tcp.socket import TcpSocket
from tests.network.lab import Lab
from tests.network.tasks import Program, Task

SHUT_WR: Final = 1
SIZES: Final = (0, 1, 100, 1460, 5_000, 40_000, 120_000)
READ_SIZES: Final = (50, 1_000, 4_096, 65_536)
PAUSES: Final = (0.0001, 0.002, 0.03, 0.3)
MANNERS: Final = ("half", "half", "half", "late", "rough", "linger")
LINGER_NONE: Final = struct.pack("ii", 1, 0)
GENTLE: Final = ("half", "late")


class Ending:
    """How an end behaves, drawn before it has a socket.

    ``manner``: it shuts its half down when all is written and closes when all is read
    (``half``); or closes after the other has (``late``); or at any moment (``rough``), perhaps
    with a reset (``linger``).
    """

    def __init__(self, die: Random, manners: tuple[str, ...]) -> None:
        self.manner = die.choice(manners)
        self.data = die.randbytes(die.choice(SIZES))
        self.write_size = die.choice((100, 1_460, 10_000, 100_000))
        self.read_size = die.choice(READ_SIZES)
        self.idleness = die.choice((0.0, 0.0, 0.05, 0.3))
        self.pause = die.choice(PAUSES)
        self.leaves_after = die.choice((0.0, 0.01, 0.1, 1.0, 10.0))
        self.buffers = die.choice((None, None, None, 2_000, 10_000, 60_000))
        self.more = die.choice((0.0, 0.0, 0.0, 0.5))
        self.options = tuple(name for name in OPTIONS if die.random() < 0.15)

    @property
    def is_gentle(self) -> bool:
        return self.manner in GENTLE

    def settle(self, socket: TcpSocket) -> None:
        if self.buffers is not None:
            socket.setsockopt(opt.SOL_SOCKET, opt.SO_RCVBUF, self.buffers)
            socket.setsockopt(opt.SOL_SOCKET, opt.SO_SNDBUF, self.buffers)
        for name in self.options:
            socket.setsockopt(*OPTIONS[name])

    def describe(self) -> str:
        words = [self.manner, f"{len(self.data)} bytes", *self.options]
        if self.more:
            words.append("more")
        if self.buffers is not None:
            words.append(f"buffers of {self.buffers}")
        return ", ".join(words)


OPTIONS: Final[dict[str, tuple[int, int, int | bytes]]] = {
    "nodelay": (IPPROTO_TCP, tcp.TCP_NODELAY, 1),
    "cubic": (IPPROTO_TCP, tcp.TCP_CONGESTION, b"cubic"),
    "maxseg 200": (IPPROTO_TCP, tcp.TCP_MAXSEG, 200),
    "cork": (IPPROTO_TCP, tcp.TCP_CORK, 1),
    "clamp 3000": (IPPROTO_TCP, tcp.TCP_WINDOW_CLAMP, 3_000),
    "low water 500": (opt.SOL_SOCKET, opt.SO_RCVLOWAT, 500),
    "keepalive": (opt.SOL_SOCKET, opt.SO_KEEPALIVE, 1),
}


class End:
    """``written``: how much of its data the kernel has taken.  ``at_end``: it has read the
    other's FIN.  ``error``: what a call raised.
    """

    def __init__(self, lab: Lab, ending: Ending) -> None:
        self.lab = lab
        self.ending = ending
        self.socket: TcpSocket | None = None
        self.peer = self
        self.written = self.read = 0
        self.has_written = self.at_end = self.closed = False
        self.error: str | None = None
        self.tasks: list[Task] = []

    def begin(self, socket: TcpSocket, die: Random) -> None:
        self.socket = socket
        self.tasks.append(Task(self.lab, self.guarded(self.write(die))))
        self.tasks.append(Task(self.lab, self.guarded(self.take(die))))
        if not self.ending.is_gentle:
            self.tasks.append(Task(self.lab, self.leave()))

    def guarded(self, program: Program) -> Program:
        """The first error ends it all."""
        try:
            yield from program
        except OSError as error:
            self.error = errno_name(error.errno or 0)
            self.close()

    def write(self, die: Random) -> Program:
        data, ending, socket = self.ending.data, self.ending, self.socket
        assert socket is not None
        while self.written < len(data):
            chunk = data[self.written : self.written + ending.write_size]
            flags = MSG_MORE if die.random() < ending.more else 0
            self.written += yield partial(socket.send, chunk, flags)
            if die.random() < ending.idleness:
                yield ending.pause
        self.has_written = True
        if ending.manner == "half":
            socket.shutdown(SHUT_WR)
        self.close_if_done()

    def take(self, die: Random) -> Program:
        ending, socket = self.ending, self.socket
        assert socket is not None
        while True:
            data = yield lambda: socket.read(ending.read_size)
            if not data:
                break
            self.check(data)
            if die.random() < ending.idleness:
                yield ending.pause
        self.at_end = True
        peer = self.peer
        assert self.read == peer.written, f"the stream ended at {self.read} of {peer.written} bytes"
        self.close_if_done()

    def check(self, data: bytes) -> None:
        """What came is what the other has written there."""
        following = self.read + len(data)
        expected = self.peer.ending.data[self.read : following]
        assert following <= self.peer.written, f"{following} bytes read, {self.peer.written} sent"
        assert data == expected, f"the bytes from {self.read} on are others"
        self.read = following

    def leave(self) -> Program:
        yield self.ending.leaves_after
        if self.ending.manner == "linger" and self.socket is not None:
            self.socket.setsockopt(opt.SOL_SOCKET, opt.SO_LINGER, LINGER_NONE)
        self.close()

    def close_if_done(self) -> None:
        if self.has_written and self.at_end:
            self.close()

    def close(self) -> None:
        """close(2), once; its programs end."""
        if self.closed:
            return
        self.closed = True
        for task in self.tasks:
            task.cancel()
        if self.socket is not None:
            self.socket.drop()
