"""The octets of one owner: a lock that is set merges with some, cuts or replaces others.

The locks of an owner stand together, in order of their octets, and never
overlap.  Which ones are kept and changed, and which go, is as in
posix_lock_inode(): it decides who is woken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.locks.lock import F_UNLCK, Lock

if TYPE_CHECKING:
    from asyncipc.kernel.locks.waiting import LockList, Request


def set_range(records: LockList, request: Request) -> None:
    """Give the owner what is asked for, or take it (F_UNLCK): nothing is in the way."""
    _Change(records, request).make()


@final
class _Change:
    """One walk over what the owner has.

    ``lock`` is what stands for the request: itself, then the lock it has become
    (``placed``).  ``left`` and ``right``: the old ones that lose their end, or
    their beginning, to it; both, if it lies within one.
    """

    __slots__ = ("_at", "_held", "_left", "_lock", "_placed", "_records", "_request", "_right")

    def __init__(self, records: LockList, request: Request) -> None:
        self._records = records
        self._held = records.held
        self._request = request
        self._lock: Lock = request.copy()
        self._placed = False
        self._left: Lock | None = None
        self._right: Lock | None = None
        self._at = 0

    def make(self) -> None:
        held, owner = self._held, self._request.owner
        while self._at < len(held) and held[self._at].owner is not owner:
            self._at += 1
        goes_on = True
        while goes_on and self._at < len(held) and held[self._at].owner is owner:
            old = held[self._at]
            goes_on = self._merge(old) if old.kind == self._lock.kind else self._cut(old)
        if not self._placed:
            if self._lock.kind == F_UNLCK:
                return
            self._place()
        self._shorten()

    def _merge(self, old: Lock) -> bool:
        """One of the same kind: with what it touches it becomes one lock."""
        lock = self._lock
        if old.end < lock.start - 1:
            self._at += 1
            return True
        if old.start - 1 > lock.end:
            return False
        old.start = lock.start = min(old.start, lock.start)
        old.end = lock.end = max(old.end, lock.end)
        if self._placed:
            self._delete()
        else:
            self._lock = old
            self._placed = True
            self._at += 1
        return True

    def _cut(self, old: Lock) -> bool:
        """One of another kind: what is asked for takes its place."""
        lock = self._lock
        if old.end < lock.start:
            self._at += 1
            return True
        if old.start > lock.end:
            return False
        if lock.kind == F_UNLCK:
            self._placed = True
        if old.start < lock.start:
            self._left = old
        if old.end > lock.end:
            self._right = old
            return False
        if old.start < lock.start:
            self._at += 1
            return True
        if not self._placed:
            self._place()
            self._at += 1
        self._delete()
        return True

    def _place(self) -> None:
        self._held.insert(self._at, self._lock)
        self._records.take_along(self._request, self._lock)
        self._placed = True

    def _delete(self) -> None:
        self._records.wake_blocked(self._held.pop(self._at))

    def _shorten(self) -> None:
        left, right, lock = self._left, self._right, self._lock
        if right is not None:
            if left is right:
                left = right.copy()
                self._held.insert(self._at, left)
            right.start = lock.end + 1
            self._records.wake_blocked(right)
        if left is not None:
            left.end = lock.start - 1
            self._records.wake_blocked(left)
