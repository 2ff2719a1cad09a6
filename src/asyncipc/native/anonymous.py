"""What the operating system's open files without a name have in common."""

from __future__ import annotations

import array
import fcntl
import os
import termios

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.openfile import O_NONBLOCK, O_RDWR, Home
from asyncipc.native.descriptor import NativeFile


class NativeAnonymous(NativeFile):
    """``flags``: O_NONBLOCK, as the program asked for it."""

    __slots__ = ()

    signal_driven = False
    """None has a ``fasync``: setfl() takes O_ASYNC, and keeps nothing of it."""

    def __init__(self, kernel: Home, number: int, flags: int) -> None:
        super().__init__(kernel, number, O_RDWR | flags & O_NONBLOCK)

    def seek(self, offset: int, whence: int) -> int:
        return os.lseek(self.number, offset, whence)

    def read_at(self, size: int, offset: int) -> bytes:
        return os.pread(self.number, size, offset)

    def write_at(self, data: Buffer, offset: int) -> int:
        return os.pwrite(self.number, data, offset)

    def truncate(self, length: int) -> None:
        os.ftruncate(self.number, length)

    def synchronize(self) -> None:
        os.fsync(self.number)

    def unread(self) -> int:
        count = array.array("i", [0])
        fcntl.ioctl(self.number, termios.FIONREAD, count)
        return count[0]
