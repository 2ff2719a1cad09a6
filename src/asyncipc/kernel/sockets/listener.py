"""The backlog: connections of a listener that are complete and not yet accepted.

``listen(n)`` lets n + 1 wait (the kernel compares with >), n being cut to
SOMAXCONN.  They are accepted in the order in which they were completed; one
whose client has gone meanwhile counts, and is accepted, like the others.

Who may wait for room (a UNIX socket's connect) stands in a line of the
listener, which moves when a connection is accepted, when listen(2) raises the
limit, and when the listener is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, final

from asyncipc.kernel.readiness import WRITABLE
from asyncipc.kernel.sockets.socket import SOMAXCONN
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile

Connection = TypeVar("Connection")


@final
class Room:
    """What somebody waits for who would put something into another's queue."""

    __slots__ = ("_owner",)

    def __init__(self, owner: OpenFile) -> None:
        self._owner = owner

    def describe(self) -> str:
        return self._owner.describe()

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Whoever takes from the queue makes room."""
        return (self._owner,)


def room_queue(owner: OpenFile) -> WaitQueue:
    """The line of those who wait for room in ``owner``'s queue."""
    return WaitQueue(Room(owner), WRITABLE)


@final
class Backlog(Generic[Connection]):
    __slots__ = ("_limit", "_room", "_waiting")

    def __init__(self, limit: int) -> None:
        self._waiting: deque[Connection] = deque()
        self._room: WaitQueue | None = None
        self._limit = 0
        self.limit = limit

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        """listen(2): a negative backlog is the largest (it is unsigned there)."""
        former, self._limit = self._limit, limit if 0 <= limit < SOMAXCONN else SOMAXCONN
        if self._limit > former:
            self._tell()

    @property
    def is_full(self) -> bool:
        return len(self._waiting) > self._limit

    def refusal(self, listener: OpenFile) -> WouldBlock | None:
        """What a newcomer has to wait for: room, and those who wait already; or None."""
        room = self._room
        if not self.is_full and (room is None or not room.barred):
            return None
        if room is None:
            room = self._room = room_queue(listener)
        return room.refusal

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._waiting))

    def put(self, connection: Connection) -> None:
        self._waiting.append(connection)

    def take(self) -> Connection:
        connection = self._waiting.popleft()
        self._tell()
        return connection

    def take_all(self) -> list[Connection]:
        """The listener is over: everybody who waits."""
        everybody = list(self._waiting)
        self._waiting.clear()
        self._tell()
        return everybody

    def _tell(self) -> None:
        if self._room is not None:
            self._room.notify()
