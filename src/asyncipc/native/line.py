"""Lines over readiness: who waits for the operating system, and how.

A scheduler takes one waiter for each descriptor and direction; here a whole
line of sleepers stands over that one registration.  Its first holds it, the
others just sleep; who leaves hands it to the next, who tries at once.  So they
are served in order, and none of them is lost to a cancellation.
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.kernel.readiness import OUT
from asyncipc.kernel.timers import Timer
from asyncipc.kernel.waitqueue import Waitable, Waiter, WouldBlock
from asyncipc.runtime.parking import Sleeper

VAIN_MAX: Final = 3
"""So often may a ready descriptor refuse before its first only looks again later.

The operating system calls some ready that are not: an unconnected datagram
socket whose receiver is full, a socket with less room than a datagram needs.
"""
PAUSE_MIN_NS: Final = 200_000
PAUSE_MAX_NS: Final = 20_000_000


def pause_ns(tries: int) -> int:
    """How long to wait before the next try, after so many: twice as long each time."""
    return int(min(PAUSE_MIN_NS << min(tries, 10), PAUSE_MAX_NS))


class DescriptorLine:
    """The line for one direction of one descriptor of the operating system.

    ``barred``: others stand here, and a newcomer would overtake them.
    ``vain``: how often its first was told that it is ready, and is here still, having
    ``moved`` no more than that.
    """

    __slots__ = ("_sleepers", "barred", "moved", "number", "refusal", "vain", "writing")

    def __init__(self, number: int, source: Waitable, mask: int) -> None:
        self.number = number
        self.writing = bool(mask & OUT)
        self.refusal = WouldBlock(self, source, mask)
        self.barred = False
        self.vain = 0
        self.moved = 0
        self._sleepers: dict[Waiter, None] = {}

    def first(self) -> Waiter | None:
        """Who holds the registration, or is to."""
        return next(iter(self._sleepers), None)

    def is_first(self, waiter: Waiter) -> bool:
        return self.first() is waiter

    def join(self, waiter: Waiter) -> None:
        self._sleepers[waiter] = None
        self.barred = True

    def leave(self, waiter: Waiter) -> None:
        """Leaving twice is leaving once.  The next takes the registration over."""
        if waiter not in self._sleepers:
            return
        was_first = self.is_first(waiter)
        del self._sleepers[waiter]
        self.barred = bool(self._sleepers)
        if was_first:
            self.vain = self.moved = 0
            first = self.first()
            if first is not None:
                first.wake()

    def try_again(self, waiter: Waiter) -> None:
        """A sleeper tries as if it had just come: whoever has the turn is not disturbed."""
        if waiter in self._sleepers and self.is_first(waiter):
            self.barred = False

    def refused(self, waiter: Waiter) -> None:
        """It stays where it stands."""
        self.barred = True


@final
class RetryLine:
    """The place of calls that have nothing to wait for but time, each in a rhythm of its own.

    For what the operating system can only do blocking: its non-blocking form is
    tried again, at first after a fifth of a millisecond, then less and less often;
    or at once (``hurry``), where a task of this interpreter is known to have helped.
    """

    __slots__ = ("_sleepers", "barred", "refusal")

    def __init__(self, source: Waitable, mask: int = 0, error: int = errno.EAGAIN) -> None:
        self.refusal = WouldBlock(self, source, mask, error)
        self.barred = False
        self._sleepers: dict[Waiter, int] = {}  # how often each has tried

    def hurry(self) -> None:
        for waiter in list(self._sleepers):
            waiter.wake()

    def join(self, waiter: Waiter) -> None:
        self._sleepers[waiter] = 0

    def leave(self, waiter: Waiter) -> None:
        self._sleepers.pop(waiter, None)

    def tries(self, waiter: Waiter) -> int:
        return self._sleepers[waiter]

    def try_again(self, waiter: Waiter) -> None:
        """There are no turns."""

    def refused(self, waiter: Waiter) -> None:
        self._sleepers[waiter] += 1


def waits_for_descriptor(sleeper: Sleeper) -> DescriptorLine | None:
    """The line whose registration this sleeper is to hold, if it is its first."""
    if sleeper.body is None:  # the root of a run waits for its processes
        return None
    line = sleeper.asleep[3].line
    if not isinstance(line, DescriptorLine) or not line.is_first(sleeper):
        return None
    moved: int = getattr(sleeper.asleep[1], "moved", 0)
    if moved != line.moved:  # a long call has gone on: it was not woken for nothing
        line.moved, line.vain = moved, 0
    return line if line.vain <= VAIN_MAX else None


def retry_timer(sleeper: Sleeper) -> Timer | None:
    """Wakes a sleeper that is to look again by itself; None where something will wake it."""
    if sleeper.body is None:
        return None
    line = sleeper.asleep[3].line
    if type(line) is RetryLine:
        tries = line.tries(sleeper)
    elif isinstance(line, DescriptorLine) and line.vain > VAIN_MAX and line.is_first(sleeper):
        tries = line.vain - VAIN_MAX
        line.vain += 1
    else:
        return None
    timers = sleeper.body.simulation.timers
    timer: Timer = timers.arm(timers.now() + pause_ns(tries), sleeper.wake)
    return timer
