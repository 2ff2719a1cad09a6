"""Sendfile: sendfile(2), a splice with a pipe inside, which may take long.

Laws (do_sendfile and splice_direct_to_actor in fs/): it goes from a regular file;
to a pipe as splice(2) does, else until all is sent or the file ends.
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.files.pipe import PipeEnd
from asyncipc.kernel.files.regular import SEEK_CUR, RegularFile
from asyncipc.kernel.files.splice import (
    demand_access,
    demand_range,
    file_to_pipe,
    own_offset,
    refuse,
)
from asyncipc.kernel.openfile import O_APPEND, O_NONBLOCK, O_RDONLY, O_WRONLY, OpenFile
from asyncipc.kernel.sockets.socket import Socket
from asyncipc.kernel.waitqueue import WouldBlock

CHUNK: Final = 65536
"""What the pipe inside holds."""


def has_offset(file: OpenFile) -> bool:
    """Does lseek(2) know one, be it always 0 (FMODE_LSEEK)?"""
    try:
        file.seek(0, SEEK_CUR)
    except OSError:
        return False
    return True


@final
class Sendfile:
    """One call of sendfile(2): a verb that refuses until all has been sent, or the file ends.

    ``signalled``: as in :class:`asyncipc.kernel.transfer.LongWrite`.
    """

    __slots__ = ("_began", "_count", "_in_fd", "_offset", "_source", "_target", "done", "signalled")

    def __init__(
        self, target: OpenFile, source: OpenFile, in_fd: int, offset: int | None, count: int
    ) -> None:
        self._target = target
        self._source = source
        self._in_fd = in_fd
        self._offset = offset
        self._began: int | None = None
        self._count = count
        self.done = 0
        self.signalled = False

    def __call__(self) -> int | WouldBlock:
        source, target = self._source, self._target
        if self._began is None:
            self._began = own_offset(source)
        self._check()
        if isinstance(target, PipeEnd):
            nonblock = target.flags & O_NONBLOCK
            began = self._began
            return file_to_pipe(source, target, self._count, self._offset, nonblock, began)
        if target.flags & O_APPEND:
            fail(errno.EINVAL)
        if not self._count and has_offset(source):
            return 0
        if not isinstance(source, RegularFile):
            fail(errno.EINVAL)
        if not isinstance(target, RegularFile | Socket):  # nobody asks it, if there is nothing
            return fail(errno.EINVAL) if source.read_at(1, self._start()) else 0
        return self._send(source, target)

    def _check(self) -> None:
        demand_access(self._source, O_RDONLY)
        if self._offset is not None and not self._source.has_places:
            fail(errno.ESPIPE)
        demand_range(self._start(), self._count)
        demand_access(self._target, O_WRONLY)
        demand_range(own_offset(self._target) or 0, self._count)

    def _start(self) -> int:
        return self._offset if self._offset is not None else self._began or 0

    def _send(self, source: RegularFile, target: OpenFile) -> int | WouldBlock:
        """splice_direct_to_actor(): by as much as a pipe would hold."""
        while self.done < self._count:
            start = self._start() + self.done
            data = source.read_at(min(CHUNK, self._count - self.done), start)
            if not data:
                break
            try:
                moved = target.write(data)
            except OSError as error:
                if not self.done:
                    raise
                self.signalled = isinstance(error, BrokenPipeSignal)
                break
            if isinstance(moved, WouldBlock):
                patient = not target.flags & O_NONBLOCK
                return moved if patient else self.done or refuse(moved, O_NONBLOCK)
            self.done += moved
            if self._offset is None:
                source.offset = start + moved
        return self.done

    def arguments(self) -> tuple[object, ...]:
        return (self._in_fd, self._offset, self._count)

    def shorten(self, limit: int) -> None:
        """Be content with ``limit`` octets."""
        self._count = min(self._count, limit)

    def progress(self) -> int | None:
        """What an early end returns; None if nothing has happened yet."""
        return self.done or None
