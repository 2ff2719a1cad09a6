"""The opening: one call of open(2), of whatever the path names."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.console import Console
from asyncipc.kernel.files.fifo import another_end, open_end
from asyncipc.kernel.files.namespace import (
    DESCRIPTORS,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    demand_open,
)
from asyncipc.kernel.files.node import FifoNode, Node
from asyncipc.kernel.files.pipe import PipeEnd
from asyncipc.kernel.files.proc import node_of
from asyncipc.kernel.openfile import O_DIRECT, O_NONBLOCK, Home, OpenFile
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

AT_FDCWD: Final = -100
O_PATH: Final = 0o10000000
O_TMPFILE: Final = 0o20000000


@final
class Opening(OpenFile):
    """A verb that refuses until its end of a FIFO has seen the other side.

    It is what the call sleeps on and holds.  Whatever ends the sleep lets go
    of it, and unless somebody holds the end by then, that is closed again: an
    open that is interrupted leaves nothing half open.
    """

    __slots__ = ("_file", "_mode", "_path", "_process")

    noun = "opening"
    fd = AT_FDCWD
    nonblocking = 0
    open = True
    patient = True

    def __init__(
        self, kernel: Home, process: Process, path: bytes, flags: int, mode: int = 0
    ) -> None:
        if flags & (O_PATH | O_TMPFILE):
            raise Unsupported("asyncipc does not model open() with O_PATH or O_TMPFILE")
        super().__init__(kernel, flags)
        self._process = process
        self._path = path
        self._mode = mode
        self._file: OpenFile | None = None

    @property
    def file(self) -> OpenFile:
        return self

    def __call__(self) -> OpenFile | WouldBlock:
        file = self._file
        if file is None:
            file = self._file = self._begin()
            file.hold()
        if not isinstance(file, PipeEnd):
            return file
        node = file.pipe.node
        if node is None or file.paired or file.flags & O_NONBLOCK:
            return file if not file.flags & O_DIRECT else self._undo()
        return node.opening_refusal()

    def _begin(self) -> OpenFile:
        names, process, flags = self.kernel.names, self._process, self.flags
        if self._path.startswith(DESCRIPTORS):
            file = names.descriptor(process, self._path)
            if file is not None:
                return self._reopen(file)
        return self._open(names.to_open(process, self._path, flags, self._mode))

    def _reopen(self, file: OpenFile) -> OpenFile:
        """A path in /proc: what a descriptor stands for is opened anew."""
        node = node_of(file)
        if node is not None:
            demand_open(node, self._process, self.flags)
            return self._open(node)
        if self.flags & O_CREAT and self.flags & O_EXCL:
            fail(errno.EEXIST)
        if self.flags & O_DIRECTORY:
            fail(errno.ENOTDIR)
        if isinstance(file, PipeEnd):
            return another_end(self.kernel, file, self.flags)
        if isinstance(file, Console):
            return file  # the terminal has nothing of its own that a second could lack
        fail(errno.ENXIO)

    def _open(self, node: Node) -> OpenFile:
        if isinstance(node, FifoNode):
            return open_end(self.kernel, node, self.flags)
        return node.opened(self.kernel, self._process, self.flags)

    def _undo(self) -> NoReturn:
        """O_DIRECT is for who has opened, and is refused then (do_dentry_open)."""
        self.forget()
        fail(errno.EINVAL)

    def release(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The call is over: what it has opened is closed, unless somebody else holds it."""
        file, self._file = self._file, None
        if file is not None:
            file.drop()

    def poll(self) -> int:
        return 0

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return ()
