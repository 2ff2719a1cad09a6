"""connect(2) on the operating system's sockets, as a call that may take several attempts.

TCP goes on by itself once it has begun: to call again is to ask how far it is.
To a UNIX listener whose backlog is full nothing has begun, and nothing tells
when there is room; so it is tried again by time, and who waits for the same
listener gets in in no order.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.readiness import WRITABLE
from asyncipc.kernel.sockets.socket import AF_UNIX
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.native import libc
from asyncipc.native.line import RetryLine
from asyncipc.native.sockets.addresses import sockaddr

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.address import Address
    from asyncipc.native.sockets.socket import NativeSocket

UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EALREADY})


@final
class NativeConnecting:
    """One call: it is refused as it was at first, whatever a later attempt is told."""

    __slots__ = ("_address", "_process", "_refusal", "_socket")

    def __init__(self, socket: NativeSocket, process: Process, address: Address | None) -> None:
        self._socket = socket
        self._process = process
        self._address = address
        self._refusal: WouldBlock | None = None

    def __call__(self) -> WouldBlock | None:
        try:
            with sockaddr(self._address, self._process) as name:
                libc.connect(self._socket.number, name, len(name))
        except BlockingIOError as error:
            if self._refusal is None:
                self._refusal = self._refused(error)
            return self._refusal
        return None

    def _refused(self, error: BlockingIOError) -> WouldBlock:
        own, number = self._socket, error.errno or 0
        if number in UNDER_WAY:
            return WouldBlock(own.write_line(), own, WRITABLE, number)
        if own.family == AF_UNIX:
            return RetryLine(own, WRITABLE).refusal
        raise error
