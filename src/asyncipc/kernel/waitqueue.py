"""The wait queue: the line of parked tasks of one object, for one readiness.

The pattern, in one breath: a verb that cannot act changes nothing and answers
``WouldBlock``; the caller joins that refusal's queue and sleeps; whoever
changes the object calls :meth:`WaitQueue.notify`; the woken one tries again.

The laws of the line:

* It is first in, first out.  ``notify`` gives the first sleeper the *turn*.
  Where it can be served as it sleeps (trio), it is, and wakes with the result;
  then comes the next, until one is refused.
* Else it is woken, and it alone.  Until it has tried, the queue is ``barred``:
  a verb that would take what it was woken for refuses, so nobody overtakes.
* Who had the turn and leaves (served, failed or cancelled) passes it on.  So
  one wake serves a crowd, nobody is woken in vain twice, and a hang-up, which
  never stops being true, reaches everyone in order.
* Who had the turn and was refused again keeps its place and ends the turn.
* Watchers (poll, waitpid) take nothing: every notify wakes all of them.

The queue holds opaque waiters and knows no event loop.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Protocol, final


class Watcher(Protocol):
    """Somebody who takes nothing, and looks at each change."""

    def wake(self) -> None:
        """Let it look, or try, again.  Waking one that is awake does nothing."""


class Waiter(Watcher, Protocol):
    """Somebody asleep in a call."""

    def is_asleep(self) -> bool:
        """Else it is on its way already: woken, cancelled, stopped, or over."""

    def serve(self) -> bool | None:
        """Try in its stead: True, it was served and wakes with the result; False, it
        was refused.  None: it has to try by itself.
        """


class Waitable(Protocol):
    """What can be waited for: it can say what it is and who could end the wait."""

    def describe(self) -> str:
        """Its name as ``/proc/PID/fd`` shows it, such as ``pipe:[7]``."""

    def wakers(self, mask: int) -> tuple[object, ...]:
        """The open files through which somebody could make ``mask`` true."""


class Line(Protocol):
    """What a refused caller joins: one queue, or (for poll) several at once."""

    barred: bool

    def join(self, waiter: Waiter) -> None: ...
    def leave(self, waiter: Waiter) -> None: ...
    def try_again(self, waiter: Waiter) -> None: ...
    def refused(self, waiter: Waiter) -> None: ...


@final
class WouldBlock:
    """A verb's refusal: whom to join, and the readiness that will end it.

    ``error`` is the errno for a caller that does not wait, or whose time is
    over.  Made once per queue, never per call: refusing is the hot path of
    every blocked reader.
    """

    __slots__ = ("error", "line", "mask", "source")

    def __init__(self, line: Line, source: Waitable, mask: int, error: int = errno.EAGAIN) -> None:
        self.line = line
        self.source = source
        self.mask = mask
        self.error = error


@final
class WaitQueue:
    """One line.  See the laws in the module's docstring."""

    __slots__ = ("_sleepers", "_turn", "_watchers", "barred", "refusal")

    def __init__(self, source: Waitable, mask: int) -> None:
        self.refusal = WouldBlock(self, source, mask)
        self.barred = False
        self._sleepers: dict[Waiter, None] = {}  # a dict is a line that anybody leaves at once
        self._turn: Waiter | None = None
        self._watchers: tuple[Watcher, ...] = ()

    @property
    def serving(self) -> bool:
        """Is it the sleeper with the turn who tries at this moment?"""
        return self._turn is not None and not self.barred

    def notify(self) -> None:
        """Something changed: wake the watchers, and serve the line from its first on."""
        if self._watchers:
            for watcher in self._watchers:
                watcher.wake()
        if self._sleepers and self._turn is None:
            self._give_turn()

    def _give_turn(self) -> None:
        while self._sleepers:
            self._turn = first = next(iter(self._sleepers))
            served = first.serve()
            if served is None:
                self.barred = True
                first.wake()
                return
            self._turn = None
            if not served:
                return
            self._sleepers.pop(first, None)

    def join(self, waiter: Waiter) -> None:
        self._sleepers[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Leaving twice is leaving once: who is killed is taken out at once."""
        self._sleepers.pop(waiter, None)
        if self._turn is waiter:
            self._turn = None
            self.barred = False
            self._give_turn()

    def try_again(self, waiter: Waiter) -> None:
        """``waiter`` is about to try: it has the turn for that, unless another has.

        So what its own attempt changes gives nobody a turn in the middle of it.
        """
        if self._turn is None or self._turn is waiter:
            self._turn = waiter
            self.barred = False

    def refused(self, waiter: Waiter) -> None:
        """``waiter`` tried in vain: it stays where it stands."""
        if self._turn is waiter:
            self._turn = None
            self.barred = False

    def wake(self) -> None:
        """As a watcher of another queue: the first looks again, without news for the watchers."""
        if self._sleepers and self._turn is None:
            self._give_turn()

    def send_back(self) -> None:
        """The first is to stand at the end (what prepare_to_wait_exclusive makes of a wake in
        vain, where that shows).
        """
        if self._sleepers and self._turn is None:
            first = next(iter(self._sleepers))
            self._sleepers[first] = self._sleepers.pop(first)

    def watch(self, watcher: Watcher, *, last: bool = False) -> None:
        """The youngest is woken first (add_wait_queue); ``last``: after all these."""
        self._watchers = (*self._watchers, watcher) if last else (watcher, *self._watchers)

    def unwatch(self, watcher: Watcher) -> None:
        self._watchers = tuple(w for w in self._watchers if w is not watcher)

    def __iter__(self) -> Iterator[Watcher]:
        """Everybody who waits here, sleepers first; a queue that watches this one is nobody."""
        watchers = (each for each in self._watchers if not isinstance(each, WaitQueue))
        return iter((*self._sleepers, *watchers))


@final
class Watch:
    """A line for who takes nothing: a watcher of any number of queues."""

    __slots__ = ("_queues", "barred")

    def __init__(self, queues: tuple[WaitQueue, ...]) -> None:
        self._queues = queues
        self.barred = False

    def join(self, waiter: Waiter) -> None:
        for queue in self._queues:
            queue.watch(waiter)

    def leave(self, waiter: Waiter) -> None:
        for queue in self._queues:
            queue.unwatch(waiter)

    def try_again(self, waiter: Waiter) -> None:
        """A watcher never holds a turn."""

    def refused(self, waiter: Waiter) -> None:
        """A watcher never holds a turn."""
