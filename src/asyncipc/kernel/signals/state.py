"""What a process and each of its threads keep of signals: masks, and what is pending.

Standard signals merge while pending, and the first one's info is kept;
real-time ones queue.  Taken is the lowest number first, but those that a fault
causes (SIGSEGV and its kin) before all (kernel/signal.c, next_signal).
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.errors import fail
from asyncipc.kernel.signals.disposition import SIGRTMIN, SYNCHRONOUS, UNCATCHABLE, SignalInfo, bit

QUEUED_MAX: Final = 16384
"""RLIMIT_SIGPENDING, here per queue: how many real-time signals may wait."""


@final
class Pending:
    """A set of pending signals.  ``bits``: which."""

    __slots__ = ("_infos", "_queued", "bits")

    def __init__(self) -> None:
        self.bits = 0
        self._infos: dict[int, list[SignalInfo]] | None = None
        self._queued = 0

    def add(self, info: SignalInfo, *, must_queue: bool = False) -> None:
        """EAGAIN if ``must_queue`` and the queue is full; else that one merges."""
        signal = info.si_signo
        merges = signal < SIGRTMIN or self._queued >= QUEUED_MAX
        if merges and signal >= SIGRTMIN and must_queue:
            fail(errno.EAGAIN)
        if merges and self.bits & bit(signal):
            return
        self._put(info, first=False)

    def put_back(self, info: SignalInfo) -> None:
        """What was taken and could not be handled comes first again."""
        if info.si_signo >= SIGRTMIN or not self.bits & bit(info.si_signo):
            self._put(info, first=True)

    def _put(self, info: SignalInfo, *, first: bool) -> None:
        if self._infos is None:
            self._infos = {}
        queue = self._infos.setdefault(info.si_signo, [])
        queue.insert(0 if first else len(queue), info)
        self.bits |= bit(info.si_signo)
        self._queued += 1

    def take(self, wanted: int) -> SignalInfo | None:
        """The next of the ``wanted`` signals."""
        due = self.bits & wanted
        if not due or self._infos is None:
            return None
        due = due & SYNCHRONOUS or due
        signal = (due & -due).bit_length()
        queue = self._infos[signal]
        info = queue.pop(0)
        self._queued -= 1
        if not queue:
            del self._infos[signal]
            self.bits &= ~bit(signal)
        return info

    def discard(self, unwanted: int) -> None:
        while self.take(unwanted) is not None:
            pass


@final
class Thread:
    """A task of a process, as far as signals go.

    ``mask``: what it blocks.  ``normal_mask``: while sigsuspend has replaced
    that for a while, what comes back; else None.  ``pending``: sent to it alone.
    """

    __slots__ = ("mask", "normal_mask", "pending")

    def __init__(self, mask: int = 0) -> None:
        self.mask = mask
        self.normal_mask: int | None = None
        self.pending = Pending()

    def block(self, mask: int) -> None:
        """SIGKILL and SIGSTOP cannot be blocked; to ask for it is no error."""
        self.mask = mask & ~UNCATCHABLE

    def suspend(self, mask: int) -> None:
        """sigsuspend(2) begins: another mask, until a handler has run."""
        self.normal_mask = self.mask
        self.block(mask)

    def resume(self) -> None:
        """sigsuspend(2) ends."""
        if self.normal_mask is not None:
            self.mask, self.normal_mask = self.normal_mask, None

    def enter(self, mask: int) -> int:
        """A handler begins: ``mask`` is blocked, too.  What comes back after it."""
        self.mask, former = (self.mask | mask) & ~UNCATCHABLE, self.mask
        if self.normal_mask is not None:
            former, self.normal_mask = self.normal_mask, None
        return former
