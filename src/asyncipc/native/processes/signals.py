"""The operating system's signals, on their way to the process of this interpreter.

They are blocked and read from a descriptor, signalfd(2), so that each comes
with all that is known of it; masks, handlers, EINTR and SA_RESTART are the
model's.  What a signal does by default is left to the operating system, which
does it to the whole interpreter: so the parent sees what it would have seen.

The interpreter of a child takes all signals.  That of the run's own program
takes those that the program cares for; the rest, as a rule SIGINT, do what
they did before.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.signals.delivery import Delivery
from asyncipc.kernel.signals.disposition import (
    CLD_CONTINUED,
    CLD_EXITED,
    IGNORED_AT_START,
    SIGCHLD,
    UNCATCHABLE,
    Disposition,
    SignalInfo,
    bit,
    bits,
    numbers,
)
from asyncipc.native.libc import signalfd
from asyncipc.native.processes.bell import Bell

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.signals.state import Thread

SFD_NONBLOCK: Final = os.O_NONBLOCK
SFD_CLOEXEC: Final = os.O_CLOEXEC
SIGSET_BYTES: Final = 128
ALL: Final = bits(signal.valid_signals()) & ~UNCATCHABLE
"""Without those that the C library keeps for itself."""

SIGNALFD_SIGINFO: Final = struct.Struct("=IiiIIiIIIIii80x")
"""signo, errno, code, pid, uid, fd, tid, band, overrun, trapno, status, int: signalfd(2)"""


def _read_info(data: bytes) -> SignalInfo:
    number, _, code, pid, uid, fd, _, band, _, _, status, value = SIGNALFD_SIGINFO.unpack(data)
    return SignalInfo(number, code, pid, uid, status, value, band, fd)


def _set(signals: int) -> bytes:
    """sigset_t"""
    return signals.to_bytes(8, "little").ljust(SIGSET_BYTES, b"\0")


def is_main_thread() -> bool:
    """Where signals to the process go first, and where handlers may be set."""
    return threading.current_thread() is threading.main_thread()


def act(number: int) -> None:
    """The operating system does to this interpreter what this signal does by default.

    It dies of it, or it stops and returns when it goes on.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, or its reader is gone
    if not bit(number) & UNCATCHABLE and is_main_thread():
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    former = signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_SETMASK, former)


@final
class Signals:
    """Those that this interpreter takes.  ``deliver``: gets each.

    One that nobody delivers any more is dropped.  Threads that somebody else
    has started do not block them, and may be chosen by the operating system:
    then a handler of ours sends it on, and who had sent it is lost.
    """

    def __init__(self, bell: Bell, deliver: Callable[[SignalInfo], None]) -> None:
        self._bell = bell
        self._deliver = deliver
        self._former = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._handlers: dict[int, object] = {}
        self.taken = 0
        self._number = signalfd(-1, _set(0), SFD_NONBLOCK | SFD_CLOEXEC)
        bell.hang(self._number, self.read)

    def take(self, signals: int) -> None:
        """From now on these, too."""
        more = signals & ALL & ~self.taken
        if not more:
            return
        self.taken |= more
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers(more))
        signalfd(self._number, _set(self.taken), 0)

    def catch(self, signals: Iterable[int]) -> None:
        """Those that another thread gets shall not be lost, or fatal."""
        if not is_main_thread():
            return
        for number in signals:
            if number not in self._handlers and number != signal.SIGINT:
                self._handlers[number] = signal.signal(number, self._caught)

    def _caught(self, number: int, _: object) -> None:
        """Python calls this anywhere: send it on to this thread, whose descriptor will tell."""
        signal.pthread_kill(threading.get_ident(), number)

    def read(self) -> None:
        """Deliver what has come."""
        for info in self._come():
            self._deliver(info)

    def _come(self) -> Iterator[SignalInfo]:
        size = SIGNALFD_SIGINFO.size
        while self._number >= 0:
            try:
                data = os.read(self._number, 16 * size)
            except BlockingIOError:
                return
            for place in range(0, len(data), size):
                yield _read_info(data[place : place + size])

    def close(self) -> None:
        """The signals are the interpreter's again; what has come until now is forgotten."""
        for _ in self._come():
            pass
        self._bell.take_down(self._number)
        os.close(self._number)
        self._number = -1
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers.clear()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._former)


class RealDelivery(Delivery):
    """To one process, which is this interpreter's; the operating system has the others.

    ``mortal``: it dies as the operating system's processes do.  The interpreter
    that the run was begun in outlives its program.
    """

    def __init__(self, kernel: Kernel, mortal: bool) -> None:
        super().__init__(kernel)
        self._mortal = mortal
        self.own: Process | None = None
        self.signals: Signals | None = None

    def deliver(
        self,
        process: Process,
        info: SignalInfo,
        thread: Thread | None = None,
        *,
        must_queue: bool = False,
    ) -> None:
        if process is self.own:
            super().deliver(process, info, thread, must_queue=must_queue)

    def settle(self, process: Process) -> None:
        if process is self.own and process.alive and not self._mortal:
            self._take_what_matters(process)
        super().settle(process)

    def _take_what_matters(self, process: Process) -> None:
        """Those with a handler, and what is ignored or blocked by wish of the program."""
        assert self.signals is not None
        blocked = 0
        for thread in process.threads():
            blocked |= thread.mask
        wishes = process.dispositions.items()
        ignored = bits(each for each, action in wishes if action.handler is Disposition.IGNORE)
        matter = (process.handled | blocked | ignored & ~bits(IGNORED_AT_START)) & ALL
        if matter & ~self.signals.taken:
            self.signals.take(matter)
            self.signals.catch(numbers(matter & ~bit(SIGCHLD)))

    def terminate(self, process: Process, signal: int) -> None:
        if self._mortal:
            act(signal)
        super().terminate(process, signal)

    def stop(self, process: Process, signal: int) -> None:
        act(signal)


def is_about_child(info: SignalInfo) -> bool:
    """Does the operating system say that a child has ended, stopped or gone on?"""
    return info.si_signo == SIGCHLD and CLD_EXITED <= info.si_code <= CLD_CONTINUED
