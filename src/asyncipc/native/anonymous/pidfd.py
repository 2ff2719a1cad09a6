"""The pidfd of the operating system, pidfd_open(2): a process of its own, not a task."""

from __future__ import annotations

import errno
import os
import signal as signals
from typing import TYPE_CHECKING, final

from asyncipc.errors import fail
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.processes.process import Process, State
from asyncipc.native.anonymous.file import NativeAnonymous
from asyncipc.native.refusal import refuse
from asyncipc.runtime.process import current

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel


@final
class NativePidFile(NativeAnonymous):
    """``process``: what this interpreter knows of it, if it is its own or a child's.

    Whoever waits for a child has it from the model, where it lies as a zombie
    until then, although the operating system's own may be reaped already.
    """

    __slots__ = ("process",)

    has_places = True

    def __init__(
        self, kernel: Home, number: int, flags: int, process: Process | None = None
    ) -> None:
        super().__init__(kernel, number, flags)
        self.process = process

    def awaited_pid(self) -> int:
        """waitid(2) with P_PIDFD.  ECHILD for one who is gone, or nobody's child here."""
        if self.process is None or self.process.state is State.REAPED:
            fail(errno.ECHILD)
        return self.process.pid

    def send_signal(self, sender: Process, signal: int, flags: int) -> None:
        if flags:
            refuse("flags of pidfd_send_signal")
        if pid_of(self.number) == sender.pid:  # as kill: it may be the run's first process
            current().machine.kill(current(), sender.pid, signal)
        else:
            signals.pidfd_send_signal(self.number, signal)


def pid_of(number: int) -> int:
    """Whom a pidfd means; -1 if he has been reaped."""
    with open(f"/proc/self/fdinfo/{number}") as lines:
        return next(int(line[4:]) for line in lines if line.startswith("Pid:"))


def open_pid(kernel: Kernel, pid: int, flags: int) -> NativePidFile:
    """pidfd_open(2).  EINVAL, ESRCH."""
    if not hasattr(os, "pidfd_open"):
        refuse("pidfd_open(2)", "this system has none")
    number = os.pidfd_open(pid, flags)
    return NativePidFile(kernel, number, flags, kernel.processes.get(pid))
