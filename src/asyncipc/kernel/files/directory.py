"""The open directory: what open(2) of one gives, to be locked, asked or kept.

Its names are read with ``listdir``.  Not modelled: getdents(2), fchdir(2), and
paths from a directory's descriptor (openat(2) and its like).
"""

from __future__ import annotations

import errno
from typing import final

from asyncipc.errors import fail
from asyncipc.kernel.files.namespace import status_flags
from asyncipc.kernel.files.node import Directory
from asyncipc.kernel.files.node_file import NodeFile
from asyncipc.kernel.files.regular import OFFSET_MAX, SEEK_CUR, SEEK_SET
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.waitqueue import WouldBlock


@final
class DirectoryFile(NodeFile):
    """``offset``: what lseek(2) has set; nothing is read from there."""

    __slots__ = ()

    noun = "directory"

    def __init__(self, kernel: Home, node: Directory, flags: int) -> None:
        super().__init__(kernel, node, status_flags(flags))

    def read(self, size: int) -> bytes | WouldBlock:
        fail(errno.EISDIR)

    def read_at(self, size: int, offset: int) -> bytes:
        fail(errno.EISDIR)

    def write_at(self, data: object, offset: int) -> int:
        fail(errno.EBADF)

    def write(self, data: object, done: int = 0) -> int | WouldBlock:
        fail(errno.EBADF)

    def seek(self, offset: int, whence: int) -> int:
        """offset_dir_llseek(): anywhere, but not from the end, which nobody knows."""
        if whence == SEEK_CUR:
            offset += self.offset
        if whence not in {SEEK_SET, SEEK_CUR} or not 0 <= offset <= OFFSET_MAX:
            fail(errno.EINVAL)
        self.offset = offset
        return offset
