"""Advisory locks of the operating system: flock(2), and the record locks of fcntl(2).

It can wait for a lock only by blocking the whole interpreter, so each call asks
without waiting, again and again (:class:`asyncipc.native.line.RetryLine`).  So
here is no line: who waits is let in in no order, up to 20 ms after the lock has
come free, and may be passed by others for as long as there are any.  Nor does
the operating system see a deadlock: F_SETLKW is never refused with EDEADLK.

A lock of flock(2) and one of F_OFD_SETLK belong to the open file, so tasks of
one interpreter exclude each other.  Those of F_SETLK belong to a process of the
operating system: they need ``Native(isolation="process")``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.locks.flock import LOCK_NB, Flock
from asyncipc.kernel.locks.lock import F_UNLCK, Family
from asyncipc.kernel.locks.records import (
    COMMANDS,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETLK,
    F_SETLKW,
    GETTING,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
    WAITING,
    FileLock,
    RecordLock,
)
from asyncipc.kernel.processes.holdings import Holding, held_by, hold
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.line import RetryLine
from asyncipc.native.refusal import demand_isolation, refuse

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.backend import Locking

STRUCT_FLOCK: Final = struct.Struct("@hhqqi0q")
"""Linux, where an offset has 64 bits: type, whence, start, length, pid."""
IMPATIENT: Final = {F_SETLKW: F_SETLK, F_OFD_SETLKW: F_OFD_SETLK}


def flock(kernel: Kernel, entry: Descriptor, operation: int) -> Locking[None]:
    """flock(2): of the operating system, or the model's for what is not its own, the console."""
    if isinstance(entry.file, RealDescriptor):
        return NativeFlock(entry, entry.file, operation)
    return Flock(kernel.locks, entry, operation)


def record_lock(
    kernel: Kernel, process: Process, entry: Descriptor, command: int, lock: FileLock
) -> Locking[FileLock]:
    """fcntl(2): as ``flock``.  Unsupported for those of processes that are tasks."""
    if COMMANDS[command] is Family.POSIX:
        demand_isolation("record locks of processes (F_SETLK)")
    if not isinstance(entry.file, RealDescriptor):
        return RecordLock(kernel.locks, process, entry, command, lock)
    if not hasattr(fcntl, "F_OFD_SETLK"):  # nor is struct flock the one below
        refuse("record locks", "those of Linux alone")
    return NativeRecordLock(process, entry, entry.file, command, lock)


class Request:
    """One call that asks for a lock: a place that knows no O_NONBLOCK, for locks don't."""

    __slots__ = ("_entry", "_file", "_refusal")

    nonblocking = 0
    patient = False
    noun = "lock"

    def __init__(self, entry: Descriptor, file: RealDescriptor) -> None:
        self._entry = entry
        self._file = file
        self._refusal: WouldBlock | None = None

    @property
    def fd(self) -> int:
        return self._entry.fd

    @property
    def file(self) -> OpenFile:
        return self._entry.file

    @property
    def open(self) -> bool:
        return self._entry.open

    def refusal(self) -> WouldBlock:
        """It waits for no readiness."""
        if self._refusal is None:
            self._refusal = RetryLine(self).refusal
        return self._refusal

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Whoever has it: perhaps nobody of ours."""
        return ()

    def describe(self) -> str:
        return f"{self.noun} on {self._entry.file.describe()}"

    def awaited(self) -> str:
        return self.describe()


@final
class NativeFlock(Request):
    """One call of flock(2)."""

    __slots__ = ("_operation",)

    noun = "flock"

    def __init__(self, entry: Descriptor, file: RealDescriptor, operation: int) -> None:
        super().__init__(entry, file)
        self._operation = operation

    def arguments(self) -> tuple[object, ...]:
        return (self._operation,)

    def __call__(self) -> WouldBlock | None:
        try:
            fcntl.flock(self._file.number, self._operation | LOCK_NB)
        except BlockingIOError:
            if self._operation & LOCK_NB:
                raise
            return self.refusal()
        return None


class RecordLocks(Holding):
    """A process has record locks: closing any descriptor of what is locked drops them.

    The operating system knows only of the last, as one number of its own stands
    for all of an open file's.
    """

    def closed(self, process: Process, file: OpenFile) -> None:
        if isinstance(file, RealDescriptor):
            fcntl.fcntl(file.number, F_SETLK, packed(FileLock(F_UNLCK)))


@final
class NativeRecordLock(Request):
    """One call: F_GETLK, F_SETLK or F_SETLKW, or those of an open file."""

    __slots__ = ("_asked", "_command", "_process", "_wanted")

    noun = "record lock"

    def __init__(
        self,
        process: Process,
        entry: Descriptor,
        file: RealDescriptor,
        command: int,
        asked: FileLock,
    ) -> None:
        super().__init__(entry, file)
        self._process = process
        self._command = command
        self._asked = asked
        self._wanted = asked

    def arguments(self) -> tuple[object, ...]:
        return self._command, tuple(self._asked)

    def __call__(self) -> FileLock | WouldBlock:
        command = IMPATIENT.get(self._command, self._command)
        try:
            answer = fcntl.fcntl(self._file.number, command, packed(self._wanted))
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES} or self._command not in WAITING:
                raise
            self._wanted = self._at_one_place(self._wanted)
            return self.refusal()
        if command == F_SETLK and held_by(self._process, RecordLocks) is None:
            hold(self._process, RecordLocks())
        return unpacked(answer) if self._command in GETTING else self._asked

    def _at_one_place(self, lock: FileLock) -> FileLock:
        """Counted from the start: the offset was looked at when the call began."""
        if lock.l_whence == SEEK_CUR:
            origin = os.lseek(self._file.number, 0, os.SEEK_CUR)
        elif lock.l_whence == SEEK_END:
            origin = os.fstat(self._file.number).st_size
        else:
            return lock
        return lock._replace(l_whence=SEEK_SET, l_start=origin + lock.l_start)


def packed(lock: FileLock) -> bytes:
    try:
        return STRUCT_FLOCK.pack(*lock)
    except struct.error:  # of so many bits that there is no such thing
        fail(errno.EINVAL)


def unpacked(answer: bytes) -> FileLock:
    return FileLock(*STRUCT_FLOCK.unpack(answer))
