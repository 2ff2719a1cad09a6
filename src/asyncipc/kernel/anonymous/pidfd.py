"""The pidfd: pidfd_open(2), a process that is held by more than its number.

Readable once the process has ended, and hung up once somebody has waited for
it (pidfd_poll in fs/pidfs.c): from then on its number may be another's, and
the pidfd still means the one that is gone.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.anonymous.file import AnonymousFile
from asyncipc.kernel.openfile import O_NONBLOCK, OpenFile
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.readiness import HUP, READABLE
from asyncipc.kernel.waitqueue import WaitQueue

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.kernel import Kernel

PIDFD_NONBLOCK: Final = O_NONBLOCK
PIDFD_THREAD: Final = 0o200
SEND_FLAGS: Final = 0x7
"""PIDFD_SIGNAL_THREAD, _THREAD_GROUP, _PROCESS_GROUP."""


def check_flags(flags: int) -> None:
    if flags & PIDFD_THREAD:
        raise Unsupported("asyncipc does not model PIDFD_THREAD: tasks have no numbers")
    if flags & ~PIDFD_NONBLOCK:
        fail(errno.EINVAL)


@final
class PidFile(AnonymousFile):
    """``process``: None if it was gone before anybody held it (SO_PEERPIDFD)."""

    __slots__ = ("_host", "process")

    name = "pidfd"
    file_mode = 0o700
    has_places = True

    def __init__(self, kernel: Kernel, process: Process | None, flags: int = 0) -> None:
        check_flags(flags)
        super().__init__(kernel, flags)
        self._host = kernel
        self.process = process

    @property
    def is_reaped(self) -> bool:
        return self.process is None or self.process.state is State.REAPED

    def identity(self) -> object:
        """pidfs has an inode for each process."""
        return self if self.process is None else self.process

    def poll(self) -> int:
        if self.is_reaped:
            return READABLE | HUP
        assert self.process is not None
        return READABLE if self.process.state is State.ZOMBIE else 0

    def read_queue(self) -> WaitQueue:
        """All pidfds of a process are told of its end in one place (struct pid's wait_pidfd)."""
        return super().read_queue() if self.process is None else self.process.end_queue()

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return (self.read_queue(),)

    def wakers(self, mask: int) -> tuple[object, ...]:
        return () if self.is_reaped else (self.process,)

    def awaited_pid(self) -> int:
        """waitid(2) with P_PIDFD.  ECHILD for one who is gone."""
        if self.process is None or self.is_reaped:
            fail(errno.ECHILD)
        return self.process.pid

    def send_signal(self, sender: Process, signal: int, flags: int) -> None:
        """pidfd_send_signal(2): to this very process.  ESRCH once it is reaped; EPERM, EINVAL."""
        if flags & ~SEND_FLAGS:
            fail(errno.EINVAL)
        if flags:
            raise Unsupported("asyncipc does not model flags of pidfd_send_signal")
        if self.process is None or self.is_reaped:
            fail(errno.ESRCH)
        self._host.delivery.kill(sender, self.process.pid, signal)

    def seek(self, offset: int, whence: int) -> int:
        return OpenFile.seek(self, offset, whence)

    def read_at(self, size: int, offset: int) -> NoReturn:
        fail(errno.EINVAL)

    def write_at(self, data: Buffer, offset: int) -> NoReturn:
        fail(errno.EINVAL)

    def truncate(self, length: int) -> NoReturn:
        fail(errno.EOPNOTSUPP)


def open_pid(kernel: Kernel, pid: int, flags: int) -> PidFile:
    """pidfd_open(2).  EINVAL for what is no pid, ESRCH for nobody."""
    check_flags(flags)
    if pid <= 0:
        fail(errno.EINVAL)
    process = kernel.processes.get(pid)
    if process is None:
        fail(errno.ESRCH)
    return PidFile(kernel, process, flags)
