"""What both faces of a socket, descriptors and channels, do alike."""

from __future__ import annotations

import errno
from collections.abc import Callable

from asyncipc.errors import fail
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import O_NONBLOCK, OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.socket import SOCK_CLOEXEC, Socket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import Body


def socket_of(file: OpenFile) -> Socket:
    """ENOTSOCK for what is none."""
    if not isinstance(file, Socket):
        fail(errno.ENOTSOCK)
    return file


def family_of(file: OpenFile) -> int:
    """What its addresses mean; 0 for what is no socket, which the call itself will tell."""
    return file.family if isinstance(file, Socket) else 0


def connector(
    file: OpenFile, process: Process, address: Address | None
) -> Callable[[object], WouldBlock | None]:
    """connect(2) as a verb, whose argument is the address as the program wrote it."""
    connecting: Callable[[], WouldBlock | None] | None = None

    def attempt(_: object) -> WouldBlock | None:
        nonlocal connecting
        if connecting is None:
            connecting = socket_of(file).connecting(process, address)
        return connecting()

    return attempt


def acceptor(
    body: Body, file: OpenFile, flags: int
) -> Callable[[], tuple[Descriptor, Address] | WouldBlock]:
    """accept(2) as a verb: a connection for which the table has no room goes on waiting."""

    def take() -> tuple[Descriptor, Address] | WouldBlock:
        table = body.process.table
        fd, found = table.reserve(), None
        try:
            found = socket_of(file).accept()
        finally:
            if not isinstance(found, tuple):
                table.unreserve(fd)
        if isinstance(found, WouldBlock):
            return found
        accepted, address = found
        accepted.flags |= flags & O_NONBLOCK
        return table.fill(fd, accepted, cloexec=bool(flags & SOCK_CLOEXEC)), address

    return take
