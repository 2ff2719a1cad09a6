"""Ownership: which mutexes a process has locked, and which of its tasks each.

The robust list of robust_futex(7), with the others beside it.  When the
process is over, or becomes another program, the robust ones are told that
their owner died, the last locked first (exit_robust_list); the others stay as
they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from asyncipc.kernel.processes.holdings import Holding, held_by, hold

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sync.futex import Word
    from asyncipc.kernel.sync.mutex import Mutex


class Owner(NamedTuple):
    """Who locks: a task of a process.  glibc's threads each have a number; tasks have none."""

    process: Process
    task: object


@final
class LockedMutexes(Holding):
    """Of one process, in the order in which they were locked."""

    order = 10

    def __init__(self) -> None:
        self.locked: dict[Word, tuple[Mutex, object]] = {}

    def executed(self, process: Process) -> None:
        self.ended(process)

    def ended(self, process: Process) -> None:
        mutexes = [mutex for mutex, _ in self.locked.values()]
        self.locked.clear()
        for mutex in reversed(mutexes):
            try:
                fields = mutex.fields()
            except OSError:  # its memory is gone, as real memory can be
                continue
            if fields.robust and fields.pid == process.pid:
                mutex.owner_died()


def note(mutex: Mutex, owner: Owner) -> None:
    """It is the owner's."""
    found = held_by(owner.process, LockedMutexes)
    if found is None:
        found = LockedMutexes()
        hold(owner.process, found)
    found.locked[mutex.word] = mutex, owner.task


def remove_note(mutex: Mutex, pid: int) -> None:
    """It is no longer that process's."""
    process = mutex.futexes.processes.get(pid)
    found = None if process is None else held_by(process, LockedMutexes)
    if found is not None:
        found.locked.pop(mutex.word, None)


def is_task_of(mutex: Mutex, owner: Owner) -> bool:
    """Is it that task of the owning process that has it?  exec leaves one task, whoever locked."""
    found = held_by(owner.process, LockedMutexes)
    noted = None if found is None else found.locked.get(mutex.word)
    return noted is None or noted[1] is owner.task
