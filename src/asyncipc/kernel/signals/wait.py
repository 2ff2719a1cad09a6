"""The calls that wait for a signal, as verbs: sigwait, pause, sigsuspend, nanosleep.

None of them begins anew after a handler (signal(7)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.signals.disposition import UNCATCHABLE, SignalInfo, numbers
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.signals.delivery import Delivery
    from asyncipc.kernel.signals.state import Thread
    from asyncipc.kernel.timers import Timers


@final
class SignalWait:
    """sigtimedwait(2): take a pending signal of a set, instead of its action."""

    __slots__ = ("_delivery", "_process", "_thread", "_wanted")

    restarts: Final = False
    survives_stops: Final = False  # do_sigtimedwait: EINTR whatever woke it

    def __init__(self, delivery: Delivery, process: Process, thread: Thread, wanted: int) -> None:
        self._delivery = delivery
        self._process = process
        self._thread = thread
        self._wanted = wanted & ~UNCATCHABLE

    def __call__(self) -> SignalInfo | WouldBlock:
        process, wanted = self._process, self._wanted
        info = self._thread.pending.take(wanted) or process.pending.take(wanted)
        if info is None:
            return process.await_signal()
        self._delivery.settle(process)
        return info

    def timed_out(self) -> None:
        """What it answers when its time is over."""

    def at_once(self) -> SignalInfo | None:
        """The same without any time at all."""
        info = self()
        return None if isinstance(info, WouldBlock) else info

    def arguments(self) -> tuple[object, ...]:
        return (tuple(numbers(self._wanted)),)


@final
class Pause:
    """pause(2): until a handler has run; only EINTR ends it."""

    __slots__ = ("_process",)

    restarts: Final = False

    def __init__(self, process: Process) -> None:
        self._process = process

    def __call__(self) -> WouldBlock:
        return self._process.await_signal()


@final
class Suspend:
    """sigsuspend(2): a pause with another mask, which is in force from the first attempt on."""

    __slots__ = ("_delivery", "_mask", "_process", "_suspended", "_thread")

    restarts: Final = False

    def __init__(self, delivery: Delivery, process: Process, thread: Thread, mask: int) -> None:
        self._delivery = delivery
        self._process = process
        self._thread = thread
        self._mask = mask
        self._suspended = False

    def __call__(self) -> WouldBlock:
        if not self._suspended:
            self._suspended = True
            self._thread.suspend(self._mask)
            self._delivery.settle(self._process)
        return self._process.await_signal()

    def over(self) -> None:
        """The call has ended, be it by a cancellation: the mask is the former one."""
        self._thread.resume()
        self._delivery.settle(self._process)

    def arguments(self) -> tuple[object, ...]:
        return (tuple(numbers(self._mask)),)


@final
class Nap:
    """nanosleep(2), until a time of the machine's clock; None: for ever."""

    __slots__ = ("_process", "_seconds", "_timers", "until_ns")

    restarts: Final = False

    def __init__(
        self, process: Process, timers: Timers, until_ns: int | None, seconds: float
    ) -> None:
        self._process = process
        self._timers = timers
        self._seconds = seconds
        self.until_ns = until_ns

    def __call__(self) -> WouldBlock | None:
        if self.until_ns is not None and self._timers.now() >= self.until_ns:
            return None
        return self._process.await_signal()

    def timed_out(self) -> None:
        """What it answers when its time is over."""

    def arguments(self) -> tuple[object, ...]:
        return (self._seconds,)
