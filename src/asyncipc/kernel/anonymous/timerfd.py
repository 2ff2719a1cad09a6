"""The timerfd: timerfd_create(2), a timer that is read (fs/timerfd.c).

Reading takes the number of expirations since the last read.  An interval is
no machinery: after the first expiry nothing is armed until somebody reads or
asks, and what has expired meanwhile is computed then, as timerfd_read() does.
So nobody is woken twice for what nobody reads.

All clocks are the machine's one, which is never set: TFD_TIMER_CANCEL_ON_SET
has nothing to cancel.
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.anonymous.file import AnonymousFile
from asyncipc.kernel.openfile import O_CLOEXEC, O_NONBLOCK, Home
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.timers import Timer
from asyncipc.kernel.waitqueue import WouldBlock

CLOCK_REALTIME: Final = 0
CLOCK_MONOTONIC: Final = 1
CLOCK_BOOTTIME: Final = 7
ALARM_CLOCKS: Final = (8, 9)
TFD_TIMER_ABSTIME: Final = 1
TFD_TIMER_CANCEL_ON_SET: Final = 2
TFD_NONBLOCK: Final = O_NONBLOCK
TFD_CLOEXEC: Final = O_CLOEXEC
TICKS_SIZE: Final = 8
NEVER: Final = 2**63 - 1
"""KTIME_MAX: where the sum of two times ends (ktime_add_safe)."""


@final
class TimerFile(AnonymousFile):
    """``ticks``: expirations that nobody has read.  ``due_ns``: the next one, None if never.

    ``interval_ns``: between two; 0: it expires once.
    """

    __slots__ = ("_timer", "due_ns", "interval_ns", "ticks")

    name = "timerfd"

    def __init__(self, kernel: Home, clock: int, flags: int) -> None:
        if clock in ALARM_CLOCKS:
            raise Unsupported(
                "asyncipc models no clock that wakes a sleeping machine (CLOCK_*_ALARM)"
            )
        if clock not in (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME):
            fail(errno.EINVAL)
        if flags & ~(TFD_NONBLOCK | TFD_CLOEXEC):
            fail(errno.EINVAL)
        super().__init__(kernel, flags)
        self.ticks = 0
        self.due_ns: int | None = None
        self.interval_ns = 0
        self._timer: Timer | None = None

    def settime(self, flags: int, value_ns: int, interval_ns: int) -> tuple[int, int]:
        """timerfd_settime(2): when it expires first (0: never), and how often from then on.

        What was left, and the former interval.  Unread expirations are gone.
        TFD_TIMER_ABSTIME: ``value_ns`` is a time of the clock; one that is past
        expires at once.  EINVAL.
        """
        if (
            flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
            or value_ns < 0
            or interval_ns < 0
        ):
            fail(errno.EINVAL)
        former = self.gettime()
        self._disarm()
        self.ticks = 0
        self.interval_ns = interval_ns
        now = self.kernel.timers.now()
        self.due_ns = None
        if value_ns:
            self.due_ns = value_ns if flags & TFD_TIMER_ABSTIME else min(now + value_ns, NEVER)
            self._arm()
        return former

    def gettime(self) -> tuple[int, int]:
        """timerfd_gettime(2): the nanoseconds that are left (0: it is not armed), the interval."""
        self._catch_up()
        left = 0 if self.due_ns is None else max(self.due_ns - self.kernel.timers.now(), 0)
        return left, self.interval_ns

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): the expirations since, as 8 bytes.  Refuses at 0.  EINVAL for less room."""
        if size < TICKS_SIZE:
            fail(errno.EINVAL)
        queue = self.read_queue()
        if not self.ticks or queue.barred:
            return queue.refusal
        self._catch_up()
        ticks, self.ticks = self.ticks, 0
        return ticks.to_bytes(TICKS_SIZE, "little")

    def poll(self) -> int:
        return IN if self.ticks else 0

    def release(self) -> None:
        self._disarm()

    def _arm(self) -> None:
        """The next expiry is ``due_ns``; one that is past is now."""
        assert self.due_ns is not None
        timers = self.kernel.timers
        if self.due_ns <= timers.now():
            self._expire()
        else:
            self._timer = timers.arm(self.due_ns, self._expire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self.kernel.timers.cancel(self._timer)
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self.ticks += 1
        if not self.interval_ns:
            self.due_ns = None
        if self._read_queue is not None:
            self._read_queue.notify()

    def _catch_up(self) -> None:
        """Somebody looks: count what has expired since, and go on (hrtimer_forward_now)."""
        if self._timer is not None or self.due_ns is None:
            return
        now, interval = self.kernel.timers.now(), self.interval_ns
        missed = (now - self.due_ns) // interval
        self.ticks += missed
        self.due_ns = min(self.due_ns + (missed + 1) * interval, NEVER)
        self._timer = self.kernel.timers.arm(self.due_ns, self._expire)
