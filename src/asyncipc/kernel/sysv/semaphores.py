"""System V semaphores: semget(2), semop(2), semctl(2); ipc/sem.c.

Laws:

* The operations of one call are done all at once, or none: one after the other
  as far as the values go, so ``+1, -1`` never sleeps.
* After each change those who sleep for a zero are let in first, then those who
  change values, in order of their coming; each who could go on does, whoever
  stands before it.  With each that did they are asked anew, from the first.
* IPC_NOWAIT counts if the operation that blocks has it, be it in a call that
  sleeps already.
* A call never begins anew: a handler or a stop ends it with EINTR.

Where a sleeper has to try by itself, nobody else acts between that it could go
on and that it does: others who come meanwhile sleep.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sysv.identifiers import (
    IPC_NOWAIT,
    MAY_READ,
    MAY_WRITE,
    Identified,
)
from asyncipc.kernel.sysv.undo import Undo, to_undo, undo_of
from asyncipc.kernel.waitqueue import Waiter, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sysv.semaphore_sets import SemaphoreSets
    from asyncipc.kernel.timers import Timers

SEM_UNDO: Final = 0x1000
SEMVMX: Final = 32767
SEMAEM: Final = SEMVMX


class Operation(NamedTuple):
    """struct sembuf: of one semaphore, add ``change``; 0: wait until it is zero."""

    number: int
    change: int
    flags: int = 0


@final
class SemaphoreSet(Identified):
    """``values``; ``pids``: who changed each last; ``undos``: of whom it has to undo."""

    def __init__(self, key: int, count: int, mode: int, process: Process, timers: Timers) -> None:
        super().__init__(key, mode, process)
        self._timers = timers
        self.values = [0] * count
        self.pids = [0] * count
        self.operated_ns = 0
        self.changed_ns = timers.now()
        self.undos: dict[Undo, None] = {}
        self._for_zero: dict[SemaphoreCall, None] = {}
        self._to_change: dict[SemaphoreCall, None] = {}
        self.turn: SemaphoreCall | None = None
        self._asking = False

    # -- acting

    def blocking(self, call: SemaphoreCall) -> Operation | None:
        """The operation that keeps a call from acting (perform_atomic_semop); ERANGE."""
        values, undone = call.values, call.undone
        values.clear()
        undone.clear()
        for operation in call.operations:
            index, change, flags = operation
            value = values.get(index, self.values[index])
            if value + change < 0 or (value and not change):
                return operation
            values[index] = value + change
            if value + change > SEMVMX:
                fail(errno.ERANGE)
            if flags & SEM_UNDO:
                undone[index] = undone.get(index, to_undo(call.process, self, index)) - change
                if not -SEMAEM - 1 <= undone[index] <= SEMAEM:
                    fail(errno.ERANGE)
        return None

    def act(self, call: SemaphoreCall) -> None:
        """All of its operations; then whoever can go on does."""
        for index, value in call.values.items():
            self.values[index] = value
            self.pids[index] = call.process.pid
        for index, undone in call.undone.items():
            undo_of(call.process).of(self)[index] = undone
        self.operated_ns = self._timers.now()
        self.settle()

    def set_values(self, values: Iterable[tuple[int, int]], process: Process) -> None:
        """SETVAL, SETALL: what was to be undone there no longer is."""
        for index, value in values:
            self.values[index] = value
            self.pids[index] = process.pid
            for undo in self.undos:
                undo.of(self)[index] = 0
        self.changed_ns = self._timers.now()
        self.settle()

    def undo(self, adjustments: Sequence[int], pid: int) -> None:
        """A process has ended."""
        for index, change in enumerate(adjustments):
            if change:
                self.values[index] = min(max(self.values[index] + change, 0), SEMVMX)
                self.pids[index] = pid
        self.operated_ns = self._timers.now()
        self.settle()

    def gone(self) -> None:
        """IPC_RMID: every sleeper is told EIDRM, and nothing is left to undo."""
        for undo in self.undos:
            del undo.adjustments[self]
        self.undos.clear()
        for call in self.sleepers():
            call.look()

    # -- the line

    def sleepers(self) -> tuple[SemaphoreCall, ...]:
        """Those who wait for zero, then those who change values, each in order."""
        return (*self._for_zero, *self._to_change)

    def enter(self, call: SemaphoreCall) -> None:
        (self._to_change if call.alters else self._for_zero)[call] = None

    def leave(self, call: SemaphoreCall) -> None:
        """Leaving twice is leaving once.  With the turn, it is the next one's."""
        if self.remove(call):
            self.settle()

    def remove(self, call: SemaphoreCall) -> bool:
        """It is in no line; had it the turn?"""
        self._for_zero.pop(call, None)
        self._to_change.pop(call, None)
        had_turn = self.turn is call
        if had_turn:
            self.turn = None
        return had_turn

    def settle(self) -> None:
        """Let in who can go on now, one after the other (do_smart_update)."""
        if self._asking:
            return  # who was let in has changed something: its asker asks anew
        self._asking = True
        try:
            while self.turn is None and (call := self._first_able()) is not None:
                self.turn = call
                if not call.look():
                    return
                self.remove(call)
        finally:
            self._asking = False

    def _first_able(self) -> SemaphoreCall | None:
        for line in (self._for_zero, self._to_change):
            for call in line:
                if call.is_able():
                    return call
        return None

    # -- what it tells

    def waiting(self, index: int, *, for_zero: bool) -> int:
        """GETNCNT and GETZCNT: whose first blocked operation is on that semaphore."""
        blocked = [call.blocked_by for call in self.sleepers()]
        return sum(
            each is not None and each.number == index and (each.change == 0) is for_zero
            for each in blocked
        )

    def holders(self, index: int) -> tuple[Process, ...]:
        """Whose end would add to a semaphore."""
        return tuple(undo.process for undo in self.undos if undo.of(self)[index] > 0)


@final
class SemaphoreCall:
    """One call of semop(2): a verb, what it sleeps on, and its place in the set's line."""

    __slots__ = (
        "_identifier",
        "_refusal",
        "_sets",
        "_waiter",
        "alters",
        "barred",
        "blocked_by",
        "operations",
        "process",
        "semaphores",
        "undone",
        "values",
    )

    restarts: Final = False
    survives_stops: Final = False

    def __init__(
        self,
        sets: SemaphoreSets,
        process: Process,
        identifier: int,
        operations: tuple[Operation, ...],
    ) -> None:
        self._sets = sets
        self._identifier = identifier
        self.process = process
        self.operations = operations
        self.alters = any(operation.change for operation in operations)
        self.semaphores: SemaphoreSet | None = None
        self.blocked_by: Operation | None = None
        self.values: dict[int, int] = {}
        self.undone: dict[int, int] = {}
        self.barred = False
        self._refusal: WouldBlock | None = None
        self._waiter: Waiter | None = None

    def __call__(self) -> WouldBlock | None:
        found = self.semaphores
        if found is None:
            found = self.semaphores = self._sets[self._identifier]
            self._demand(found)
        if found.removed:
            fail(errno.EIDRM)
        if found.turn is not None and found.turn is not self:
            self.blocked_by = self.blocked_by or self.operations[0]
            return self._refuse()
        if self._blocked(found):
            if found.turn is self:
                found.turn = None
                found.settle()
            return self._refuse()
        found.remove(self)  # it is asked no more
        found.act(self)
        return None

    def _demand(self, found: SemaphoreSet) -> None:
        """EFBIG, EACCES: in this order (__do_semtimedop)."""
        if max(operation.number for operation in self.operations) >= len(found.values):
            fail(errno.EFBIG)
        found.demand(self.process, MAY_WRITE if self.alters else MAY_READ)

    def _blocked(self, found: SemaphoreSet) -> bool:
        """Has it to sleep?  EAGAIN and ERANGE say that it has not."""
        self.blocked_by = found.blocking(self)
        if self.blocked_by is not None and self.blocked_by.flags & IPC_NOWAIT:
            fail(errno.EAGAIN)
        return self.blocked_by is not None

    def is_able(self) -> bool:
        """Would it end now, be it with an error?"""
        assert self.semaphores is not None
        try:
            return not self._blocked(self.semaphores)
        except OSError:
            return True

    def look(self) -> bool:
        """Let it try; false if it does so by itself, later."""
        assert self._waiter is not None
        if self._waiter.serve() is None:
            self._waiter.wake()
            return False
        return True

    def _refuse(self) -> WouldBlock:
        if self._refusal is None:
            self._refusal = WouldBlock(self, self, READABLE)
        return self._refusal

    # -- the line

    def join(self, waiter: Waiter) -> None:
        assert self.semaphores is not None
        self._waiter = waiter
        self.semaphores.enter(self)

    def leave(self, waiter: Waiter) -> None:
        assert self.semaphores is not None
        self.semaphores.leave(self)

    def try_again(self, waiter: Waiter) -> None:
        """The turn is the set's to give."""

    def refused(self, waiter: Waiter) -> None:
        """It keeps its place."""

    # -- what it tells

    def describe(self) -> str:
        blocked = self.blocked_by or self.operations[0]
        return f"semaphore {blocked.number} of set {self._identifier}"

    def awaited(self) -> str:
        blocked = self.blocked_by or self.operations[0]
        wanted = f"{-blocked.change} of" if blocked.change else "zero in"
        return f"{wanted} {self.describe()}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Those who would add to it by their end; others are not known."""
        blocked = self.blocked_by
        if blocked is None or not blocked.change or self.semaphores is None:
            return ()
        return self.semaphores.holders(blocked.number)

    def arguments(self) -> tuple[object, ...]:
        return (self._identifier, [tuple(operation) for operation in self.operations])
