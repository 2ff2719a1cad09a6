"""Record locks: those of fcntl(2) on ranges, of a process or of an open file (OFD).

Laws, as measured:

* A process's locks are invisible to itself, not inherited by fork, and lost as
  soon as it closes *any* descriptor of what is locked.
* An open file's go with its last close.  Each kind conflicts with the other,
  in one process too.
* A change of kind is one step: who is refused keeps what he had.
* O_NONBLOCK changes nothing: F_SETLK refuses, F_SETLKW waits.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import fail
from asyncipc.kernel.locks.lock import F_RDLCK, F_UNLCK, F_WRLCK, OFFSET_MAX, Family, Lock
from asyncipc.kernel.locks.ranges import set_range
from asyncipc.kernel.locks.waiting import LockList, Request
from asyncipc.kernel.openfile import O_ACCMODE, O_RDONLY, O_WRONLY
from asyncipc.kernel.processes.holdings import Holding, held_by, hold
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.locks.registry import Locks
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import Waiter

F_GETLK: Final = 5
F_SETLK: Final = 6
F_SETLKW: Final = 7
F_OFD_GETLK: Final = 36
F_OFD_SETLK: Final = 37
F_OFD_SETLKW: Final = 38
GETTING: Final = (F_GETLK, F_OFD_GETLK)
WAITING: Final = (F_SETLKW, F_OFD_SETLKW)
COMMANDS: Final = {
    F_GETLK: Family.POSIX,
    F_SETLK: Family.POSIX,
    F_SETLKW: Family.POSIX,
    F_OFD_GETLK: Family.OFD,
    F_OFD_SETLK: Family.OFD,
    F_OFD_SETLKW: Family.OFD,
}
SEEK_SET: Final = 0
SEEK_CUR: Final = 1
SEEK_END: Final = 2


class FileLock(NamedTuple):
    """struct flock.  ``l_type``: F_RDLCK, F_WRLCK or F_UNLCK.

    ``l_start`` counts from the beginning, the offset or the end (``l_whence``:
    SEEK_SET, SEEK_CUR, SEEK_END).  ``l_len`` octets, 0: to the end of all time,
    below 0: those before ``l_start``.  ``l_pid``: of the holder, in an answer.
    """

    l_type: int
    l_whence: int = SEEK_SET
    l_start: int = 0
    l_len: int = 0
    l_pid: int = 0


class RecordLocks(Holding):
    """That a process has record locks, or had: closing drops those on the same object."""

    def __init__(self, locks: Locks) -> None:
        self._locks = locks

    def closed(self, process: Process, file: OpenFile) -> None:
        """locks_remove_posix()"""
        self._locks.release(file, process)


@final
class RecordLock(Request):
    """One call: F_GETLK, F_SETLK or F_SETLKW, or those of an open file."""

    __slots__ = ("_asked", "_checked", "_command", "_process")

    def __init__(
        self, locks: Locks, process: Process, entry: Descriptor, command: int, asked: FileLock
    ) -> None:
        family = COMMANDS[command]
        owner = entry.file if family is Family.OFD else process
        super().__init__(locks, entry, family, owner, asked.l_type)
        self._process = process
        self._command = command
        self._asked = asked
        self._checked = False

    def arguments(self) -> tuple[object, ...]:
        return self._command, tuple(self._asked)

    def __call__(self) -> FileLock | WouldBlock:
        """EBADF, EINVAL, EOVERFLOW; EAGAIN (F_SETLK), EDEADLK (F_SETLKW)."""
        if not self._checked:
            self._check()
            self._checked = True
        records = self.list()
        if self._command in GETTING:
            return self._found(records)
        blocker = None if self.kind == F_UNLCK else records.in_the_way(self)
        error = 0 if blocker is None else self._refused(records, blocker)
        if blocker is None:
            set_range(records, self)
            records.content(self)
            error = self._granted()
        records.settle()
        self.locks.tidy(self.file)
        if error:
            fail(error)
        return self._asked if blocker is None else self.refusal()

    def leave(self, waiter: Waiter) -> None:
        """If it comes back (SA_RESTART, SIGCONT), the offset may be another."""
        self._checked = False
        super().leave(waiter)

    # -- what is asked for

    def _check(self) -> None:
        """fcntl_setlk(), fcntl_getlk(): the order in which they complain."""
        is_getting, is_ofd = self._command in GETTING, self.family is Family.OFD
        kind = self._asked.l_type
        if is_getting and not is_ofd and kind not in {F_RDLCK, F_WRLCK}:
            fail(errno.EINVAL)
        self.start, self.end = _range_of(self.file, self._asked)
        if kind not in {F_RDLCK, F_WRLCK, F_UNLCK}:
            fail(errno.EINVAL)
        access = self.file.flags & O_ACCMODE
        lacking = {F_RDLCK: O_WRONLY, F_WRLCK: O_RDONLY}.get(kind)
        if not is_getting and kind != F_UNLCK and access in {lacking, O_ACCMODE}:
            fail(errno.EBADF, "F_RDLCK needs a descriptor to read, F_WRLCK one to write")
        if is_ofd and self._asked.l_pid:
            fail(errno.EINVAL)

    def _found(self, records: LockList) -> FileLock:
        """posix_test_lock(): the first in the way; F_OFD_GETLK of F_UNLCK finds one's own."""
        if self.kind == F_UNLCK:
            mine = (lock for lock in records.held if lock.owner is self.owner)
            found = next((lock for lock in mine if lock.overlaps(self)), None)
        else:
            found = next(iter(records.in_conflict(self)), None)
        self.locks.tidy(self.file)
        return self._asked._replace(l_type=F_UNLCK) if found is None else _shown(found)

    # -- what becomes of it

    def _refused(self, records: LockList, blocker: Lock) -> int:
        """It can't have it now; the errno, unless it waits."""
        if self._command not in WAITING:
            return errno.EAGAIN
        if self.blocker is None:
            records.wake_blocked(self)
            if self.locks.blocked.would_close_a_cycle(self, blocker):
                records.content(self)
                return errno.EDEADLK
        self.wait_behind(blocker, records, False)
        return 0

    def _granted(self) -> int:
        """It goes with the open file, or the process, from now on.

        If the number stands for something else by now, closing that one has
        come too early to release it: EBADF, and it is gone.
        """
        if self.kind == F_UNLCK:
            return 0
        if self.family is Family.OFD:
            self.locks.attach(self.file)
            return 0
        if held_by(self._process, RecordLocks) is None:
            hold(self._process, RecordLocks(self.locks))
        entry = self._process.table.get(self.fd)
        if entry is not None and entry.file is self.file:
            return 0
        self.locks.release(self.file, self._process)
        return errno.EBADF


def _range_of(file: OpenFile, asked: FileLock) -> tuple[int, int]:
    """flock64_to_posix_lock(): the first octet and the last.  EINVAL, EOVERFLOW."""
    if asked.l_whence == SEEK_SET:
        origin = 0
    elif asked.l_whence == SEEK_CUR:
        origin = _offset_of(file)
    elif asked.l_whence == SEEK_END:
        origin = file.status().size
    else:
        fail(errno.EINVAL)
    if asked.l_start > OFFSET_MAX - origin:
        fail(errno.EOVERFLOW)
    start, length = origin + asked.l_start, asked.l_len
    if length > 0 and start >= 0 and length - 1 > OFFSET_MAX - start:
        fail(errno.EOVERFLOW)
    if start < 0 or start + length < 0:
        fail(errno.EINVAL)
    if length < 0:
        return start + length, start - 1
    return start, start + length - 1 if length else OFFSET_MAX


def _offset_of(file: OpenFile) -> int:
    """What has no offset stands at 0."""
    try:
        return file.seek(0, SEEK_CUR)
    except OSError:  # ESPIPE
        return 0


def _shown(lock: Lock) -> FileLock:
    """posix_lock_to_flock(): whose pid an open file's lock shows can't be said, so -1."""
    pid: int = getattr(lock.owner, "pid", -1)
    length = 0 if lock.end == OFFSET_MAX else lock.end - lock.start + 1
    return FileLock(lock.kind, SEEK_SET, lock.start, length, pid)
