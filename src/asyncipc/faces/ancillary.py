"""Control messages, as both faces of a socket (descriptors and channels) send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from asyncipc.faces.socket_calls import socket_of
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.ancillary import SCM_RIGHTS, ControlItem, Outgoing
from asyncipc.kernel.sockets.options import SOL_SOCKET
from asyncipc.kernel.waitqueue import WouldBlock

FD_SIZE = 4


@final
class Sending:
    """One sendmsg(2): a verb, which holds the descriptors it sends from its beginning on.

    Who calls it says when the call is ``over``: what did not go is let go of.
    """

    __slots__ = ("_address", "_control", "_file", "_items", "_process")

    def __init__(
        self,
        file: OpenFile,
        process: Process,
        items: Sequence[ControlItem],
        address: Address | None = None,
    ) -> None:
        self._file = file
        self._process = process
        self._items: Sequence[ControlItem] = items
        self._address = address
        self._control: Outgoing | None = None

    def begin(self) -> None:
        """Look the descriptors up, and hold them.  Twice is once."""
        items, self._items = self._items, ()
        if items:
            self._control = socket_of(self._file).outgoing(self._process, items)

    def __call__(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        self.begin()
        socket = socket_of(self._file)
        return socket.sendmsg(data, flags, self._address, self._control, self._process, done)

    def over(self) -> None:
        if self._control is not None:
            self._control.drop()


def rights(fds: Sequence[int]) -> ControlItem:
    """SCM_RIGHTS, for these numbers."""
    numbers = (fd.to_bytes(FD_SIZE, "little", signed=True) for fd in fds)
    return SOL_SOCKET, SCM_RIGHTS, b"".join(numbers)


def descriptors_in(items: Sequence[ControlItem]) -> list[int]:
    """The numbers that came."""
    return [
        int.from_bytes(data[at : at + FD_SIZE], "little")
        for level, kind, data in items
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
        for at in range(0, len(data), FD_SIZE)
    ]
