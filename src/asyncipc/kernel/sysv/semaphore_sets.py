"""All semaphore sets of a host: semget(2), semctl(2), and how semop(2) begins; ipc/sem.c."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.sysv.identifiers import (
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    MAY_READ,
    MAY_WRITE,
    Identifiers,
)
from asyncipc.kernel.sysv.semaphore_call import Operation, SemaphoreCall
from asyncipc.kernel.sysv.semaphores import SEMVMX, SemaphoreSet

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.timers import Timers

GETPID: Final = 11
GETVAL: Final = 12
GETALL: Final = 13
GETNCNT: Final = 14
GETZCNT: Final = 15
SETVAL: Final = 16
SETALL: Final = 17
INFORMATION: Final = frozenset({3, 18, 19, 20})
"""IPC_INFO, SEM_STAT, SEM_INFO, SEM_STAT_ANY."""
OF_ONE: Final = frozenset({GETPID, GETVAL, GETNCNT, GETZCNT})

SEMMSL: Final = 32000
"""How many semaphores a set may have."""
SEMMNS: Final = 1024000000
"""How many there may be in all sets together."""


class SemaphoreSetStatus(NamedTuple):
    """struct semid_ds, by its names; times are in seconds of the machine's clock, 0: never."""

    sem_otime: int
    sem_ctime: int
    sem_nsems: int
    key: int
    uid: int
    gid: int
    cuid: int
    cgid: int
    mode: int


Argument: TypeAlias = int | Sequence[int] | SemaphoreSetStatus | None
"""union semun"""


@final
class SemaphoreSets:
    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self.known: Identifiers[SemaphoreSet] = Identifiers()
        self._count = 0

    def __getitem__(self, identifier: int) -> SemaphoreSet:
        """EINVAL for what is no identifier, or no longer."""
        return self.known[identifier]

    def get(self, process: Process, key: int, count: int, flags: int) -> int:
        """semget(2): ENOENT, EEXIST, EACCES, EINVAL (count), ENOSPC."""
        if not 0 <= count <= SEMMSL:
            fail(errno.EINVAL)

        def make() -> SemaphoreSet:
            if not count:
                fail(errno.EINVAL)
            if self._count + count > SEMMNS:
                fail(errno.ENOSPC)
            self.known.demand_room()
            self._count += count
            return SemaphoreSet(key, count, flags, process, self._timers)

        def check(found: SemaphoreSet) -> None:
            if count > len(found.values):
                fail(errno.EINVAL)

        return self.known.get(process, key, flags, make, check).identifier

    def operate(
        self, process: Process, identifier: int, operations: Sequence[tuple[int, int, int]]
    ) -> SemaphoreCall:
        """semop(2), as a verb."""
        wanted = tuple(Operation(*operation) for operation in operations)
        return SemaphoreCall(self, process, identifier, wanted)

    # -- semctl(2)

    def control(
        self, process: Process, identifier: int, index: int, command: int, argument: Argument = None
    ) -> int | list[int] | SemaphoreSetStatus:
        """semctl(2): what is asked for, or 0."""
        if command in INFORMATION:
            raise Unsupported(f"asyncipc does not model semctl command {command}")
        if command in OF_ONE:
            return self.get_one(process, identifier, index, command)
        if command == IPC_STAT:
            return self.stat(process, identifier)
        if command == GETALL:
            return self.get_all(process, identifier)
        if command == SETVAL and isinstance(argument, int):
            self.set_value(process, identifier, index, argument)
        elif command == SETALL and isinstance(argument, Sequence):
            self.set_all(process, identifier, argument)
        elif command == IPC_RMID:
            self.remove(process, identifier)
        elif command == IPC_SET and isinstance(argument, SemaphoreSetStatus):
            self.set(process, identifier, argument.uid, argument.gid, argument.mode)
        else:
            fail(errno.EINVAL)
        return 0

    def get_one(self, process: Process, identifier: int, index: int, command: int) -> int:
        """GETVAL, GETPID, GETNCNT and GETZCNT"""
        found = self._readable(process, identifier)
        self._demand_index(found, index)
        if command == GETVAL:
            return found.values[index]
        if command == GETPID:
            return found.pids[index]
        return found.waiting(index, for_zero=command == GETZCNT)

    def get_all(self, process: Process, identifier: int) -> list[int]:
        """GETALL"""
        return list(self._readable(process, identifier).values)

    def set_value(self, process: Process, identifier: int, index: int, value: int) -> None:
        """SETVAL: ERANGE, EINVAL, EACCES, in this order (semctl_setval)."""
        if not 0 <= value <= SEMVMX:
            fail(errno.ERANGE)
        found = self[identifier]
        self._demand_index(found, index)
        found.demand(process, MAY_WRITE)
        found.set_values([(index, value)], process)

    def set_all(self, process: Process, identifier: int, values: Sequence[int]) -> None:
        """SETALL: ERANGE.  As many values as there are semaphores: ValueError."""
        found = self[identifier]
        found.demand(process, MAY_WRITE)
        if len(values) != len(found.values):
            raise ValueError(f"{len(found.values)} semaphores take as many values")
        if not all(0 <= value <= SEMVMX for value in values):
            fail(errno.ERANGE)
        found.set_values(enumerate(values), process)

    def stat(self, process: Process, identifier: int) -> SemaphoreSetStatus:
        """IPC_STAT"""
        found = self._readable(process, identifier)
        return SemaphoreSetStatus(
            found.operated_s,
            found.changed_s,
            len(found.values),
            found.key,
            found.uid,
            found.gid,
            found.creator_uid,
            found.creator_gid,
            found.mode,
        )

    def set(self, process: Process, identifier: int, uid: int, gid: int, mode: int) -> None:
        """IPC_SET: EPERM unless the process owns or made it."""
        found = self[identifier]
        found.demand_owner(process)
        found.change(uid, gid, mode)

    def remove(self, process: Process, identifier: int) -> None:
        """IPC_RMID: EPERM unless the process owns or made it; who sleeps is told EIDRM."""
        found = self[identifier]
        found.demand_owner(process)
        self.known.remove(found)
        self._count -= len(found.values)
        found.gone()

    def _readable(self, process: Process, identifier: int) -> SemaphoreSet:
        found = self[identifier]
        found.demand(process, MAY_READ)
        return found

    def _demand_index(self, found: SemaphoreSet, index: int) -> None:
        if not 0 <= index < len(found.values):
            fail(errno.EINVAL)
