"""The futex: futex(2), a word in shared memory and the line of those who sleep for it.

Laws:

* A sleeper stands at a word: at an offset of some contents, whoever maps them
  and wherever.  A line exists as long as somebody stands in it.
* What a waker has to give, it *grants* to the first sleeper: that one leaves
  the line in the same step, so a wake is never counted twice, and no newcomer
  takes it.  A sleeper that leaves before it has taken its grant gives it back.
* FUTEX_WAIT compares as it begins, and again when it begins anew after a
  handler or a stop: EAGAIN if the word is another by then (futex_wait_restart).

The same word may have sleepers of several kinds (a raw FUTEX_WAIT at a sem_t).
A FUTEX_WAKE is a grant for the raw ones; the others only look again.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.waitqueue import Waitable, Waiter, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.memory.contents import Octets
    from asyncipc.kernel.processes.process import Process

WORD: Final = 4
WORD_MAX: Final = 0xFFFFFFFF


class Word(NamedTuple):
    """Four octets of some contents, the lowest first; two mappings of it are one word."""

    contents: Octets
    offset: int

    def get(self) -> int:
        return int.from_bytes(self.contents.peek(self.offset, WORD), "little")

    def put(self, value: int) -> None:
        self.contents.poke(self.offset, (value & WORD_MAX).to_bytes(WORD, "little"))

    def at(self, distance: int) -> Word:
        return Word(self.contents, self.offset + distance)

    def aligned(self) -> Word:
        """EINVAL for an address that is no multiple of four."""
        if self.offset % WORD:
            fail(errno.EINVAL)
        return self


class Sleep:
    """A call that may sleep at a word: a verb, and the line in which it stands alone.

    So each sleeper can be given something of its own, and can be moved to
    another word as it sleeps.  ``granted``: it has been given what it came for.
    """

    __slots__ = ("_refusal", "_waiter", "barred", "futexes", "granted", "source", "word")

    refusal_error = errno.EAGAIN

    def __init__(self, futexes: Futexes, word: Word, source: Waitable) -> None:
        self.futexes = futexes
        self.word = word
        self.source = source
        self.barred = False
        self.granted = False
        self._refusal: WouldBlock | None = None
        self._waiter: Waiter | None = None

    def __call__(self) -> WouldBlock | None:
        raise NotImplementedError

    def give_back(self) -> None:
        """It leaves with a grant that it has not taken."""

    def refuse(self) -> WouldBlock:
        if self._refusal is None:
            self._refusal = WouldBlock(self, self.source, READABLE, self.refusal_error)
        return self._refusal

    def take_grant(self) -> bool:
        """Has it been given what it came for?  From now on it is the caller's."""
        granted, self.granted = self.granted, False
        return granted

    def grant(self) -> None:
        """The waker's last act: it is off the line, and told."""
        self.futexes.leave(self)
        self.granted = True
        self.look()

    def look(self) -> None:
        """Let it try, as it sleeps if that is possible."""
        waiter = self._waiter
        assert waiter is not None, "it stands in no line"
        if waiter.serve() is None:
            waiter.wake()

    # -- the line

    def join(self, waiter: Waiter) -> None:
        self._waiter = waiter
        self.futexes.join(self)

    def leave(self, waiter: Waiter) -> None:
        self.futexes.leave(self)
        if self.granted:
            self.granted = False
            self.give_back()

    def try_again(self, waiter: Waiter) -> None:
        """What it is given is its own, whoever else tries: there is no turn."""

    def refused(self, waiter: Waiter) -> None:
        """It keeps its place."""


S = TypeVar("S", bound=Sleep)


@final
class Futexes:
    """The lines of one kernel, by word.  ``processes``: the kernel's, to name an owner."""

    __slots__ = ("_lines", "processes")

    def __init__(self, processes: Mapping[int, Process]) -> None:
        self.processes = processes
        self._lines: dict[Word, dict[Sleep, None]] = {}

    def __len__(self) -> int:
        """How many words somebody sleeps at."""
        return len(self._lines)

    def sleepers(self, word: Word) -> tuple[Sleep, ...]:
        """Who sleeps at a word, the first come first."""
        return tuple(self._lines.get(word, ()))

    def first(self, word: Word, kind: type[S]) -> S | None:
        if self._lines:
            for sleep in self._lines.get(word, ()):
                if isinstance(sleep, kind):
                    return sleep
        return None

    def join(self, sleep: Sleep) -> None:
        self._lines.setdefault(sleep.word, {})[sleep] = None

    def leave(self, sleep: Sleep) -> None:
        """Leaving twice is leaving once."""
        line = self._lines.get(sleep.word) if self._lines else None
        if line is None:
            return
        line.pop(sleep, None)
        if not line:
            del self._lines[sleep.word]

    def wait(self, word: Word, expected: int) -> FutexWait:
        """FUTEX_WAIT, as a verb."""
        return FutexWait(self, word.aligned(), expected)

    def wake(self, word: Word, count: int) -> int:
        """FUTEX_WAKE: how many were woken.  Less than one means one (futex_wake)."""
        woken = self.sleepers(word)[: max(count, 1)] if self._lines else ()
        for sleep in woken:
            if isinstance(sleep, FutexWait):
                sleep.grant()
            else:
                sleep.look()
        return len(woken)

    def move(self, sleep: Sleep, target: Word) -> None:
        """FUTEX_REQUEUE of one: it sleeps on, at the end of another word's line."""
        self.leave(sleep)
        sleep.word = target
        self.join(sleep)


@final
class FutexWait(Sleep):
    """FUTEX_WAIT: sleep, if the word is what is expected, until a FUTEX_WAKE."""

    __slots__ = ("_compared", "_expected")

    refusal_error = errno.ETIMEDOUT

    def __init__(self, futexes: Futexes, word: Word, expected: int) -> None:
        super().__init__(futexes, word, WordSource(word))
        self._expected = expected & WORD_MAX
        self._compared = False

    def __call__(self) -> WouldBlock | None:
        if self.take_grant():
            return None
        if not self._compared and self.word.get() != self._expected:
            fail(errno.EAGAIN)
        self._compared = True
        return self.refuse()

    def leave(self, waiter: Waiter) -> None:
        super().leave(waiter)
        self._compared = False

    def give_back(self) -> None:
        """If nobody else sleeps it keeps the wake: it may be stopped only."""
        if not self.futexes.wake(self.word, 1):
            self.granted = True

    def arguments(self) -> tuple[object, ...]:
        return (self.word.offset, self._expected)


@final
class WordSource:
    """A word as the report names it."""

    __slots__ = ("_word",)

    def __init__(self, word: Word) -> None:
        self._word = word

    def describe(self) -> str:
        return f"futex:[{self._word.offset:#x}]"

    def awaited(self) -> str:
        return f"a wake of {self.describe()}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody who maps it; nobody in particular is known to."""
        return ()
