"""The search for a deadlock among record locks (posix_locks_deadlock in fs/locks.c).

Who is about to wait follows the chain: whom does the owner of what is in my way
wait for, and whom does that one?  If the chain comes back to him, he gets
EDEADLK instead.  What the search does not see, as measured:

* More than the *first* lock in the way, so not every cycle of readers.
* A cycle of more than twelve.
* A request of an open file: that one is never refused, though its waiting for
  a process is seen by others.  A wait for an open file's lock is not.
* That another task of the owner could let go: a process waits for the owner of
  what its youngest request waits for, and as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.locks.lock import Family, Lock

if TYPE_CHECKING:
    from asyncipc.kernel.locks.waiting import Request

MAX_DEADLK_ITERATIONS: Final = 10


@final
class BlockedRequests:
    """Who waits for a lock of a process, by owner (blocked_hash)."""

    __slots__ = ("_by_owner",)

    def __init__(self) -> None:
        self._by_owner: dict[object, list[Request]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_owner)

    def add(self, request: Request) -> None:
        self._by_owner.setdefault(request.owner, []).append(request)

    def discard(self, request: Request) -> None:
        mine = self._by_owner.get(request.owner, [])
        if request in mine:
            mine.remove(request)
            if not mine:
                del self._by_owner[request.owner]

    def would_close_a_cycle(self, caller: Request, in_the_way: Lock) -> bool:
        """Does the owner of what is in the way wait, in the end, for the caller?"""
        if caller.family is Family.OFD:
            return False
        blocker = self._awaited_by(in_the_way.owner)
        steps = 0
        while blocker is not None and steps <= MAX_DEADLK_ITERATIONS:
            if blocker.owner is caller.owner:
                return True
            blocker = self._awaited_by(blocker.owner)
            steps += 1
        return False

    def _awaited_by(self, owner: object) -> Lock | None:
        """what_owner_is_waiting_for(): the lock at the root, for its youngest request.

        Who is about to leave, since his process ends, waits no more.
        """
        mine = [request for request in self._by_owner.get(owner, ()) if request.waits]
        if not mine:
            return None
        lock: Lock = mine[-1]
        while lock.blocker is not None:
            lock = lock.blocker
        return lock
