"""flock(2): one lock of an open file on all of what it stands for.

Laws, as measured:

* The owner is the open file: dup and fork share the lock, any of them gives
  it up, the last close does.  Two opens exclude each other in one process too.
* A change of kind is no single step: the old lock goes first.  Who may not
  wait, and is refused, has lost it; but he asks before those who waited for it.
* Any access mode will do but the one that is none (3), and any object.
  LOCK_MAND is accepted and ignored.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.locks.lock import F_RDLCK, F_UNLCK, F_WRLCK, Family, Lock
from asyncipc.kernel.locks.waiting import LockList, Request
from asyncipc.kernel.openfile import O_ACCMODE
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.locks.registry import Locks

LOCK_SH: Final = 1
LOCK_EX: Final = 2
LOCK_NB: Final = 4
LOCK_UN: Final = 8
LOCK_MAND: Final = 32
KINDS: Final = {LOCK_SH: F_RDLCK, LOCK_EX: F_WRLCK, LOCK_UN: F_UNLCK}


def kind_of(operation: int) -> int | None:
    """flock_translate_cmd(): None if there is nothing to do.  EINVAL."""
    if operation & LOCK_MAND:
        return None
    kind = KINDS.get(operation & ~LOCK_NB)
    if kind is None:
        fail(errno.EINVAL)
    return kind


@final
class Flock(Request):
    """One call."""

    __slots__ = ("_operation",)

    def __init__(self, locks: Locks, entry: Descriptor, operation: int) -> None:
        super().__init__(locks, entry, Family.FLOCK, entry.file, F_UNLCK)
        self._operation = operation

    def arguments(self) -> tuple[object, ...]:
        return (self._operation,)

    def __call__(self) -> WouldBlock | None:
        """flock_lock_inode().  EINVAL; EBADF; EWOULDBLOCK (= EAGAIN) with LOCK_NB."""
        kind = kind_of(self._operation)
        if kind is None:
            return None
        if kind != F_UNLCK and self.file.flags & O_ACCMODE == O_ACCMODE:
            fail(errno.EBADF, "a file that is open neither to read nor to write has no locks")
        self.kind = kind
        flocks = self.list()
        refused = self._attempt(flocks)
        flocks.settle()
        if not refused:
            self.locks.tidy(self.file)
            return None
        if self._operation & LOCK_NB:
            fail(errno.EAGAIN)
        return self.refusal()

    def _attempt(self, flocks: LockList) -> bool:
        """Is it refused?"""
        own = next((held for held in flocks.held if held.owner is self.owner), None)
        if own is None or own.kind != self.kind:
            blocker = self._change(flocks, own)
            if blocker is not None:
                self.wait_behind(blocker, flocks, self._operation & LOCK_NB)
                return True
        flocks.content(self)
        return False

    def _change(self, flocks: LockList, own: Lock | None) -> Lock | None:
        """Give up the old lock, and take the new one unless this is in the way of it."""
        if own is not None:
            flocks.held.remove(own)
        blocker = None if self.kind == F_UNLCK else flocks.in_the_way(self)
        if own is not None:  # only now: who waited for it comes after this request
            flocks.wake_blocked(own)
        if blocker is None and self.kind != F_UNLCK:
            self._take(flocks)
        return blocker

    def _take(self, flocks: LockList) -> None:
        lock = self.copy()
        flocks.held.append(lock)
        flocks.take_along(self, lock)
        self.locks.attach(self.file)
