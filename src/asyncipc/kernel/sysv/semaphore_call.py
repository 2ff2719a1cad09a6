"""semop(2): one call on a set of semaphores, from its arguments to what became of it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sysv.identifiers import MAY_READ, MAY_WRITE
from asyncipc.kernel.waitqueue import Waiter, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sysv.semaphore_sets import SemaphoreSets
    from asyncipc.kernel.sysv.semaphores import SemaphoreSet

SEMOPM: Final = 500
"""How many operations a call may have."""


class Operation(NamedTuple):
    """struct sembuf: of one semaphore, add ``change``; 0: wait until it is zero."""

    number: int
    change: int
    flags: int = 0


@final
class SemaphoreCall:
    """One call of semop(2): a verb, what it sleeps on, and its place in the set's lists.

    ``outcome``: 0 or an errno, once others have ended its sleep.  ``overruled``: what
    was set since.
    """

    __slots__ = (
        "_identifier",
        "_refusal",
        "_sets",
        "_waiter",
        "alters",
        "barred",
        "blocked_by",
        "operations",
        "outcome",
        "overruled",
        "process",
        "semaphores",
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
        self.outcome: int | None = None
        self.overruled: dict[int, None] = {}
        self.barred = False
        self._refusal: WouldBlock | None = None
        self._waiter: Waiter | None = None

    def __call__(self) -> WouldBlock | None:
        found = self.semaphores
        if found is None:
            found = self._begin()
            outcome = found.perform(self)
        else:
            outcome = found.take_outcome(self)
        if outcome is None:
            return self._refuse()
        if outcome:
            fail(outcome)
        return None

    def _begin(self) -> SemaphoreSet:
        """EINVAL, E2BIG, EINVAL, EFBIG, EACCES: in this order (__do_semtimedop)."""
        if not self.operations:
            fail(errno.EINVAL)
        if len(self.operations) > SEMOPM:
            fail(errno.E2BIG)
        found = self._sets[self._identifier]
        if max(operation.number for operation in self.operations) >= len(found.values):
            fail(errno.EFBIG)
        found.demand(self.process, MAY_WRITE if self.alters else MAY_READ)
        self.semaphores = found
        return found

    def tell(self) -> None:
        """Its sleep is over."""
        assert self._waiter is not None
        if self._waiter.serve() is None:
            self._waiter.wake()

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
        """What it is given is its own: there are no turns."""

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
