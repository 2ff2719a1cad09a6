"""The FIFO: fifo(7), a pipe with a name, and the opening of its ends.

Laws (fifo_open in fs/pipe.c):

* An open to read waits until somebody opens to write, and the other way
  round.  Each counts as an end from then on, not only when it returns: so
  two that wait for each other release each other.
* That the other side was opened is what counts, be it closed again at once.
* With O_NONBLOCK an open to read succeeds at once, one to write without a
  reader is ENXIO.  O_RDWR never waits: it is both sides.
* What was written, and the size, last as long as one end is open.
"""

from __future__ import annotations

import errno
from typing import Final, NoReturn, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.namespace import O_ACCMODE, O_CREAT, O_EXCL, O_TRUNC
from asyncipc.kernel.files.node import Directory, FifoNode
from asyncipc.kernel.files.pipe import Pipe, PipeEnd, ReadEnd, WriteEnd
from asyncipc.kernel.openfile import (
    O_CLOEXEC,
    O_DIRECT,
    O_NONBLOCK,
    O_RDWR,
    O_WRONLY,
    Home,
    OpenFile,
)
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

AT_FDCWD: Final = -100
O_NOCTTY: Final = 0o400
O_LARGEFILE: Final = 0o100000
O_PATH: Final = 0o10000000
O_TMPFILE: Final = 0o20000000
PASSING: Final = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC
"""Flags that concern the open only: the open file does not keep them."""
KINDS: Final = (ReadEnd, WriteEnd, PipeEnd)
"""By access mode."""


def open_end(kernel: Home, node: FifoNode, flags: int) -> PipeEnd:
    """An end of a FIFO, which counts from now on.  ENXIO, EINVAL (access mode)."""
    access = flags & O_ACCMODE
    if access > O_RDWR:
        fail(errno.EINVAL)
    pipe = node.pipe
    if access == O_WRONLY and flags & O_NONBLOCK and (pipe is None or not pipe.readers):
        fail(errno.ENXIO)
    if pipe is None:
        pipe = node.pipe = Pipe(node)
    end = KINDS[access](kernel, pipe, flags & ~PASSING | O_LARGEFILE)
    if node.openings is not None:
        node.openings.notify()
    return end


@final
class Opening(OpenFile):
    """One call of open(2): a verb that refuses until its end has seen the other side.

    It is what the call sleeps on and holds.  Whatever ends the sleep lets go
    of it, and unless somebody holds the end by then, that is closed again: an
    open that is interrupted leaves nothing half open.
    """

    __slots__ = ("_end", "_path", "_process", "_wanted")

    noun = "opening"
    fd = AT_FDCWD
    nonblocking = 0
    open = True
    patient = True

    def __init__(self, kernel: Home, process: Process, path: bytes, flags: int) -> None:
        if flags & (O_PATH | O_TMPFILE):
            raise Unsupported("asyncipc does not model open() with O_PATH or O_TMPFILE")
        super().__init__(kernel, flags)
        self._process = process
        self._path = path
        self._end: PipeEnd | None = None

    @property
    def file(self) -> OpenFile:
        return self

    def __call__(self) -> OpenFile | WouldBlock:
        end = self._end
        if end is None:
            end = self._end = self._begin()
        if end.paired or end.flags & O_NONBLOCK:
            return end if not end.flags & O_DIRECT else self._undo()
        node = end.pipe.node
        assert node is not None
        return node.opening_refusal()

    def _begin(self) -> PipeEnd:
        node = self.kernel.names.to_open(self._process, self._path, self.flags)
        if isinstance(node, FifoNode):
            return open_end(self.kernel, node, self.flags)
        if isinstance(node, Directory):
            raise Unsupported("asyncipc does not model open() of a directory: use listdir")
        fail(errno.ENXIO, "a UNIX socket is reached with connect(), not with open()")

    def _undo(self) -> NoReturn:
        """O_DIRECT is for who has opened, and is refused then (do_dentry_open)."""
        self.release()
        self._end = None
        fail(errno.EINVAL)

    def release(self) -> None:
        if self._end is not None and not self._end.holders:
            self._end.release()

    def poll(self) -> int:
        return 0

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return ()
