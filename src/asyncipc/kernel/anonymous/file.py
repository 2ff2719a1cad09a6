"""What open files without a name have in common (fs/anon_inodes.c)."""

from __future__ import annotations

import errno

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK, O_RDWR, SEEK_MAX, Home, OpenFile


class AnonymousFile(OpenFile):
    """``name``: what ``/proc/PID/fd`` shows in its brackets."""

    __slots__ = ()

    name = ""
    signal_driven = False
    """None has a ``fasync``: setfl() takes O_ASYNC, and keeps nothing of it."""

    def __init__(self, kernel: Home, flags: int) -> None:
        super().__init__(kernel, O_RDWR | flags & O_NONBLOCK)

    def identity(self) -> object:
        """All have the one inode of anon_inode_inode, so that a lock on one is on all."""
        return self.kernel

    def describe(self) -> str:
        return f"anon_inode:[{self.name}]"

    def seek(self, offset: int, whence: int) -> int:
        """noop_llseek(): it has no offset, and says that it is 0.  EINVAL."""
        if not 0 <= whence <= SEEK_MAX:
            fail(errno.EINVAL)
        return 0
