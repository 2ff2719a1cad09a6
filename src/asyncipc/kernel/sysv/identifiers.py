"""Keys, identifiers and permissions: ipc_namespace of one kind, ipc/util.c.

Laws: an identifier is an index and a sequence number, so a removed object's
identifier is not that of its successor.  A key means an object until that is
removed; IPC_PRIVATE (0) means a new one each time.  Mode bits are those of
files, of which there are three sets of read and write.
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

from asyncipc.errors import fail

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

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

SEQUENCE_SHIFT: Final = 15
INDEXES_MAX: Final = 32000
"""SHMMNI, SEMMNI and MSGMNI: of each kind so many."""
SEQUENCES: Final = 0xFFFF


class Identified:
    """A System V object: ``key``, owner, creator, ``mode``; ``removed`` when it is gone."""

    def __init__(self, key: int, mode: int, process: Process) -> None:
        self.key = key
        self.identifier = -1
        self.mode = mode & PERMISSIONS
        self.uid = self.creator_uid = process.uid
        self.gid = self.creator_gid = process.gid
        self.removed = False

    def demand(self, process: Process, wanted: int) -> None:
        """EACCES unless the mode bits let the process have MAY_READ, MAY_WRITE (ipcperms)."""
        if process.uid == 0:
            return
        if process.uid in {self.uid, self.creator_uid}:
            granted = self.mode >> 6
        elif process.gid in {self.gid, self.creator_gid}:
            granted = self.mode >> 3
        else:
            granted = self.mode
        if granted & wanted != wanted:
            fail(errno.EACCES)

    def demand_owner(self, process: Process) -> None:
        """EPERM unless the process owns or made it, as IPC_SET and IPC_RMID ask."""
        if process.uid not in {0, self.uid, self.creator_uid}:
            fail(errno.EPERM)


I = TypeVar("I", bound=Identified)  # noqa: E741


@final
class Identifiers(Generic[I]):
    """All objects of one kind."""

    def __init__(self) -> None:
        self._objects: dict[int, I] = {}
        self._by_key: dict[int, I] = {}
        self._free: list[int] = []
        self._sequence = 0
        self._last_index = -1

    def __iter__(self) -> Iterator[I]:
        """In order of their identifiers' indexes, as ipcs shows them."""
        return iter(
            sorted(self._objects.values(), key=lambda each: each.identifier % (1 << SEQUENCE_SHIFT))
        )

    def get(self, process: Process, key: int, flags: int, make: Callable[[], I]) -> I:
        """shmget, semget, msgget: the object of a key, or what ``make`` makes.

        ENOENT, EEXIST (IPC_CREAT with IPC_EXCL), EACCES, ENOSPC.  The caller
        checks the size of what was there.
        """
        found = None if key == IPC_PRIVATE else self._by_key.get(key)
        if found is not None:
            if flags & IPC_CREAT and flags & IPC_EXCL:
                fail(errno.EEXIST)
            found.demand(process, (flags >> 6 | flags >> 3 | flags) & (MAY_READ | MAY_WRITE))
            return found
        if key != IPC_PRIVATE and not flags & IPC_CREAT:
            fail(errno.ENOENT)
        return self._enter(make())

    def _enter(self, made: I) -> I:
        if len(self._objects) >= INDEXES_MAX:
            fail(errno.ENOSPC)
        index = self._next_index()
        made.identifier = self._sequence << SEQUENCE_SHIFT | index
        self._objects[made.identifier] = made
        if made.key != IPC_PRIVATE:
            self._by_key[made.key] = made
        return made

    def _next_index(self) -> int:
        """The lowest free one; if that is not beyond the last, a new sequence (ipc_idr_alloc)."""
        index = heapq.heappop(self._free) if self._free else len(self._objects)
        if index <= self._last_index:
            self._sequence = (self._sequence + 1) % SEQUENCES
        self._last_index = index
        return index

    def __getitem__(self, identifier: int) -> I:
        """EINVAL for what is no identifier, or no longer."""
        found = self._objects.get(identifier)
        if found is None:
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
        del self._objects[found.identifier]
        heapq.heappush(self._free, found.identifier % (1 << SEQUENCE_SHIFT))
