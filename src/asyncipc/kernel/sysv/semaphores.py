"""System V semaphores: semget(2), semop(2), semctl(2); ipc/sem.c.

Laws:

* The operations of one call are done all at once, or none: one after the other
  as far as the values go, so ``+1, -1`` never sleeps.
* Who changes a set performs the operations of those whom that lets go on, in
  their stead: first of who waits for zero at a semaphore that is zero now, then
  of who changes values; each who can go on does, whoever stands before it.  Whom
  a change cannot concern is not asked (do_smart_update).
* So a sleeper never tries by itself: it wakes when it has acted, or failed.  If
  it is cancelled before it could say so, its operations are taken back; if it
  dies they stay, as on Linux, but for what SEM_UNDO undoes.
* IPC_NOWAIT counts if the operation that blocks has it, be it in a call that
  sleeps already.
* A call never begins anew: a handler or a stop ends it with EINTR.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.sysv.identifiers import IPC_NOWAIT, Identified
from asyncipc.kernel.sysv.pending import Line, Pending
from asyncipc.kernel.sysv.undo import Undo, to_undo, undo_of

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sysv.semaphore_call import Operation, SemaphoreCall
    from asyncipc.kernel.timers import Timers

SEM_UNDO: Final = 0x1000
SEMVMX: Final = 32767
SEMAEM: Final = SEMVMX


@final
class SemaphoreSet(Identified):
    """``values``; ``pids``: who changed each last; ``undos``: of whom it has to undo."""

    def __init__(self, key: int, count: int, mode: int, process: Process, timers: Timers) -> None:
        super().__init__(key, mode, process, timers)
        self.values = [0] * count
        self.pids = [0] * count
        self.operated_s = 0
        self.undos: dict[Undo, None] = {}
        self.pending = Pending()
        self._granted: dict[SemaphoreCall, None] = {}

    # -- acting

    def perform(self, call: SemaphoreCall) -> int | None:
        """What a call does as it begins; the answer is that of ``attempt``."""
        outcome = self.attempt(call)
        if outcome == 0 and call.alters:
            self.settle(call.operations)
        return outcome

    def attempt(self, call: SemaphoreCall) -> int | None:
        """Do all of its operations, or none (perform_atomic_semop).

        0, an errno, or None: then it has to sleep, and ``blocked_by`` says on what.
        """
        values: dict[int, int] = {}
        undone: dict[int, int] = {}
        for operation in call.operations:
            index, change, flags = operation
            value = values.get(index, self.values[index])
            if value + change < 0 or (value and not change):
                call.blocked_by = operation
                return errno.EAGAIN if flags & IPC_NOWAIT else None
            values[index] = value + change
            if value + change > SEMVMX:
                return errno.ERANGE
            if flags & SEM_UNDO:
                undone[index] = undone.get(index, to_undo(call.process, self, index)) - change
                if not -SEMAEM - 1 <= undone[index] <= SEMAEM:
                    return errno.ERANGE
        self._act(call.process, values, undone)
        return 0

    def _act(self, process: Process, values: dict[int, int], undone: dict[int, int]) -> None:
        for index, value in values.items():
            self.values[index] = value
            self.pids[index] = process.pid
        for index, to_add in undone.items():
            undo_of(process).of(self)[index] = to_add
        self.operated_s = self.seconds()

    def set_values(self, values: Iterable[tuple[int, int]], process: Process) -> None:
        """SETVAL, SETALL: what was to be undone there no longer is."""
        for index, value in values:
            self.values[index] = value
            self.pids[index] = process.pid
            for undo in self.undos:
                undo.of(self)[index] = 0
            for call in self._granted:
                call.overruled[index] = None
        self.changed_s = self.seconds()
        self.settle()

    def undo(self, adjustments: Sequence[int], pid: int) -> None:
        """A process has ended."""
        for index, change in enumerate(adjustments):
            if change:
                self._add(index, change)
                self.pids[index] = pid
        self.operated_s = self.seconds()
        self.settle()

    def _add(self, index: int, change: int) -> None:
        """What is taken back goes to the limits, and no further."""
        self.values[index] = min(max(self.values[index] + change, 0), SEMVMX)

    def gone(self) -> None:
        """IPC_RMID: every sleeper is told EIDRM, and nothing is left to undo."""
        for undo in self.undos:
            del undo.adjustments[self]
        self.undos.clear()
        sleepers = self.pending.all()
        for call in sleepers:
            self._grant(call, errno.EIDRM)
        for call in sleepers:
            call.tell()

    # -- who sleeps

    def enter(self, call: SemaphoreCall) -> None:
        self.pending.enter(call)

    def leave(self, call: SemaphoreCall) -> None:
        """Leaving twice is leaving once."""
        self.pending.remove(call)
        self.pending.part()
        if self.take_outcome(call) == 0 and call.process.alive and not self.removed:
            self._take_back(call)

    def take_outcome(self, call: SemaphoreCall) -> int | None:
        """What became of a call as it slept; from now on that is the caller's."""
        outcome, call.outcome = call.outcome, None
        self._granted.pop(call, None)
        return outcome

    def _take_back(self, call: SemaphoreCall) -> None:
        """It is cancelled, and has done nothing; what was set since stays."""
        net: dict[int, int] = {}
        for index, change, flags in call.operations:
            if index not in call.overruled:
                net[index] = net.get(index, 0) + change
                if flags & SEM_UNDO:
                    undo_of(call.process).of(self)[index] += change
        for index, change in net.items():
            self._add(index, -change)
        if call.alters:
            self.settle()

    # -- whom a change lets go on

    def settle(self, operations: Sequence[Operation] | None = None) -> None:
        """A change: by these operations, or None: of any semaphores (do_smart_update)."""
        ended: list[SemaphoreCall] = []
        self._let_zeros_on(operations, ended)
        pending = self.pending
        if pending.to_change:
            self._let_changers_on(pending.to_change, None, ended)
        else:
            for number in self._grown(operations):
                self._let_changers_on(pending.to_change_at.get(number), number, ended)
        pending.part()
        for call in ended:
            call.tell()

    def _grown(self, operations: Sequence[Operation] | None) -> Iterable[int]:
        """The semaphores whose sleepers may want what there is now."""
        if operations is None:
            return sorted(self.pending.to_change_at)
        return [number for number, change, _ in operations if change > 0]

    def _let_zeros_on(
        self, operations: Sequence[Operation] | None, ended: list[SemaphoreCall]
    ) -> None:
        """do_smart_wakeup_zero()"""
        pending = self.pending
        if not pending.for_zero and not pending.for_zero_at:
            return
        if operations is None:
            numbers = sorted(pending.for_zero_at)
            any_zero = 0 in self.values
        else:
            numbers = [operation.number for operation in operations]
            any_zero = any(not self.values[number] for number in numbers)
        for number in numbers:
            if not self.values[number]:
                self._let_line_on(pending.for_zero_at.get(number), ended)
        if any_zero:
            self._let_line_on(pending.for_zero, ended)

    def _let_line_on(self, line: Line | None, ended: list[SemaphoreCall]) -> None:
        """wake_const_ops()"""
        for call in tuple(line or ()):
            self._let_on(call, ended)

    def _let_changers_on(
        self, line: Line | None, number: int | None, ended: list[SemaphoreCall]
    ) -> None:
        """update_queue(): of one semaphore, or of the set (None)."""
        while line and self._changed_meanwhile(line, number, ended):
            pass

    def _changed_meanwhile(
        self, line: Line, number: int | None, ended: list[SemaphoreCall]
    ) -> bool:
        """Each is asked once, in order; true if the first have to be asked again."""
        for call in tuple(line):
            if number is not None and not self.values[number]:
                return False  # it can only be decremented there
            if self._let_on(call, ended) and call.outcome == 0:
                self._let_zeros_on(call.operations, ended)
                if self.pending.to_change or len(call.operations) > 1:  # check_restart()
                    return True
        return False

    def _let_on(self, call: SemaphoreCall, ended: list[SemaphoreCall]) -> bool:
        """Has it acted, or failed?  The dead have left already."""
        if not call.process.alive:
            return False
        outcome = self.attempt(call)
        if outcome is None:
            return False
        self._grant(call, outcome)
        ended.append(call)
        return True

    def _grant(self, call: SemaphoreCall, outcome: int) -> None:
        self.pending.remove(call)
        self._granted[call] = None
        call.outcome = outcome

    # -- what it tells

    def waiting(self, index: int, *, for_zero: bool) -> int:
        """GETNCNT and GETZCNT: by the operation that blocked each as it was last asked."""
        blocked = [call.blocked_by for call in self.pending.all()]
        return sum(
            each is not None and each.number == index and (each.change == 0) is for_zero
            for each in blocked
        )

    def holders(self, index: int) -> tuple[Process, ...]:
        """Whose end would add to a semaphore."""
        return tuple(undo.process for undo in self.undos if undo.of(self)[index] > 0)
