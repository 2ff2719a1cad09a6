"""The room of a kernel's descriptors that wait: what makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.anonymous.epoll import EpollFile
from asyncipc.kernel.anonymous.eventfd import EventFile
from asyncipc.kernel.anonymous.pidfd import PidFile, open_pid
from asyncipc.kernel.anonymous.signalfd import SignalFile
from asyncipc.kernel.anonymous.timerfd import TimerFile

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel


@final
class Makers:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def epoll(self, flags: int) -> EpollFile:
        """epoll_create1(2)"""
        return EpollFile(self._kernel, flags)

    def eventfd(self, initial: int, flags: int) -> EventFile:
        """eventfd(2)"""
        return EventFile(self._kernel, initial, flags)

    def timerfd(self, clock: int, flags: int) -> TimerFile:
        """timerfd_create(2)"""
        return TimerFile(self._kernel, clock, flags)

    def signalfd(self, mask: int, flags: int) -> SignalFile:
        """signalfd(2) with -1"""
        return SignalFile(self._kernel, mask, flags)

    def pidfd(self, pid: int, flags: int) -> PidFile:
        """pidfd_open(2)"""
        return open_pid(self._kernel, pid, flags)

    def pidfd_of_peer(self, pid: int) -> PidFile:
        """SO_PEERPIDFD: of a process that may be gone already."""
        return PidFile(self._kernel, self._kernel.processes.get(pid))
