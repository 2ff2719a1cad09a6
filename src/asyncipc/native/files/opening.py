"""The opening: one call of open(2), which never waits in the operating system.

An open of a FIFO waits for the other side (fifo(7)), and nothing is ever ready
because that has come.  A side that comes from this interpreter tells; for others
it looks again by time:

* To read: the end is opened at once, and counts as one for others from then on,
  as a waiting one does.  Then it looks whether a writer has come: there are
  octets, or POLLHUP (one has been there), or tee(2) would wait (one is there).
  What it cannot know: octets that a writer left there for another reader, and
  then went, look as if one were there.
* To write: the operating system opens no end without a reader (ENXIO), so this
  one does not count as a writer while it waits.  A reader that opens and closes
  again between two looks is not seen.  The FIFO is kept hold of meanwhile, so
  that it may be renamed or unlinked.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.files.namespace import O_CREAT, O_DIRECTORY, O_EXCL
from asyncipc.kernel.files.opening import AT_FDCWD, O_PATH, O_TMPFILE
from asyncipc.kernel.files.splice import SPLICE_F_NONBLOCK
from asyncipc.kernel.openfile import (
    O_ACCMODE,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    Home,
    OpenFile,
)
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock
from asyncipc.native import libc
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.files.names import NativeNames, naming_no_path, umask_of
from asyncipc.native.files.regular import file_at
from asyncipc.native.line import RetryLine
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

ANONYMOUS: Final = "pipe:["
"""What /proc calls a pipe without a name: opened anew, it waits for nobody."""


@final
class NativeOpening(OpenFile):
    """A verb that refuses until its end of a FIFO has seen the other side.

    It is what the call sleeps on and holds, and holds the file itself until the call is over.
    """

    __slots__ = ("_file", "_held", "_line", "_mode", "_names", "_path", "_process", "_waits")

    noun = "opening"
    fd = AT_FDCWD
    nonblocking = 0
    open = True
    patient = True

    def __init__(
        self,
        kernel: Home,
        names: NativeNames,
        process: Process,
        path: bytes,
        flags: int,
        mode: int = 0,
    ) -> None:
        if flags & (O_PATH | O_TMPFILE):
            refuse("open(2) with O_PATH or O_TMPFILE")
        super().__init__(kernel, flags)
        self._names = names
        self._process = process
        self._path = path
        self._mode = mode
        self._file: OpenFile | None = None
        self._waits = False
        self._held = -1
        self._line: RetryLine | None = None

    @property
    def file(self) -> OpenFile:
        return self

    def __call__(self) -> OpenFile | WouldBlock:
        if self._file is None:
            self._file = self._begin()
        file = self._file
        if file is None:
            return self.refusal(self._held)
        if self._waits and isinstance(file, RealDescriptor):
            if not writer_has_come(file.number):
                return self.refusal(file.number)
            self._waits = False
        return file

    def refusal(self, number: int) -> WouldBlock:
        if self._line is None:
            self._line = RetryLine(self)
            if number >= 0:
                self._names.openings[self._line] = fifo_of(number)
        return self._line.refusal

    def _tell_others(self, number: int) -> None:
        """Those of this interpreter that wait at the same FIFO look at once."""
        fifo = fifo_of(number)
        for line, where in list(self._names.openings.items()):
            if where == fifo and line is not self._line:
                line.hurry()

    # -- the open

    def _begin(self) -> OpenFile | None:
        """The file, or None as long as there is no reader that an end to write could have."""
        file = self._names.descriptor(self._process, self._path)
        if file is not None and not isinstance(file, RealDescriptor):
            return self._reopen(file)
        try:
            number = self._open()
        except OSError as error:
            if error.errno != errno.ENXIO or not self._awaits_reader():
                raise
            return None
        kept = fcntl.fcntl(number, fcntl.F_GETFL) & ~O_NONBLOCK | self.flags & O_NONBLOCK
        opened = file_at(self.kernel, number, kept)
        opened.hold()
        self._waits = self._awaits_writer(opened)
        if self._names.openings:
            self._tell_others(number)
        return opened

    def _open(self) -> int:
        flags = self.flags | O_NONBLOCK
        if self._held >= 0:
            return os.open(f"/proc/self/fd/{self._held}", flags & ~(O_CREAT | os.O_NOFOLLOW))
        name = self._names.real(self._process, self._path)
        with umask_of(self._process), naming_no_path():
            return os.open(name, flags, self._mode)

    def _reopen(self, file: OpenFile) -> OpenFile:
        """A path in /proc of what is none of the operating system's: the console."""
        if self.flags & O_CREAT and self.flags & O_EXCL:
            fail(errno.EEXIST)
        if self.flags & O_DIRECTORY:
            fail(errno.ENOTDIR)
        file.hold()
        return file

    # -- the other side

    def _awaits_reader(self) -> bool:
        """Is it a FIFO that lacks a reader?  A socket's file is ENXIO as well."""
        if self.flags & O_NONBLOCK or self.flags & O_ACCMODE != O_WRONLY:
            return False
        if self._held >= 0:
            return True
        name = self._names.real(self._process, self._path)
        if not stat.S_ISFIFO(os.stat(name).st_mode):
            return False
        if hasattr(os, "O_PATH"):  # else it is found by its path again
            self._held = os.open(name, os.O_PATH)
        return True

    def _awaits_writer(self, file: OpenFile) -> bool:
        if self.flags & O_NONBLOCK or self.flags & O_ACCMODE != O_RDONLY:
            return False
        return stat.S_ISFIFO(file.status().mode) and not file.describe().startswith(ANONYMOUS)

    # -- its life, and what it is to a sleeper

    def release(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The call is over: what it has opened is closed, unless somebody else holds it."""
        if self._line is not None:
            self._names.openings.pop(self._line, None)
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)
        file, self._file = self._file, None
        if file is not None:
            file.drop()

    def describe(self) -> str:
        return self._path.decode(errors="backslashreplace")

    def poll(self) -> int:
        return 0

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return ()


def fifo_of(number: int) -> tuple[int, int]:
    """Which it is: device and inode."""
    found = os.fstat(number)
    return found.st_dev, found.st_ino


def writer_has_come(number: int) -> bool:
    """Has somebody opened the FIFO to write, since this end was opened to read?"""
    question = select.poll()
    question.register(number, select.POLLIN)
    if question.poll(0):
        return True
    if not hasattr(os, "splice"):  # nor has it tee: a writer is seen by what it writes
        return False
    try:
        reading, writing = os.pipe()
    except OSError:  # EMFILE: it looks again when there is a number
        return False
    try:
        return libc.tee(number, writing, 1, SPLICE_F_NONBLOCK) > 0
    except BlockingIOError:
        return True
    finally:
        os.close(reading)
        os.close(writing)
