"""System V semaphores of the operating system: semget(2), semop(2), semctl(2).

Nothing tells when a value has changed, so who waits tries again and again
(:class:`asyncipc.native.line.RetryLine`): in no order, and told of a removal at
its next try.  It is not asleep in the operating system, so GETNCNT and GETZCNT
do not count it.  Keys, identifiers, limits and the pids that GETPID tells are
the operating system's own.

SEM_UNDO is taken back as a process of the operating system ends, which no task
of this interpreter does: without isolation it is refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator, Sequence
from ctypes import c_int, c_long, c_short, c_ulong, c_ushort
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sysv.identifiers import IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT
from asyncipc.kernel.sysv.semaphore_sets import (
    GETALL,
    INFORMATION,
    OF_ONE,
    SETALL,
    SETVAL,
    Argument,
    SemaphoreSetStatus,
)
from asyncipc.kernel.sysv.semaphores import SEM_UNDO
from asyncipc.native import libc
from asyncipc.native.line import RetryLine
from asyncipc.native.refusal import demand_isolation, refuse

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock

Operation = tuple[int, int, int]


class _Operation(ctypes.Structure):
    """struct sembuf"""

    _fields_ = (("sem_num", c_ushort), ("sem_op", c_short), ("sem_flg", c_short))


def _status_fields() -> Iterator[tuple[str, type]]:
    """struct semid_ds: x86 has kept room for the times of its 32 bits (asm/sembuf.h)."""
    yield "permissions", libc.Permissions
    for name in ("sem_otime", "sem_ctime"):
        yield name, c_long
        if os.uname().machine == "x86_64":
            yield f"_{name}_high", c_ulong
    yield "sem_nsems", c_ulong
    yield "_reserved", c_ulong * 2


class _SetStatus(ctypes.Structure):
    _fields_ = tuple(_status_fields())


@final
class NativeSemaphoreSets:
    """All sets of the operating system."""

    def __init__(self) -> None:
        libc.demand_known_layout("System V semaphores")

    def get(self, process: Process, key: int, count: int, flags: int) -> int:
        """semget(2)"""
        return libc.semget(key, count, flags)

    def operate(
        self, process: Process, identifier: int, operations: Sequence[Operation]
    ) -> SemaphoreCall:
        """semop(2), as a verb."""
        if any(flags & SEM_UNDO for _, _, flags in operations):
            demand_isolation("SEM_UNDO")
        return SemaphoreCall(identifier, tuple(operations))

    def control(
        self, process: Process, identifier: int, index: int, command: int, argument: Argument = None
    ) -> int | list[int] | SemaphoreSetStatus:
        """semctl(2): what is asked for, or 0."""
        if command in INFORMATION:
            refuse(f"semctl command {command}")
        if command in OF_ONE:
            return libc.semctl(identifier, index, command, None)
        if command == IPC_STAT:
            return self.stat(identifier)
        if command == GETALL:
            return get_all(identifier)
        if command == SETVAL and isinstance(argument, int):
            self._set_value(identifier, index, argument)
        elif command == SETALL and isinstance(argument, Sequence):
            self._set_all(identifier, argument)
        elif command == IPC_SET and isinstance(argument, SemaphoreSetStatus):
            self._set(identifier, argument)
        elif command == IPC_RMID:
            libc.semctl(identifier, 0, IPC_RMID, None)
        else:
            fail(errno.EINVAL)
        return 0

    def stat(self, identifier: int) -> SemaphoreSetStatus:
        """IPC_STAT"""
        found = _stat(identifier)
        owner = found.permissions
        return SemaphoreSetStatus(
            found.sem_otime,
            found.sem_ctime,
            found.sem_nsems,
            owner.key,
            owner.uid,
            owner.gid,
            owner.cuid,
            owner.cgid,
            owner.mode,
        )

    def _set_value(self, identifier: int, index: int, value: int) -> None:
        """SETVAL takes an int, and the rest of the union is not looked at."""
        if value != c_int(value).value:
            fail(errno.ERANGE)
        libc.semctl(identifier, index, SETVAL, ctypes.c_void_p(value))

    def _set_all(self, identifier: int, values: Sequence[int]) -> None:
        """SETALL: the operating system takes as many as there are, and asks for no number."""
        count = _stat(identifier).sem_nsems
        if len(values) != count:
            raise ValueError(f"{count} semaphores take as many values")
        if not all(0 <= value <= 0xFFFF for value in values):
            fail(errno.ERANGE)
        libc.semctl(identifier, 0, SETALL, ctypes.byref((c_ushort * count)(*values)))

    def _set(self, identifier: int, status: SemaphoreSetStatus) -> None:
        wanted = _SetStatus(
            permissions=libc.Permissions(uid=status.uid, gid=status.gid, mode=status.mode)
        )
        libc.semctl(identifier, 0, IPC_SET, ctypes.byref(wanted))


def _stat(identifier: int) -> _SetStatus:
    found = _SetStatus()
    libc.semctl(identifier, 0, IPC_STAT, ctypes.byref(found))
    return found


def get_all(identifier: int) -> list[int]:
    """GETALL"""
    values = (c_ushort * _stat(identifier).sem_nsems)()
    libc.semctl(identifier, 0, GETALL, ctypes.byref(values))
    return list(values)


@final
class SemaphoreCall:
    """One call of semop(2)."""

    __slots__ = ("_given", "_identifier", "_line", "_slept", "operations")

    restarts: Final = False
    survives_stops: Final = False

    def __init__(self, identifier: int, operations: tuple[Operation, ...]) -> None:
        self._identifier = identifier
        self.operations = operations
        given = [
            _Operation(index, change, flags | IPC_NOWAIT) for index, change, flags in operations
        ]
        self._given = (_Operation * len(given))(*given)
        self._line = RetryLine(self, READABLE)
        self._slept = False

    def __call__(self) -> WouldBlock | None:
        """Refuses while the first operation that can't be done may be waited for."""
        try:
            libc.semop(self._identifier, self._given, len(self.operations))
        except BlockingIOError:
            if not self._may_wait():
                raise
            self._slept = True
            return self._line.refusal
        except OSError as error:
            if error.errno == errno.EINVAL and self._slept:
                fail(errno.EIDRM)
            raise
        return None

    def _may_wait(self) -> bool:
        """Is the first that can't be done without IPC_NOWAIT?  We give it to all, so as not to
        block: which it was is seen by the values, if some have it and some have not.
        """
        impatient = [flags & IPC_NOWAIT for _, _, flags in self.operations]
        if any(impatient) and not all(impatient):
            return not self._is_first_impatient()
        return not any(impatient)

    def _is_first_impatient(self) -> bool:
        """False too if it could be done by now, or can't be seen: the next try will tell."""
        try:
            values = get_all(self._identifier)
        except OSError:
            return False
        for index, change, flags in self.operations:
            if values[index] + change < 0 or (not change and values[index]):
                return bool(flags & IPC_NOWAIT)
            values[index] += change
        return False

    def describe(self) -> str:
        return f"set {self._identifier}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody who knows the identifier."""
        return ()

    def arguments(self) -> tuple[object, ...]:
        return (self._identifier, [tuple(operation) for operation in self.operations])
