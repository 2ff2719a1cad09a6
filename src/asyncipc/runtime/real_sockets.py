"""The real half of a gateway: the one place where a simulation opens real sockets.

They are the operating system's, and non-blocking: a verb is tried first, and
who is refused waits for readiness by anyio.  The shapes are those of
:mod:`asyncipc.runtime.gateway`, whose simulated half has the same ones.
"""

from __future__ import annotations

import errno
import operator
import os
import socket
import struct
from contextlib import suppress
from typing import Final, TypeAlias, final

import anyio

from asyncipc.errors import fail

RealAddress: TypeAlias = tuple[str, int]
"""A host, by name or number, and a port."""

RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""SO_LINGER with no time: close(2) sends RST, and forgets what was not sent."""
NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""accept(2) fails, and the connection goes on waiting."""
PORT_MAX: Final = 65535
PATIENCE_S: Final = 0.1
DATAGRAM_MAX: Final = 65536


def open_socket(family: int, kind: int) -> socket.socket:
    """Every real socket of a simulation is made here, or accepted from one that was."""
    opened = socket.socket(family, kind)
    opened.setblocking(False)
    return opened


@final
class RealStream:
    """A connected TCP socket."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    async def read(self, size: int) -> bytes:
        while True:
            try:
                return self._socket.recv(size)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)

    async def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)

    async def finish(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._socket.close()

    def close(self) -> None:
        self._socket.close()


@final
class RealListener:
    """A listening TCP socket."""

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening

    @property
    def port(self) -> int:
        return _port(self._socket)

    async def accept(self) -> RealStream:
        """One that is reset while it waits disturbs nobody (accept(2), "Error handling")."""
        while True:
            try:
                return RealStream(self._socket.accept()[0])
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError as error:
                await anyio.sleep(PATIENCE_S if error.errno in NO_ROOM else 0)

    def close(self) -> None:
        self._socket.close()


@final
class RealDatagrams:
    """A UDP socket, bound or connected.  What it has no room for is lost."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    @property
    def port(self) -> int:
        return _port(self._socket)

    async def receive(self) -> tuple[bytes, object]:
        """A datagram, and who sent it."""
        while True:
            try:
                return self._socket.recvfrom(DATAGRAM_MAX)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)

    async def send(self, data: bytes, to: object = None) -> None:
        with suppress(BlockingIOError):
            if to is None:
                self._socket.send(data)
            else:
                self._socket.sendto(data, to)  # type: ignore[call-overload]

    def close(self) -> None:
        self._socket.close()


def _port(named: socket.socket) -> int:
    port: int = named.getsockname()[1]
    return port


async def listen(address: RealAddress) -> RealListener:
    """socket(2), bind(2), listen(2), with SO_REUSEADDR.  EADDRINUSE, EADDRNOTAVAIL, EACCES."""
    return RealListener(await _bound(address, socket.SOCK_STREAM))


async def bind(address: RealAddress) -> RealDatagrams:
    """socket(2), bind(2).  Errors as of ``listen``."""
    return RealDatagrams(await _bound(address, socket.SOCK_DGRAM))


async def connect(address: RealAddress) -> RealStream:
    """socket(2), connect(2): to the first of a name's addresses that answers."""
    return RealStream(await _connected(address, socket.SOCK_STREAM))


async def associate(address: RealAddress) -> RealDatagrams:
    """A UDP socket that speaks with one peer."""
    return RealDatagrams(await _connected(address, socket.SOCK_DGRAM))


async def _bound(address: RealAddress, kind: int) -> socket.socket:
    family, name = (await _found(address, kind))[0]
    opened = open_socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(name)
        if kind == socket.SOCK_STREAM:
            opened.listen(socket.SOMAXCONN)
    except BaseException:
        opened.close()
        raise
    return opened


async def _connected(address: RealAddress, kind: int) -> socket.socket:
    *others, last = await _found(address, kind)
    for family, name in others:
        with suppress(OSError):
            return await _connected_to(family, name, kind)
    return await _connected_to(*last, kind)


async def _connected_to(family: int, name: tuple[str, int], kind: int) -> socket.socket:
    opened = open_socket(family, kind)
    try:
        error = opened.connect_ex(name)
        if error == errno.EINPROGRESS:
            await anyio.wait_writable(opened)
            error = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            fail(error)
    except BaseException:
        opened.close()
        raise
    return opened


async def _found(address: RealAddress, kind: int) -> list[tuple[int, tuple[str, int]]]:
    """The families and addresses of a host; a number needs nobody to look it up."""
    host, port = address
    if not 0 <= operator.index(port) <= PORT_MAX:  # getaddrinfo(3) would cut it
        raise OverflowError(f"a real port is 0-{PORT_MAX}, not {port}")
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await anyio.getaddrinfo(host, port, type=kind)  # type: ignore[assignment]
    return [(family, name) for family, _, _, _, name in found]  # type: ignore[misc]
