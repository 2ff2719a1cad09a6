"""Keys, identifiers and permissions: ipc_namespace of one kind, ipc/util.c.

Laws: an identifier is an index and a sequence number, so a removed object's
identifier is not that of its successor.  Indexes are handed out in a round,
of 64 while few are in use, and each round has the next sequence number.  A key
means an object until that is removed; IPC_PRIVATE (0) means a new one each
time.  Mode bits are those of files; the umask has no say.

Not modelled: supplementary groups, kernel.msg_next_id and its kin.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

from asyncipc.errors import fail
from asyncipc.kernel.processes.permissions import permits

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.timers import Timers

IPC_PRIVATE: Final = 0
IPC_CREAT: Final = 0o1000
IPC_EXCL: Final = 0o2000
IPC_NOWAIT: Final = 0o4000
IPC_RMID: Final = 0
IPC_SET: Final = 1
IPC_STAT: Final = 2
PERMISSIONS: Final = 0o777
MAY_READ: Final = 4
MAY_WRITE: Final = 2
NOBODY: Final = 2**32 - 1
"""(uid_t)-1"""

SEQUENCE_SHIFT: Final = 15
INDEXES: Final = 1 << SEQUENCE_SHIFT
INDEXES_MAX: Final = 32000
"""SEMMNI and MSGMNI: of each kind so many."""
SEGMENTS_MAX: Final = 4096
"""SHMMNI"""
ROUND_MIN: Final = 64
"""ipc_min_cycle: how many indexes a round has at least (3/2 of those in use)."""
SEQUENCES: Final = 0xFFFF
SECOND: Final = 1_000_000_000


class Identified:
    """A System V object: ``key``, owner, creator, ``mode``; ``removed`` when it is gone.

    Times are in whole seconds of the machine's clock, 0: never.
    """

    def __init__(self, key: int, mode: int, process: Process, timers: Timers) -> None:
        self._timers = timers
        self.key = key
        self.identifier = -1
        self.mode = mode & PERMISSIONS
        self.uid = self.creator_uid = process.uid
        self.gid = self.creator_gid = process.gid
        self.changed_s = self.seconds()
        self.removed = False

    def seconds(self) -> int:
        """ktime_get_real_seconds()"""
        return self._timers.now() // SECOND

    def demand(self, process: Process, wanted: int) -> None:
        """EACCES unless the mode bits let the process have what is ``wanted``.

        MAY_READ, MAY_WRITE, and as ipcperms() has it bit 0, which nobody needs but
        who asks for it.
        """
        uids, gids = (self.uid, self.creator_uid), (self.gid, self.creator_gid)
        if not permits(process, wanted, self.mode, uids, gids):
            fail(errno.EACCES)

    def demand_owner(self, process: Process) -> None:
        """EPERM unless the process owns or made it, as IPC_SET and IPC_RMID ask."""
        if process.uid not in {0, self.uid, self.creator_uid}:
            fail(errno.EPERM)

    def change(self, uid: int, gid: int, mode: int) -> None:
        """IPC_SET: another owner and other mode bits; the creator stays (ipc_update_perm).

        EINVAL for -1, which is nobody.
        """
        uid, gid = uid & NOBODY, gid & NOBODY
        if NOBODY in {uid, gid}:
            fail(errno.EINVAL)
        self.uid, self.gid, self.mode = uid, gid, mode & PERMISSIONS
        self.changed_s = self.seconds()


I = TypeVar("I", bound=Identified)  # noqa: E741


@final
class Identifiers(Generic[I]):
    """All objects of one kind, of which there may be ``limit``."""

    def __init__(self, limit: int = INDEXES_MAX) -> None:
        self._limit = limit
        self._objects: dict[int, I] = {}  # by index
        self._by_key: dict[int, I] = {}
        self._sequence = 0
        self._last_index = -1

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[I]:
        """In order of their identifiers' indexes, as ipcs shows them."""
        return iter([self._objects[index] for index in sorted(self._objects)])

    def get(
        self,
        process: Process,
        key: int,
        flags: int,
        make: Callable[[], I],
        check: Callable[[I], None] | None = None,
    ) -> I:
        """shmget, semget, msgget: the object of a key, or what ``make`` makes.

        ENOENT, EEXIST (IPC_CREAT with IPC_EXCL), EACCES, ENOSPC.  The caller
        checks the size of what was there: ipcget_public() does after EEXIST and
        before EACCES, so it may pass a ``check`` for that.
        """
        found = None if key == IPC_PRIVATE else self._by_key.get(key)
        if found is not None:
            if flags & IPC_CREAT and flags & IPC_EXCL:
                fail(errno.EEXIST)
            if check is not None:
                check(found)
            found.demand(process, (flags >> 6 | flags >> 3 | flags) & 0o7)
            return found
        if key != IPC_PRIVATE and not flags & IPC_CREAT:
            fail(errno.ENOENT)
        return self._enter(make())

    def demand_room(self) -> None:
        """ENOSPC if there are as many as there may be; for ``make``, before it counts."""
        if len(self._objects) >= self._limit:
            fail(errno.ENOSPC)

    def _enter(self, made: I) -> I:
        self.demand_room()
        index = self._next_index()
        made.identifier = self._sequence << SEQUENCE_SHIFT | index
        self._objects[index] = made
        if made.key != IPC_PRIVATE:
            self._by_key[made.key] = made
        return made

    def _next_index(self) -> int:
        """The next free one of the round; from its beginning, with a new sequence
        number (ipc_idr_alloc).
        """
        used = self._objects
        limit = min(max(len(used) * 3 // 2, ROUND_MIN), INDEXES)
        index = self._last_index + 1
        while index in used:
            index += 1
        if index >= limit:
            self._sequence = (self._sequence + 1) % SEQUENCES
            index = 0
            while index in used:
                index += 1
        self._last_index = index
        return index

    def __getitem__(self, identifier: int) -> I:
        """EINVAL for what is no identifier, or no longer."""
        found = self._objects.get(identifier % INDEXES)
        if found is None or found.identifier != identifier:
            fail(errno.EINVAL)
        return found

    def forget_key(self, found: I) -> None:
        """Its key is free, though it still lives (a segment that is attached)."""
        if found.key != IPC_PRIVATE:
            del self._by_key[found.key]
            found.key = IPC_PRIVATE

    def remove(self, found: I) -> None:
        """It is gone: its identifier is EINVAL, who sleeps on it is told by its own queue."""
        self.forget_key(found)
        found.removed = True
        del self._objects[found.identifier % INDEXES]
