"""The hand-over: a line of calls that each wait for something of their own.

A :class:`~asyncipc.kernel.waitqueue.WaitQueue` serves its first; here the first
whom a thing *suits* is given it, be others asleep before (pipelined_send in
ipc/msg.c and ipc/mqueue.c).  What is handed over never lies in the queue: it
takes no room there and nobody else can take it.

Laws:

* First in, first out among those whom a thing suits, and who are asleep.  Who is
  on its way already, cancelled or stopped, is passed over, and tries for itself.
* A call that was given something leaves the line with it, and has it when it
  tries: on trio as it sleeps, on asyncio by itself.
* Who leaves without having tried (cancelled, killed, stopped) gives it back,
  and the next whom it suits is given it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Generic, TypeVar, final

from asyncipc.kernel.standing import Standing
from asyncipc.kernel.waitqueue import Waitable, Waiter

T = TypeVar("T")


@final
class Handover(Generic[T]):
    """The line.  ``put_back`` takes what somebody left without.

    ``source`` and ``mask`` say what is waited for, ``error`` is for who does not wait.
    """

    __slots__ = ("error", "mask", "put_back", "source", "standing")

    def __init__(
        self,
        source: Waitable,
        mask: int,
        put_back: Callable[[T], None],
        error: int = errno.EAGAIN,
    ) -> None:
        self.source = source
        self.mask = mask
        self.error = error
        self.put_back = put_back
        self.standing: dict[Stand[T], None] = {}

    def stand(self, suits: Callable[[T], bool]) -> Stand[T]:
        """A call's place, for things that ``suits`` says yes to; taken when it joins."""
        return Stand(self, suits)

    def offer(self, item: T) -> bool:
        """Give it to the first whom it suits; was there one?

        Whose ``suits`` raises an OSError is woken with that, and it goes to the next.
        """
        for stand in list(self.standing):
            if stand not in self.standing or not stand.is_asleep():
                continue
            try:
                suits = stand.suits(item)
            except OSError as error:
                stand.dismiss(error)
                continue
            if suits:
                stand.give(item)
                return True
        return False

    def look_again(self) -> None:
        """What they wait at has changed: each tries, in order."""
        for stand in list(self.standing):
            if stand in self.standing:
                stand.try_now()


@final
class Stand(Standing, Generic[T]):
    """One call's place in the line."""

    __slots__ = ("_error", "_given", "_handover", "suits")

    def __init__(self, handover: Handover[T], suits: Callable[[T], bool]) -> None:
        super().__init__(handover.standing, handover.source, handover.mask, handover.error)
        self._handover = handover
        self._given: T | None = None
        self._error: OSError | None = None
        self.suits = suits

    def give(self, item: T) -> None:
        self._given = item
        self.go()

    def dismiss(self, error: OSError) -> None:
        """It wakes with an error."""
        self._error = error
        self.go()

    def claim(self) -> T | None:
        """What it was given, once; or the error that it was dismissed with."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        item, self._given = self._given, None
        return item

    def leave(self, waiter: Waiter) -> None:
        """What it was given and has not claimed, it gives back."""
        super().leave(waiter)
        item, self._given = self._given, None
        if item is not None:
            self._handover.put_back(item)
