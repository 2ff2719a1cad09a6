"""The backlog: connections of a listener that are complete and not yet accepted.

``listen(n)`` lets n + 1 wait (the kernel compares with >), n being cut to
SOMAXCONN.  They are accepted in the order in which they were completed; one
whose client has gone meanwhile counts, and is accepted, like the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar, final

from asyncipc.kernel.socket import SOMAXCONN

Connection = TypeVar("Connection")


@final
class Backlog(Generic[Connection]):
    __slots__ = ("_limit", "_waiting")

    def __init__(self, limit: int) -> None:
        self._waiting: deque[Connection] = deque()
        self.limit = limit

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        """listen(2): a negative backlog is the largest (it is unsigned there)."""
        self._limit = limit if 0 <= limit < SOMAXCONN else SOMAXCONN

    @property
    def is_full(self) -> bool:
        return len(self._waiting) > self._limit

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._waiting))

    def put(self, connection: Connection) -> None:
        self._waiting.append(connection)

    def take(self) -> Connection:
        return self._waiting.popleft()

    def take_all(self) -> list[Connection]:
        """The listener is over: everybody who waits."""
        everybody = list(self._waiting)
        self._waiting.clear()
        return everybody
