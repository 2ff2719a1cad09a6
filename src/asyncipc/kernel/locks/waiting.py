"""Who waits for a lock: requests that stand behind locks, and behind each other.

Laws (fs/locks.c):

* A request waits for the first lock in its way, or, if one that waits there
  already conflicts with it, for that one, and so on: a tree (locks_insert_block).
  So those who exclude each other are let in in order, and readers together.
* What stands in the way is what is *held*.  A reader passes a writer that
  waits while readers hold the lock.
* A lock that is released, or changed in any part, wakes all who stand directly
  behind it.  They try again, in order, and may wait elsewhere then.
* Who gets the lock takes along who stood behind him.  Who waits anew, or goes
  away, wakes them.

Linux lets anybody snatch a lock before those it has woken have run.  Here who
was woken comes first: he is served as he sleeps (trio), or stands in the way
of others until he has tried (asyncio; :mod:`asyncipc.kernel.waitqueue`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

from asyncipc.kernel.locks.lock import OFFSET_MAX, Family, Lock
from asyncipc.kernel.waitqueue import Waiter, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.locks.registry import Locks
    from asyncipc.kernel.openfile import OpenFile


class Request(Lock):
    """A call that asks for a lock: a verb, the place where it sleeps, and a line for it alone.

    As a place it knows no O_NONBLOCK and no time limit, for locks don't.
    """

    __slots__ = ("_refusal", "_waiter", "barred", "entry", "locks")

    nonblocking = 0
    patient = False

    def __init__(
        self, locks: Locks, entry: Descriptor, family: Family, owner: object, kind: int
    ) -> None:
        super().__init__(family, owner, kind)
        self.locks = locks
        self.entry = entry
        self.barred = False
        self._refusal: WouldBlock | None = None
        self._waiter: Waiter | None = None

    # -- a place

    @property
    def fd(self) -> int:
        return self.entry.fd

    @property
    def file(self) -> OpenFile:
        return self.entry.file

    @property
    def open(self) -> bool:
        return self.entry.open

    # -- a line of one

    def refusal(self) -> WouldBlock:
        """Made once, when it has to wait; it waits for no readiness."""
        if self._refusal is None:
            self._refusal = WouldBlock(self, self, 0)
        return self._refusal

    def join(self, waiter: Waiter) -> None:
        self._waiter = waiter

    def leave(self, waiter: Waiter) -> None:
        """locks_delete_block(): it has the lock, or gives up."""
        if self._waiter is waiter:
            self._waiter = None
            self.list().withdraw(self)

    def try_again(self, waiter: Waiter) -> None:
        """Nobody else stands in this line."""

    def refused(self, waiter: Waiter) -> None:
        """Nobody else stands in this line."""

    @property
    def waits(self) -> bool:
        """Does somebody sleep in it, who is not on his way already?"""
        return self._waiter is not None and self._waiter.is_asleep()

    def rouse(self) -> None:
        """What it waited for has changed."""
        if self._waiter is not None and self._waiter.serve() is None:
            self._waiter.wake()

    def wait_behind(self, blocker: Lock, among: LockList, is_impatient: int) -> None:
        """It is refused.  Who stands in line already keeps his place."""
        among.tries(self)
        if not is_impatient and self.blocker is None:
            among.block(self, blocker)

    # -- what can be waited for

    def list(self) -> LockList:
        """The locks among which it stands."""
        return self.locks.of(self.file).list(self.family)

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Who holds what is in the way: processes, or open files."""
        return tuple(dict.fromkeys(held.owner for held in self.list().in_conflict(self)))

    def describe(self) -> str:
        if self.family is Family.FLOCK:
            return f"flock on {self.file.describe()}"
        words = "record lock" if self.family is Family.POSIX else "OFD lock"
        end = "end" if self.end == OFFSET_MAX else self.end
        return f"{words} {self.start}-{end} on {self.file.describe()}"

    def awaited(self) -> str:
        return self.describe()


@final
class LockList:
    """All locks of one kind on one object, in the order of F_GETLK and /proc/locks.

    ``woken``: the requests that were and have not tried yet, first come first.
    """

    __slots__ = ("_due", "_settling", "held", "woken")

    def __init__(self) -> None:
        self.held: list[Lock] = []
        self.woken: dict[Request, None] = {}
        self._due: deque[Request] = deque()
        self._settling = False

    def __bool__(self) -> bool:
        """Is there anything?  Who waits, waits behind one of these."""
        return bool(self.held or self.woken)

    def in_conflict(self, request: Lock) -> list[Lock]:
        return [held for held in self.held if request.conflicts(held)]

    def in_the_way(self, request: Request) -> Lock | None:
        """The first lock that conflicts, or who was woken before and could have his now."""
        for held in self.held:
            if request.conflicts(held):
                return held
        for earlier in self.woken:
            if earlier is request:
                return None
            if earlier.conflicts(request) and not self.in_conflict(earlier):
                return earlier
        return None

    def tries(self, request: Request) -> None:
        """It has tried, be it in vain: it bars nobody any more for having been woken."""
        self.woken.pop(request, None)

    def content(self, request: Request) -> None:
        """It wants no more: it stands nowhere, and nobody behind it."""
        self.tries(request)
        self.unlink(request)
        self.wake_blocked(request)

    def block(self, request: Request, blocker: Lock) -> None:
        """__locks_insert_block(): behind the last of those that it conflicts with."""
        blocker = _last_in_conflict(blocker, request)
        request.blocker = blocker
        blocker.blocked[request] = None
        if blocker.family is Family.POSIX:
            request.locks.blocked.add(request)
        self.wake_blocked(request)

    def unlink(self, request: Request) -> None:
        """It stands behind nobody any more."""
        if request.blocker is not None:
            del request.blocker.blocked[request]
            request.blocker = None
            request.locks.blocked.discard(request)

    def wake_blocked(self, lock: Lock) -> None:
        """__locks_wake_up_blocks(): who stands behind it will try again (``settle``)."""
        for request in list(lock.blocked):
            self.unlink(request)
            self.woken[request] = None
            self._due.append(request)

    def take_along(self, request: Lock, granted: Lock) -> None:
        """locks_move_blocks(): who stood behind the request stands behind the lock."""
        for each in request.blocked:
            each.blocker = granted
        granted.blocked.update(request.blocked)
        request.blocked.clear()

    def withdraw(self, request: Request) -> None:
        """Its call is over: it has what it wanted, or gives up."""
        self.content(request)
        self.settle()
        request.locks.tidy(request.file)

    def settle(self) -> None:
        """The last act of all who change locks: who was woken tries, in order.

        In a try others may be woken: they come after those who are.
        """
        if self._settling:
            return
        self._settling = True
        try:
            while self._due:
                request = self._due.popleft()
                if request in self.woken:
                    request.rouse()
        finally:
            self._settling = False


def _last_in_conflict(blocker: Lock, request: Request) -> Lock:
    """Down from who conflicts to who conflicts; a crowd of N is N deep, so no recursion."""
    while True:
        for each in blocker.blocked:
            if each.conflicts(request):
                blocker = each
                break
        else:
            return blocker
