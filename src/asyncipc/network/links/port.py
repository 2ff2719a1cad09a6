"""The port: a wire's mouth, which sends one bit after the other.

A link with a bandwidth has one; a host with an up or a down rate has one that all
its links share.  Its time is exact: it is kept in nanoseconds times the rate, so
that no remainder is lost, and n bytes never take less than 8 n / rate seconds in
any window.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from asyncipc.network.links.queueing import Backlog, Gate

BITS: Final = 8 * 1_000_000_000
"""Of a byte, in billionths: what a second's rate is compared with."""


@final
class Port:
    """``rate``: bits per second.  ``gate``: who may wait; None: everybody."""

    __slots__ = ("_free", "_gate", "_size", "_waiting", "rate")

    def __init__(self, rate: int, gate: Gate | None = None) -> None:
        self.rate = rate
        self._gate = gate
        self._free = 0
        self._waiting: deque[tuple[int, int]] = deque()
        self._size = 0

    @property
    def is_bounded(self) -> bool:
        return self._gate is not None

    def send(self, size: int, now: int) -> int | None:
        """When the last of ``size`` bytes is out; None: they were not let in."""
        start = now * self.rate
        if self._gate is not None and not self._gate.admits(size, now, self.backlog(now)):
            return None
        if self._free > start:
            start = self._free
            if self._gate is not None:
                self._waiting.append((start, size))
                self._size += size
        self._free = start + size * BITS
        return -(-self._free // self.rate)

    def backlog(self, now: int) -> Backlog:
        """What waits, if waiting is bounded; and how long a packet would wait now."""
        start, waiting = now * self.rate, self._waiting
        while waiting and waiting[0][0] <= start:
            self._size -= waiting.popleft()[1]
        wait = self._free - start
        wait_ns, idle_ns = max(0, -(-wait // self.rate)), max(0, -wait // self.rate)
        return Backlog(len(waiting), self._size, wait_ns, idle_ns)

    def change(self, rate: int, gate: Gate | None) -> None:
        """From now on.  What was let in is sent at the times that it was promised."""
        self._free = -(-self._free * rate // self.rate)
        self._waiting = deque((start * rate // self.rate, size) for start, size in self._waiting)
        if gate is None:
            self._waiting.clear()
            self._size = 0
        self.rate = rate
        self._gate = gate

    def describe(self) -> str:
        return f"{self.rate:,} bit/s"
