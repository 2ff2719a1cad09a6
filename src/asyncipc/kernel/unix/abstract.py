"""Abstract UNIX names: unix(7), the name space without files.

A name is exact bytes after the leading NUL; each type of socket has a name
space of its own; a name is free again as soon as its socket is released.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, final

from asyncipc.errors import fail

if TYPE_CHECKING:
    from asyncipc.kernel.sockets.socket import Socket


@final
class AbstractNames:
    __slots__ = ("_autobound", "_owners")

    def __init__(self) -> None:
        self._owners: dict[tuple[int, bytes], Socket] = {}
        self._autobound = 0

    def bind(self, name: bytes, socket: Socket) -> None:
        """EADDRINUSE if another socket of the type has the name."""
        if (socket.kind, name) in self._owners:
            fail(errno.EADDRINUSE)
        self._owners[socket.kind, name] = socket

    def find(self, name: bytes, kind: int) -> Socket | None:
        return self._owners.get((kind, name))

    def autobind(self, socket: Socket) -> bytes:
        """Give the socket the next free name of NUL and five hex digits."""
        while True:
            self._autobound = (self._autobound + 1) & 0xFFFFF
            name = b"\0%05x" % self._autobound
            if (socket.kind, name) not in self._owners:
                self._owners[socket.kind, name] = socket
                return name

    def free(self, name: bytes, socket: Socket) -> None:
        if self._owners.get((socket.kind, name)) is socket:
            del self._owners[socket.kind, name]
