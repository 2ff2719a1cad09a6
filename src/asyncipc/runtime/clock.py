"""Time: one event heap, and a clock that moves when nobody can run.

Times are integer nanoseconds; equal ones fire in the order they were armed.
There are no ticks.

*Virtual* time belongs to a run of our own: trio asks its clock how long it may
sleep exactly when nothing is runnable, so that is where time moves on and due
timers fire (:class:`TrioClock`); the asyncio loop asks its selector
(:mod:`asyncipc.runtime.asyncio_loop`).  Nothing runnable, nothing due, no
deadline: nobody will ever run again, and that is told, never slept through.

*Lent* time belongs to somebody else's run, into which a simulation was
embedded, or is the real time of a run that asked for it: a task of ours sleeps on
that run's clock until the next timer.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Callable
from typing import Final, final

import anyio
import trio

from asyncipc.errors import Deadlock, TimeFrozen
from asyncipc.kernel.timers import Timer
from asyncipc.runtime import lent

SECOND: Final = 1_000_000_000
IMPATIENT_STEPS: Final = 10_000
FINE: Final = 2.0**21
"""Up to so many seconds neither a product with SECOND nor a float is wrong by a quarter of a
nanosecond."""
SILENCE_NS: Final = 50 * 86400 * SECOND
"""Longer than any connection takes to die: TCP_KEEPIDLE, and TCP_KEEPCNT times TCP_KEEPINTVL."""
VERDICTS: Final = (Deadlock, TimeFrozen)
DEAD_MIN: Final = 64
"""So few cancelled timers are not worth a sweep."""


def nanoseconds(seconds: float) -> int:
    """The first nanosecond that is not before ``seconds``, on a clock that shows floats."""
    if abs(seconds) < FINE:
        ns = round(seconds * SECOND)
    else:
        # What lies beyond the middle between a float and the one before it is shown as the float.
        a, b = math.nextafter(seconds, -math.inf).as_integer_ratio()
        c, d = seconds.as_integer_ratio()
        ns = -(-(a * d + c * b) * SECOND // (2 * b * d))
    return ns if ns / SECOND >= seconds else ns + 1


def _raise(error: Exception) -> None:
    raise error


@final
class ArmedTimer:
    __slots__ = ("action", "due_ns")

    def __init__(self, due_ns: int, action: Callable[[], None]) -> None:
        self.due_ns = due_ns
        self.action: Callable[[], None] | None = action


@final
class TimerHeap:
    """The event heap, keyed (due, sequence).

    A cancelled timer is dropped when it is the first, or with all the others
    when more than half of the heap is dead: its cost is that of its arming.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, ArmedTimer]] = []
        self.sequence = 0
        self._dead = 0

    def __len__(self) -> int:
        """How many entries there are, those of cancelled timers among them."""
        return len(self._heap)

    def arm(self, due_ns: int, action: Callable[[], None]) -> ArmedTimer:
        timer = ArmedTimer(due_ns, action)
        self.sequence += 1
        heapq.heappush(self._heap, (due_ns, self.sequence, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget it.  Cancelling one that has fired, or twice, does nothing."""
        assert isinstance(timer, ArmedTimer)
        if timer.action is None:
            return
        timer.action = None
        self._dead += 1
        if self._dead > DEAD_MIN and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._dead = 0

    def has_only_after(self, sequence: int) -> bool:
        """Was every timer that is armed now armed after number ``sequence``?"""
        return all(number > sequence for _, number, timer in self._heap if timer.action is not None)

    def next_due(self) -> int | None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._dead -= 1
        return self._heap[0][0] if self._heap else None

    def fire(self, now_ns: int, failed: Callable[[Exception], None] = _raise) -> None:
        """Fire what is due, in order; an action may arm more.

        What an action raises is told to ``failed``: it is nobody's call, and there is nobody
        else to tell.  A verdict that was not heeded takes the loop with it.
        """
        while self._heap and self._heap[0][0] <= now_ns:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action is None:
                self._dead -= 1
                continue
            try:
                action()
            except VERDICTS:
                raise
            except Exception as error:
                failed(error)


@final
class VirtualTime:
    """The clock's hand and the heap of one run.

    ``stalled`` is called when nothing can ever happen again; ``passes`` counts
    the scheduler's passes, ``steps`` those since time moved, against
    ``step_limit``, and ``frozen`` is called when they reach it.  ``failed`` is told of what a
    timer raises.  ``threads``
    counts anyio's worker threads, which a selector cannot ask for.  When the run
    is ``over`` its loop still closes down: nothing due is no deadlock then.
    ``impatient``: a process is over, but its task is not; fewer steps will do.
    ``anybody_ready`` asks the scheduler whether what has just fired has woken somebody.
    """

    def __init__(self, step_limit: int | None) -> None:
        self.now_ns = 0
        self.steps = 0
        self.passes = 0
        self.waits_for_reality = False
        self.over = False
        self.threads: anyio.CapacityLimiter | None = None
        self.stalled: Callable[[], None] = lambda: None
        self.frozen: Callable[[], None] = lambda: None
        self.failed: Callable[[Exception], None] = _raise
        if step_limit is not None and step_limit < 1:
            raise ValueError(f"step_limit counts passes: at least 1, not {step_limit}")
        self._step_limit = step_limit or sys.maxsize
        self.impatient = False
        self.anybody_ready: Callable[[], bool] = lambda: True
        self._has_woken = True
        self._ran_ns = 0
        self._known = 0
        self._heap = TimerHeap()
        self.arm, self.cancel = self._heap.arm, self._heap.cancel

    def now(self) -> int:
        return self.now_ns

    def count_step(self) -> None:
        """The scheduler makes a pass."""
        self.steps += 1
        self.passes += 1
        self.waits_for_reality = False
        limit = min(self._step_limit, IMPATIENT_STEPS) if self.impatient else self._step_limit
        if not self.steps % limit:
            self.frozen()

    def is_at_limit(self) -> bool:
        return not self.steps % self._step_limit

    def advance(self, deadline_ns: int | None) -> bool:
        """Nobody can run: move to the next event, ours or the scheduler's.

        False if there is none and only reality can still bring one.
        """
        if self._has_woken:
            self._has_woken = False
            self._ran_ns, self._known = self.now_ns, self._heap.sequence
        due = self._heap.next_due()
        if due is None or (deadline_ns is not None and deadline_ns < due):
            due = deadline_ns
        if due is None:
            if not self.over:
                self.stalled()
            return not self.over
        if due > self.now_ns:
            self.now_ns = due
            self.steps = 0
        self._heap.fire(self.now_ns, self.failed)
        if deadline_ns is not None or self.anybody_ready():
            self._has_woken = True
        elif self.now_ns - self._ran_ns > SILENCE_NS:
            self._judge_silence()
        return True

    def _judge_silence(self) -> None:
        """Timers have fired for long, and woken nobody.  If all of them are children of others
        that did not either, as the probes of a window that never opens are, none ever will.
        """
        if self._heap.has_only_after(self._known):
            self.stalled()
        self._ran_ns = self.now_ns


@final
class TrioClock(trio.abc.Clock):
    """Virtual time as trio's clock."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        time.anybody_ready = lent.trio_anybody_ready

    def start_clock(self) -> None:
        """Time begins at 0, and has."""

    def current_time(self) -> float:
        self._time.count_step()
        return self._time.now_ns / SECOND

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """How long to sleep: not at all, or (while reality is awaited) until it speaks."""
        due = None if deadline == math.inf else nanoseconds(deadline)
        if self._is_held() or not self._time.advance(due):
            self._time.waits_for_reality = True
            return math.inf
        return 0

    def _is_held(self) -> bool:
        """Real threads and descriptors hold time, and who waits for all to be at rest."""
        return (
            lent.trio_somebody_awaits_rest()
            or lent.trio_awaits_reality()
            or lent.trio_threads_at_work()
        )


@final
class LentTime:
    """Timers on the clock of the scheduler's run, which tells ``seconds``.

    ``origin``: what that clock shows when ours is to show 0.
    """

    def __init__(self, seconds: Callable[[], float], origin: float = 0.0) -> None:
        self._seconds = seconds
        self._origin = origin
        self._heap = TimerHeap()
        self._pause: anyio.CancelScope | None = None

    def now(self) -> int:
        return nanoseconds(self._seconds() - self._origin)

    def arm(self, due_ns: int, action: Callable[[], None]) -> Timer:
        timer = self._heap.arm(due_ns, action)
        if self._heap.next_due() == due_ns and self._pause is not None:
            self._pause.cancel()  # the pump looks at the heap again
        return timer

    def cancel(self, timer: Timer) -> None:
        self._heap.cancel(timer)

    async def pump(self) -> None:
        """Fire what is due, for as long as the simulation lasts."""
        while True:
            self._heap.fire(self.now())
            due = self._heap.next_due()
            with anyio.CancelScope() as self._pause:
                await (anyio.sleep_forever() if due is None else self._sleep_until(due))

    async def _sleep_until(self, due_ns: int) -> None:
        await anyio.sleep(max(0.0, due_ns / SECOND + self._origin - anyio.current_time()))


def frozen_report(steps: int) -> TimeFrozen:
    return TimeFrozen(
        f"virtual time has not moved for {steps} scheduler passes (step_limit): "
        "a loop that only yields never lets it; wait for something, or sleep"
    )
