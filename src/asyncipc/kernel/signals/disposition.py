"""Signals: their numbers, what they do by default, and what a process asks instead.

signal(7), sigaction(2), Linux x86-64.  Sets of signals are bits, as in the
kernel: bit 0 is signal 1.  What is pending, and for whom, is
:mod:`asyncipc.kernel.signals.state`; who sends and what then happens is
:mod:`asyncipc.kernel.signals.delivery`.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from asyncipc.errors import fail

SIGHUP: Final = 1
SIGKILL: Final = 9
SIGPIPE: Final = 13
SIGALRM: Final = 14
SIGTERM: Final = 15
SIGCHLD: Final = 17
SIGCONT: Final = 18
SIGSTOP: Final = 19
SIGTSTP: Final = 20
SIGTTIN: Final = 21
SIGTTOU: Final = 22
SIGURG: Final = 23
SIGXFSZ: Final = 25
SIGWINCH: Final = 28
SIGIO: Final = 29
SIGRTMIN: Final = 34
SIGRTMAX: Final = 64

# sigaction(2): flags of a handler.
SA_NOCLDSTOP: Final = 0x1
SA_NOCLDWAIT: Final = 0x2
SA_SIGINFO: Final = 0x4
SA_RESTART: Final = 0x10000000
SA_NODEFER: Final = 0x40000000
SA_RESETHAND: Final = 0x80000000
ACTION_FLAGS: Final = (
    SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_RESETHAND
)

# pthread_sigmask(3): how.
SIG_BLOCK: Final = 0
SIG_UNBLOCK: Final = 1
SIG_SETMASK: Final = 2

# sigaction(2): si_code, where a signal comes from.
SI_USER: Final = 0
SI_KERNEL: Final = 0x80
SI_QUEUE: Final = -1
SI_MESGQ: Final = -3
SI_TKILL: Final = -6
CLD_EXITED: Final = 1
CLD_KILLED: Final = 2
CLD_STOPPED: Final = 5
CLD_CONTINUED: Final = 6


def bit(signal: int) -> int:
    return 1 << (signal - 1)


def bits(signals: Iterable[int]) -> int:
    found = 0
    for signal in signals:
        found |= bit(signal)
    return found


def numbers(signals: int) -> Iterator[int]:
    """The signals of a set, lowest first."""
    while signals:
        lowest = signals & -signals
        yield lowest.bit_length()
        signals ^= lowest


STOPPING: Final = bits((SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU))
HARMLESS: Final = bits((SIGCHLD, SIGCONT, SIGURG, SIGWINCH))
"""What does nothing by default.  (That SIGCONT continues is no action: it always does.)"""
UNCATCHABLE: Final = bits((SIGKILL, SIGSTOP))
SYNCHRONOUS: Final = bits((4, 5, 7, 8, 11, 31))
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: taken before all others."""
IGNORED_AT_START: Final = (SIGPIPE, SIGXFSZ)
"""What CPython ignores when it starts, and so does every program here."""


class SignalInfo(NamedTuple):
    """siginfo_t: ``si_status`` is a child's exit code or signal, ``si_value`` what
    sigqueue(3) sent, ``si_band`` and ``si_fd`` the readiness and descriptor of F_SETSIG.
    """

    si_signo: int
    si_code: int = SI_USER
    si_pid: int = 0
    si_uid: int = 0
    si_status: int = 0
    si_value: int = 0
    si_band: int = 0
    si_fd: int = 0


class Disposition(enum.Enum):
    """What a process has asked to happen, if it is no handler of its own."""

    DEFAULT = 0
    IGNORE = 1


Handler: TypeAlias = Callable[[int, SignalInfo], object]


class Action(NamedTuple):
    """sigaction(2): the handler, its flags, and what is blocked while it runs."""

    handler: Disposition | Handler
    flags: int = 0
    mask: int = 0


DEFAULT: Final = Action(Disposition.DEFAULT)
IGNORE: Final = Action(Disposition.IGNORE)


class Effect(enum.Enum):
    """What a signal does to a process."""

    NOTHING = "nothing"
    STOP = "stop"
    TERMINATE = "terminate"
    HANDLER = "handler"


def check_number(signal: int) -> None:
    """EINVAL for what is no signal's number.  0 is the existence check."""
    if not 0 <= signal <= SIGRTMAX:
        fail(errno.EINVAL)


def signal_set(signals: Iterable[int]) -> int:
    """sigaddset(3) for each: EINVAL for what is no signal."""
    found = 0
    for signal in signals:
        if not 0 < signal <= SIGRTMAX:
            fail(errno.EINVAL)
        found |= bit(signal)
    return found


def effect(signal: int, handler: Disposition | Handler) -> Effect:
    if handler is Disposition.IGNORE:
        return Effect.NOTHING
    if handler is not Disposition.DEFAULT:
        return Effect.HANDLER
    if bit(signal) & HARMLESS:
        return Effect.NOTHING
    return Effect.STOP if bit(signal) & STOPPING else Effect.TERMINATE
