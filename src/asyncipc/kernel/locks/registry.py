"""Where all locks of a kernel are found: by what is locked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from asyncipc.kernel.files.node import Node
from asyncipc.kernel.locks.deadlock import BlockedRequests
from asyncipc.kernel.locks.lock import Family, Lock
from asyncipc.kernel.locks.waiting import LockList

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile


@final
class LockContext:
    """The locks on one object (struct file_lock_context).

    ``name``: that of the open file which was locked first; a node knows its own.
    """

    __slots__ = ("flocks", "name", "records")

    def __init__(self, name: str) -> None:
        self.name = name
        self.flocks = LockList()
        self.records = LockList()

    def list(self, family: Family) -> LockList:
        return self.flocks if family is Family.FLOCK else self.records


@final
class Locks:
    """``blocked``: who waits for a lock of a process, for the search for deadlocks.

    It is attached to every open file that has had a lock of its own, to
    release them with it.
    """

    def __init__(self) -> None:
        self.blocked = BlockedRequests()
        self._contexts: dict[object, LockContext] = {}

    def of(self, file: OpenFile) -> LockContext:
        """The locks on what ``file`` stands for."""
        identity = file.identity()
        context = self._contexts.get(identity)
        if context is None:
            context = self._contexts[identity] = LockContext(file.describe())
        return context

    def tidy(self, file: OpenFile) -> None:
        """Forget what has no locks left."""
        identity = file.identity()
        context = self._contexts.get(identity)
        if context is not None and not context.flocks and not context.records:
            del self._contexts[identity]

    def attach(self, file: OpenFile) -> None:
        if self not in file.attached:
            file.attached += (self,)

    def released(self, file: OpenFile) -> None:
        """locks_remove_file(): the last holder is gone, and what the open file had locked goes."""
        self.release(file, file)

    def state_changed(self) -> None:
        """Locks do not care."""

    def release(self, file: OpenFile, owner: object) -> None:
        """All that ``owner`` has on what ``file`` stands for."""
        context = self._contexts.get(file.identity())
        if context is None:
            return
        for locks in (context.records, context.flocks):
            for lock in [held for held in locks.held if held.owner is owner]:
                locks.held.remove(lock)
                locks.wake_blocked(lock)
        context.records.settle()
        context.flocks.settle()
        self.tidy(file)

    def __iter__(self) -> Iterator[tuple[object, str, Lock, bool]]:
        """(what is locked, its name, the lock, whether it is only asked for): /proc/locks."""
        for identity, context in self._contexts.items():
            name = identity.describe() if isinstance(identity, Node) else context.name
            for held in (*context.flocks.held, *context.records.held):
                yield identity, name, held, False
                for request in _behind(held):
                    yield identity, name, request, True


def _behind(lock: Lock) -> Iterator[Lock]:
    """All who wait for it, and for those: a line may be long, so no recursion."""
    waiting: list[Lock] = list(lock.blocked)
    while waiting:
        request = waiting.pop(0)
        yield request
        waiting[:0] = request.blocked
