"""SEM_UNDO: what a process's end takes back of its semaphore operations (struct sem_undo).

It belongs to the process, tasks and all; fork does not inherit it, exec keeps
it.  What it makes of a value stays between 0 and SEMVMX (exit_sem in ipc/sem.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.processes.holdings import Holding, held_by, hold

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sysv.semaphores import SemaphoreSet


@final
class Undo(Holding):
    """Of one process: what is to be added to each semaphore of each set."""

    order = 30

    def __init__(self, process: Process) -> None:
        self.process = process
        self.adjustments: dict[SemaphoreSet, list[int]] = {}

    def of(self, semaphores: SemaphoreSet) -> list[int]:
        """What is to be added in one set, which from now on knows of it."""
        found = self.adjustments.get(semaphores)
        if found is None:
            found = self.adjustments[semaphores] = [0] * len(semaphores.values)
            semaphores.undos[self] = None
        return found

    def ended(self, process: Process) -> None:
        """The sets that it used first are undone last."""
        while self.adjustments:
            semaphores, adjustments = self.adjustments.popitem()
            del semaphores.undos[self]
            semaphores.undo(adjustments, process.pid)


def undo_of(process: Process) -> Undo:
    found = held_by(process, Undo)
    if found is None:
        found = Undo(process)
        hold(process, found)
    return found


def to_undo(process: Process, semaphores: SemaphoreSet, index: int) -> int:
    """What its end would add, without noting anything."""
    found = held_by(process, Undo)
    adjustments = None if found is None else found.adjustments.get(semaphores)
    return 0 if adjustments is None else adjustments[index]
