"""What all native files do alike: one descriptor of the operating system each.

The descriptor never blocks there; whether a call *waits* is the program's own
O_NONBLOCK, which the open file keeps in ``flags`` as a simulated one does.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import signal
import termios
from typing import TYPE_CHECKING, Final, NoReturn

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.files.node import Status
from asyncipc.kernel.memory.memfd import F_ADD_SEALS, F_GET_SEALS
from asyncipc.kernel.openfile import CHANGEABLE, O_ASYNC, O_NONBLOCK, Home, OpenFile
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.native.line import DescriptorLine
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock


READ_MAX: Final = 1 << 24
"""More than any pipe or socket holds: a buffer is made before anything is read into it."""


def status_of(found: os.stat_result) -> Status:
    """stat(2)"""
    return Status(
        found.st_mode,
        found.st_ino,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_size,
        found.st_atime_ns,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_blocks,
        found.st_dev,
        found.st_blksize,
    )


def broken_pipe() -> NoReturn:
    """EPIPE, whose SIGPIPE is the model's."""
    take_back_sigpipe()
    raise BrokenPipeSignal from None


def take_back_sigpipe() -> None:
    """The operating system has sent one to this thread.  It is ignored, but one that is
    blocked as well is pending (sig_ignored() in kernel/signal.c), and would act twice.
    """
    if hasattr(signal, "sigtimedwait"):  # not on macOS
        signal.sigtimedwait({signal.SIGPIPE}, 0)


class RealDescriptor:
    """A number of the operating system and the two lines that wait for it.

    Goes before an open file among the bases of a native class, which has slots
    for ``number``, ``reading`` and ``writing``.
    """

    if not TYPE_CHECKING:  # mypy would not see that the others have the slots
        __slots__ = ()

    read_max = READ_MAX

    number: int
    reading: DescriptorLine | None
    writing: DescriptorLine | None
    flags: int
    signal_driven: bool

    def own(self, number: int) -> None:
        """It is ours from now on: it does not block, no program we execute gets it.

        What can't be (O_PATH) is closed: nobody else will.
        """
        try:
            os.set_blocking(number, False)
            os.set_inheritable(number, False)
        except OSError:
            os.close(number)
            raise
        self.number = number
        self.reading = None
        self.writing = None

    def release(self) -> None:
        number, self.number = self.number, -1
        os.close(number)

    def describe(self) -> str:
        """As ``/proc/PID/fd`` shows it."""
        try:
            return os.readlink(f"/proc/self/fd/{self.number}")
        except OSError:  # it is released, or there is no such file system
            return f"descriptor:[{self.number}]"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Not known: it may be anybody of this system."""
        return ()

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """None of the model's: it is the operating system that tells."""
        return ()

    def demand_events(self) -> None:
        """Whether an epoll may watch it says the operating system."""

    def status(self) -> Status:
        return status_of(os.fstat(self.number))

    def set_status_flags(self, flags: int, fd: int) -> None:
        """F_SETFL: the operating system has them all but O_NONBLOCK, which is ours."""
        if flags & O_ASYNC and self.signal_driven:
            refuse("O_ASYNC")
        flags &= ~O_ASYNC
        fcntl.fcntl(self.number, fcntl.F_SETFL, flags & CHANGEABLE | O_NONBLOCK)
        self.flags = self.flags & ~CHANGEABLE | flags & CHANGEABLE

    def set_signal_owner(self, owner: int) -> None:
        refuse("F_SETOWN")

    def set_signal_sent(self, number: int) -> None:
        refuse("F_SETSIG")

    def get_seals(self) -> int:
        return fcntl.fcntl(self.number, F_GET_SEALS)

    def add_seals(self, seals: int) -> None:
        fcntl.fcntl(self.number, F_ADD_SEALS, seals)

    def poll(self) -> int:
        """poll(2) of this one, now."""
        question = select.poll()
        question.register(self.number, 0xFFFF)
        answer = question.poll(0)
        return answer[0][1] if answer else 0

    def unread(self) -> int:
        """ioctl(FIONREAD)"""
        return self.count_of(termios.FIONREAD)

    def count_of(self, request: int) -> int:
        """ioctl(2), of those that tell a number of 32 bits."""
        count = array.array("i", [0])
        fcntl.ioctl(self.number, request, count)
        return count[0]

    def seek(self, offset: int, whence: int) -> int:
        return os.lseek(self.number, offset, whence)

    def read_at(self, size: int, offset: int) -> bytes:
        return os.pread(self.number, min(self.read_max, size), offset)

    def write_at(self, data: Buffer, offset: int) -> int:
        return os.pwrite(self.number, data, offset)

    def truncate(self, length: int) -> None:
        os.ftruncate(self.number, length)

    def synchronize(self) -> None:
        os.fsync(self.number)

    def read_line(self) -> DescriptorLine:
        """The line of who waits to read, made when somebody first has to."""
        if self.reading is None:
            self.reading = DescriptorLine(self.number, self, READABLE)
        return self.reading

    def write_line(self) -> DescriptorLine:
        """The line of who waits to write, made when somebody first has to."""
        if self.writing is None:
            self.writing = DescriptorLine(self.number, self, WRITABLE)
        return self.writing

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2)"""
        line = self.reading
        if line is not None and line.barred:
            return line.refusal
        try:
            return os.read(self.number, min(self.read_max, size))
        except BlockingIOError:
            return self.read_line().refusal

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2)"""
        line = self.writing
        if line is not None and line.barred:
            return line.refusal
        try:
            return os.write(self.number, memoryview(data)[done:] if done else data)
        except BlockingIOError:
            return self.write_line().refusal
        except BrokenPipeError:
            broken_pipe()


class NativeFile(RealDescriptor, OpenFile):
    """An open file of the operating system that is no socket."""

    __slots__ = ("number", "reading", "writing")

    def __init__(self, kernel: Home, number: int, flags: int) -> None:
        OpenFile.__init__(self, kernel, flags)
        self.own(number)
