"""The simulated half of a gateway: sockets of the process that makes the calls.

The shapes are those of :mod:`asyncipc.runtime.gateway`, as of the real half.
Each step is a system call like a program's: it is seen by observers, disturbed
by a fault plan, and stands still while its host is paused.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

import anyio

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.ip.route import anywhere, name_of
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_LINGER, SO_OOBINLINE, SO_REUSEADDR, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    MSG_NOSIGNAL,
    SHUT_WR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOMAXCONN,
    Socket,
)
from asyncipc.kernel.tcp.options import TCP_NODELAY
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.address import Address
    from asyncipc.kernel.waitqueue import WouldBlock

RESET: Final = (1).to_bytes(4, "little") + bytes(4)
"""SO_LINGER with no time: close(2) sends RST, and forgets what was not sent."""
DATAGRAM_MAX: Final = 65536
PATIENCE_S: Final = 0.1


class SimulatedSocket:
    """``entry``: its descriptor, in the table of ``process``.  (Who is current in a verb may be
    another: the one who wakes the caller.)
    """

    def __init__(self, process: Process, entry: Descriptor) -> None:
        assert isinstance(entry.file, Socket)
        self.process = process
        self.entry = entry
        self.socket: Socket = entry.file

    @property
    def port(self) -> int:
        name = self.socket.getsockname()
        assert not isinstance(name, bytes)
        return name.port

    def set(self, level: int, option: int, value: int | bytes) -> None:
        call("setsockopt", self._set, self.entry.fd, level, option, value)

    def _set(self, fd: int, level: int, option: int, value: int | bytes) -> None:
        self.socket.setsockopt(level, option, value)

    def bind(self, host: str, port: int) -> None:
        name = name_of(host, port)
        call(
            "bind", lambda fd, _: self.socket.bind(self.process, name), self.entry.fd, (host, port)
        )

    async def connect(self, host: str, port: int) -> None:
        attempt = self.socket.connecting(self.process, name_of(host, port))
        await syscall("connect", self.entry, lambda _: attempt(), (host, port))

    def close(self) -> None:
        """Nothing, if the end of the process has closed it."""
        if self.entry.open:
            call("close", self.process.table.close, self.entry.fd)


@final
class SimulatedStream(SimulatedSocket):
    """A connected TCP socket."""

    def tune(self) -> None:
        """What came at once goes on at once, urgent bytes with the others."""
        self.set(IPPROTO_TCP, TCP_NODELAY, 1)
        self.set(SOL_SOCKET, SO_OOBINLINE, 1)

    async def read(self, size: int) -> bytes:
        return await syscall("read", self.entry, self.socket.read, size)

    async def write(self, data: bytes) -> None:
        done = 0
        while done < len(data):
            rest = data[done:] if done else data
            done += await syscall("send", self.entry, self.socket.send, rest, MSG_NOSIGNAL)

    async def finish(self) -> None:
        await syscall("shutdown", self.entry, self.socket.shutdown, SHUT_WR)

    def reset(self) -> None:
        if self.entry.open:
            self.set(SOL_SOCKET, SO_LINGER, RESET)
            self.close()


@final
class SimulatedListener(SimulatedSocket):
    """A listening TCP socket."""

    async def accept(self) -> SimulatedStream:
        """With no descriptor left (EMFILE), connections go on waiting."""
        while True:
            try:
                accepted, _ = await syscall("accept", self.entry, self._take)
            except OSError as error:
                if error.errno != errno.EMFILE:
                    raise
                await anyio.sleep(PATIENCE_S)
            else:
                stream = SimulatedStream(self.process, accepted)
                stream.tune()
                return stream

    def _take(self) -> tuple[Descriptor, Address] | WouldBlock:
        table = self.process.table
        table.check_room()
        found = self.socket.accept()
        if not isinstance(found, tuple):
            return found
        socket, address = found
        return table.open(socket, cloexec=True)[0], address


@final
class SimulatedDatagrams(SimulatedSocket):
    """A UDP socket, bound or connected."""

    async def receive(self) -> tuple[bytes, object]:
        """A datagram, and who sent it."""
        message = await syscall("recvfrom", self.entry, self.socket.recvmsg, DATAGRAM_MAX, 0)
        return message.data, message.address

    async def send(self, data: bytes, to: object = None) -> None:
        if to is None:
            await syscall("send", self.entry, self.socket.send, data, MSG_NOSIGNAL)
            return
        assert isinstance(to, InetAddress | Inet6Address)

        def verb(data: bytes, flags: int, name: Address) -> int | WouldBlock:
            return self.socket.sendto(data, flags, name, self.process)

        await syscall("sendto", self.entry, verb, data, MSG_NOSIGNAL, to)


def _open(family: int, kind: int) -> tuple[Process, Descriptor]:
    """socket(2), and whose it is.  EMFILE."""
    body = current()

    def make(family: int, kind: int, protocol: int) -> Descriptor:
        body.process.table.check_room()
        return body.process.table.open(body.machine.socket(family, kind, protocol), cloexec=True)[0]

    return body.process, call("socket", make, family, kind, 0)


def _family_of(host: str) -> int:
    return AF_INET6 if is_ipv6(host) else AF_INET


async def listen(port: int) -> SimulatedListener:
    """A listener on all addresses of the caller's host.  EADDRINUSE."""
    listener = SimulatedListener(*_open(AF_INET6, SOCK_STREAM))
    listener.set(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(anywhere(AF_INET6), port)
    call(
        "listen",
        lambda fd, backlog: listener.socket.listen(listener.process, backlog),
        listener.entry.fd,
        SOMAXCONN,
    )
    return listener


async def bind(port: int) -> SimulatedDatagrams:
    """A UDP socket on all addresses of the caller's host.  EADDRINUSE."""
    bound = SimulatedDatagrams(*_open(AF_INET6, SOCK_DGRAM))
    bound.bind(anywhere(AF_INET6), port)
    return bound


async def connect(host: str, port: int) -> SimulatedStream:
    """A TCP connection from the caller's host.  ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EMFILE."""
    stream = SimulatedStream(*_open(_family_of(host), SOCK_STREAM))
    try:
        stream.tune()
        await stream.connect(host, port)
    except BaseException:
        stream.close()
        raise
    return stream


async def associate(host: str, port: int) -> SimulatedDatagrams:
    """A UDP socket of the caller's host that speaks with one peer."""
    datagrams = SimulatedDatagrams(*_open(_family_of(host), SOCK_DGRAM))
    try:
        await datagrams.connect(host, port)
    except BaseException:
        datagrams.close()
        raise
    return datagrams
