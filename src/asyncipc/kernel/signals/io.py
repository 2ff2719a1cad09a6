"""Signal-driven I/O: O_ASYNC, F_SETOWN, F_SETSIG of fcntl(2).

Every change of an open file's readiness sends SIGIO to its owner, a process or
(negative) a group.  With F_SETSIG it is another signal, which then tells the
descriptor and what it is ready for; with SIGIO itself it tells nothing
(send_sigio_to_task, fs/fcntl.c).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.openfile import O_ASYNC, OpenFile
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT
from asyncipc.kernel.signals.disposition import SI_KERNEL, SIGIO, SignalInfo

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.processes.process import Process

POLL_IN: Final = 1
POLL_OUT: Final = 2
POLL_ERR: Final = 4
POLL_HUP: Final = 6


@final
class IoWatcher:
    """A watcher of an open file's queues that never leaves while O_ASYNC is set."""

    __slots__ = ("_driven", "fd", "file")

    def __init__(self, driven: SignalDriven, file: OpenFile, fd: int) -> None:
        self._driven = driven
        self.file = file
        self.fd = fd

    def wake(self) -> None:
        self._driven.raise_io(self.file)


@final
class SignalDriven:
    """The open files of one kernel that have O_ASYNC."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._watchers: dict[OpenFile, IoWatcher] = {}

    def start(self, file: OpenFile, fd: int) -> None:
        """F_SETFL sets O_ASYNC; ``fd`` is what F_SETSIG's signal will tell."""
        if file in self._watchers:
            self._watchers[file].fd = fd
            return
        queues = file.queues(IN | OUT)
        if not queues:
            raise Unsupported(f"asyncipc does not model O_ASYNC on {file.describe()}")
        watcher = self._watchers[file] = IoWatcher(self, file, fd)
        for queue in queues:
            queue.watch(watcher, last=True)  # kill_fasync() comes after the wake-up

    def stop(self, file: OpenFile) -> None:
        """F_SETFL clears O_ASYNC, or the open file is gone."""
        watcher = self._watchers.pop(file, None)
        if watcher is not None:
            for queue in file.queues(IN | OUT):
                queue.unwatch(watcher)

    def set_owner(self, file: OpenFile, owner: int) -> None:
        """F_SETOWN: ESRCH for nobody; 0 for nobody at all."""
        if owner and not self._owners(owner):
            fail(errno.ESRCH)
        file.signal_owner = owner

    def raise_io(self, file: OpenFile) -> None:
        if not file.flags & O_ASYNC or not file.signal_owner:
            return
        info = self._info(file)
        for process in self._owners(file.signal_owner):
            self._kernel.delivery.deliver(process, info)

    def _owners(self, owner: int) -> list[Process]:
        processes = self._kernel.processes
        if owner > 0:
            return [processes[owner]] if owner in processes else []
        return [process for process in processes.values() if process.group == -owner]

    def _info(self, file: OpenFile) -> SignalInfo:
        if not file.signal_sent:
            return SignalInfo(SIGIO, SI_KERNEL)
        ready = file.poll()
        code = POLL_IN if ready & IN else POLL_OUT
        if ready & (HUP | ERR):
            code = POLL_HUP if ready & HUP else POLL_ERR
        watcher = self._watchers.get(file)
        fd = -1 if watcher is None else watcher.fd
        return SignalInfo(file.signal_sent, code, si_band=ready, si_fd=fd)
