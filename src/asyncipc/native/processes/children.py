"""The children that are processes of the operating system.

Each has an entry in the kernel of its parent's interpreter, under its real
number, so that wait, SIGCHLD and zombies are the kernel's own.  Its entry is
told of its end by a pidfd, and stays a zombie of the operating system for as
long as it is one here, so that its number is nobody else's meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.kernel import exit_status
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import CLD_EXITED, CLD_STOPPED
from asyncipc.native.processes.lineage import await_end, kill

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.signals.state import Thread
    from asyncipc.native.processes.bell import Bell
    from asyncipc.native.processes.letter import Letter

CLD_DUMPED: Final = 3
CORE_DUMPED: Final = 0x80
LOST_STATUS: Final = exit_status(255)
"""Somebody else has asked for it, such as a bare ``os.wait()``."""


def raw_status(told: os.waitid_result) -> int:
    """wait(2)'s form of what waitid(2) says of an end."""
    if told.si_code == CLD_EXITED:
        return exit_status(told.si_status)
    return told.si_status | (CORE_DUMPED if told.si_code == CLD_DUMPED else 0)


@final
class Child:
    """The body of a child: another interpreter, which nobody tells anything but the
    operating system.
    """

    __slots__ = ("_children", "letter", "pidfd", "process")

    def __init__(self, children: Children, process: Process, pidfd: int, letter: Letter) -> None:
        self._children = children
        self.process = process
        self.pidfd = pidfd
        self.letter = letter
        process.body = self
        process.end_queue().watch(self)

    # -- what the kernel tells a body

    @property
    def threads(self) -> Iterable[Thread]:
        return (self.process.main,)

    def is_asleep(self) -> bool:
        return False

    def end(self) -> None:
        """It has ended already."""

    def interrupt(self) -> None:
        """It has stopped or gone on already."""

    def alert(self) -> None:
        """Its signals are not here."""

    def wake(self) -> None:
        """A change of its end: the operating system keeps the zombie until it is reaped here."""
        if self.process.state is State.REAPED and self.pidfd >= 0:
            self._children.reaped(self)

    # -- what the operating system tells

    def look_for_end(self) -> None:
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            told = os.waitid(os.P_PIDFD, self.pidfd, options)
        except ChildProcessError:
            self._children.ended(self, LOST_STATUS)
            return
        if told is not None:
            self._children.ended(self, raw_status(told))

    def look_for_stop(self) -> None:
        delivery, process = self._children.kernel.delivery, self.process
        while told := self._stop_or_continuation():
            if told.si_code != CLD_STOPPED:
                delivery.has_continued(process)
            elif process.state is State.RUNNING:
                delivery.has_stopped(process, told.si_status)

    def _stop_or_continuation(self) -> os.waitid_result | None:
        options = os.WSTOPPED | os.WCONTINUED | os.WNOHANG
        try:
            return os.waitid(os.P_PIDFD, self.pidfd, options) if self.process.alive else None
        except ChildProcessError:
            return None


@final
class Children:
    """Those of one interpreter.  ``failed``: called with the pid and the error of each that
    fails; ``left``: when one has ended; ``gone``: when its number is free.
    """

    def __init__(
        self,
        kernel: Kernel,
        bell: Bell,
        failed: Callable[[int, BaseException], None],
        left: Callable[[], None],
        gone: Callable[[int], None],
    ) -> None:
        self.kernel = kernel
        self._bell = bell
        self._failed = failed
        self._left = left
        self._gone = gone
        self._all: dict[Child, None] = {}

    def add(self, parent: Process, name: str, pid: int, pidfd: int, letter: Letter) -> None:
        child = Child(self, self.kernel.enlist(parent, name, pid), pidfd, letter)
        self._all[child] = None
        self._bell.hang(pidfd, child.look_for_end)

    @property
    def has_living(self) -> bool:
        return any(child.process.alive for child in self._all)

    def look_for_stops(self) -> None:
        """SIGCHLD: one stands for many, so look at all."""
        for child in list(self._all):
            child.look_for_stop()

    def ended(self, child: Child, status: int) -> None:
        """One whose parent is over here belongs to init, who reaps it."""
        self._bell.take_down(child.pidfd)
        process = child.process
        error = child.letter.last_words()
        if error is not None:
            self._failed(process.pid, error)
        self.kernel.end(process, status)
        self._left()

    def reaped(self, child: Child) -> None:
        try:
            os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
        except ChildProcessError:
            pass
        del self._all[child]
        os.close(child.pidfd)
        child.letter.close()
        child.pidfd = -1
        self._gone(child.process.pid)

    def refresh_groups(self) -> None:
        """Each may have changed its own: before a question that is about a group."""
        for child in self._all:
            process = child.process
            with suppress(ProcessLookupError):  # somebody else has asked for it
                process.group, process.session = os.getpgid(process.pid), os.getsid(process.pid)

    def kill_group(self, group: int, number: int) -> None:
        self.refresh_groups()
        for child in self._all:
            if child.process.alive and child.process.group == group:
                with suppress(PermissionError):
                    kill(child.pidfd, number)

    # -- the end of a run

    def kill(self) -> None:
        for child in self._all:
            kill(child.pidfd)

    def bury(self) -> None:
        """Return when all are gone."""
        for child in list(self._all):
            if child.process.alive:
                await_end(child.pidfd)
                child.look_for_end()
            if child.process.state is State.ZOMBIE:  # the run was cut short: its parent is not over
                self.kernel.reap(child.process)
