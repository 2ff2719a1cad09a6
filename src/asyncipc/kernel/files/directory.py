"""The open directory: what open(2) of one gives, to be locked, asked or kept.

Its names are read with ``listdir``.  Not modelled: getdents(2), fchdir(2), and
paths from a directory's descriptor (openat(2) and its like).
"""

from __future__ import annotations

import errno
from typing import final

from asyncipc.errors import fail
from asyncipc.kernel.files.namespace import status_flags
from asyncipc.kernel.files.node import Directory, Status
from asyncipc.kernel.openfile import Home, OpenFile
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock


@final
class DirectoryFile(OpenFile):
    __slots__ = ("node",)

    noun = "directory"
    signal_driven = False

    def __init__(self, kernel: Home, node: Directory, flags: int) -> None:
        super().__init__(kernel, status_flags(flags))
        self.node = node
        self.inode = node.inode

    def read(self, size: int) -> bytes | WouldBlock:
        fail(errno.EISDIR)

    def read_at(self, size: int, offset: int) -> bytes:
        fail(errno.EISDIR)

    def write_at(self, data: object, offset: int) -> int:
        fail(errno.EBADF)

    def write(self, data: object, done: int = 0) -> int | WouldBlock:
        fail(errno.EBADF)

    def seek(self, offset: int, whence: int) -> int:
        """Only back to its beginning, where it always is."""
        if offset or whence not in {0, 1}:
            fail(errno.EINVAL, "asyncipc reads no directory by its descriptor")
        return 0

    def synchronize(self) -> None:
        """fsync(2)"""

    def poll(self) -> int:
        """DEFAULT_POLLMASK, as a regular file."""
        return READABLE | WRITABLE

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """It is always ready, so nobody ever waits for it."""
        return ()

    def identity(self) -> object:
        return self.node

    def describe(self) -> str:
        return self.node.describe()

    def status(self) -> Status:
        return self.node.status()
