"""The pidfd of the operating system, pidfd_open(2): a process of its own, not a task."""

from __future__ import annotations

import errno
import os
import signal as signals
from typing import TYPE_CHECKING, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.processes.process import Process, State
from asyncipc.native.anonymous import NativeAnonymous

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
            raise Unsupported("flags of pidfd_send_signal on the native machine")
        signals.pidfd_send_signal(self.number, signal)


def open_pid(kernel: Kernel, pid: int, flags: int) -> NativePidFile:
    """pidfd_open(2).  EINVAL, ESRCH."""
    if not hasattr(os, "pidfd_open"):
        raise Unsupported("pidfd_open(2) on the native machine: this system has none")
    number = os.pidfd_open(pid, flags)
    return NativePidFile(kernel, number, flags, kernel.processes.get(pid))
