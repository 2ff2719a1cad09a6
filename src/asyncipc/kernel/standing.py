"""Standing in a line where each waits for something of its own.

A :class:`~asyncipc.kernel.waitqueue.WaitQueue` serves its first.  In other lines
the object looks for whom there is something: the first whom a message suits,
those whose message fits.  There each call has a place of its own, which its
refusal names.  There are no turns: what is meant for a call is in its hands.
"""

from __future__ import annotations

import errno
from typing import Self, cast

from asyncipc.kernel.waitqueue import Waitable, Waiter, WouldBlock


class Standing:
    """One call's place in a line, ``line``; the line that its refusal names."""

    __slots__ = ("_line", "_waiter", "barred", "refusal")

    _waiter: Waiter

    def __init__(
        self, line: dict[Self, None], source: Waitable, mask: int, error: int = errno.EAGAIN
    ) -> None:
        self._line = cast("dict[Standing, None]", line)
        self.barred = False
        self.refusal = WouldBlock(self, source, mask, error)

    # -- for the object

    def is_asleep(self) -> bool:
        """Else it is on its way already: it tries for itself as it runs, or leaves."""
        return self._waiter.is_asleep()

    def go(self) -> None:
        """What it waited for is in its hands: it leaves the line with that."""
        self._line.pop(self, None)
        if not self._waiter.serve():
            self._waiter.wake()

    def try_now(self) -> None:
        """It tries for itself, and stays if refused."""
        served = self._waiter.serve()
        if served is None:
            self._waiter.wake()
        elif served:
            self._line.pop(self, None)
        else:
            self.refused(self._waiter)

    # -- as a line

    def join(self, waiter: Waiter) -> None:
        self._waiter = waiter
        self._line[self] = None

    def leave(self, waiter: Waiter) -> None:
        """Leaving twice is leaving once."""
        self._line.pop(self, None)

    def try_again(self, waiter: Waiter) -> None:
        """There are no turns."""

    def refused(self, waiter: Waiter) -> None:
        """It stays where it stands."""
