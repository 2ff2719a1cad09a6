"""Operations of signals: sending, handling, blocking, waiting for them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, Final

from tests.linux.oplang import Fd, Pid, Value, signal_name
from tests.linux.real import machine_code
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, POINTER, Timespec, function, timespec

SI_QUEUE: Final = -1
CODES: Final = {
    0: "SI_USER", SI_QUEUE: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ", -6: "SI_TKILL",
    0x80: "SI_KERNEL",
}  # fmt: skip
CHILD_CODES: Final = dict(
    enumerate(
        ["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"], 1
    )
)
SA_FLAGS: Final = {
    1: 0x10000000,  # SA_RESTART
    2: 0x40000000,  # SA_NODEFER
    4: 0x80000000,  # SA_RESETHAND
    8: 2,  # SA_NOCLDWAIT
    16: 1,  # SA_NOCLDSTOP
}
"""The flags of ``chandle``, and the kernel's."""

_sigqueue: Final = function("sigqueue", INT, INT, POINTER)
_pause: Final = function("pause")
_sigsuspend: Final = function("sigsuspend", POINTER)
_sigtimedwait: Final = function("sigtimedwait", POINTER, POINTER, POINTER)
_nanosleep: Final = function("nanosleep", POINTER, POINTER)

_log: Final[list[int]] = []
"""What Python's handlers of this process wrote down."""


def signal_set(signals: Iterable[int]) -> Any:
    """``sigset_t``"""
    return (ctypes.c_uint64 * 16)(sum(1 << (number - 1) for number in signals))


def code_name(number: int, code: int) -> str:
    """Where a signal comes from."""
    codes = CHILD_CODES if number == signal.SIGCHLD and code > 0 else CODES
    return codes.get(code, str(code))


# -- dispositions


def told(disposition: object) -> str:
    if disposition is None:
        return "foreign"
    return {signal.SIG_DFL: "SIG_DFL", signal.SIG_IGN: "SIG_IGN"}.get(disposition, "handler")  # type: ignore[call-overload, no-any-return]


def handle(number: int, restart: int = 0) -> Value:
    """A handler of Python's that logs; ``signal.signal`` sets no SA_RESTART by itself."""
    former = signal.signal(number, _write_down)
    if restart:
        signal.siginterrupt(number, False)
    return told(former)


def _write_down(number: int, _: FrameType | None) -> None:
    _log.append(number)


def siglog() -> Value:
    taken: list[Value] = [signal_name(number) for number in _log]
    _log.clear()
    return taken


def ignore(number: int) -> Value:
    return told(signal.signal(number, signal.SIG_IGN))


def default(number: int) -> Value:
    return told(signal.signal(number, signal.SIG_DFL))


def getsignal(number: int) -> Value:
    return told(signal.getsignal(number))


def siginterrupt(number: int, interrupts: int) -> None:
    signal.siginterrupt(number, bool(interrupts))


def wakeup_fd(fd: int) -> Value:
    former = signal.set_wakeup_fd(fd)
    return Fd(former) if former >= 0 else former


def chandle(number: int, flags: int = 0, mask: Sequence[int] = ()) -> None:
    """A handler that logs at once, with flags RESTART=1 NODEFER=2 RESETHAND=4 ..."""
    asked = sum(bit for ours, bit in SA_FLAGS.items() if flags & ours)
    machine_code.install(number, asked, signal_set(mask))


def clog() -> Value:
    return [
        signal_name(number) + (f"/{value}" if value else "")
        for number, value in machine_code.taken()
    ]


# -- sending


def sigqueue(pid: int, number: int, value: int) -> None:
    _sigqueue(pid, number, value)


# -- masks


def sigmask(how: int, signals: Sequence[int]) -> Value:
    return _names(signal.pthread_sigmask(how, signals))


def sigpending() -> Value:
    return _names(signal.sigpending())


def _names(signals: Iterable[int]) -> Value:
    return [signal_name(number) for number in sorted(signals)]


# -- waiting


def sigwait(signals: Sequence[int]) -> Value:
    return signal_name(signal.sigwait(signals))


def sigtimedwait(signals: Sequence[int], ms: int) -> Value:
    """[name, code, process], or None when the time is over."""
    info = signal.sigtimedwait(signals, ms / 1000)
    if info is None:
        return None
    return [signal_name(info.si_signo), code_name(info.si_signo, info.si_code), Pid(info.si_pid)]


def sys_sigtimedwait(signals: Sequence[int], ms: int) -> Value:
    return signal_name(_sigtimedwait(signal_set(signals), None, ctypes.byref(timespec(ms))))


def sys_pause() -> None:
    _pause()


def sys_sigsuspend(signals: Sequence[int]) -> None:
    _sigsuspend(signal_set(signals))


def sys_nanosleep(ms: int) -> Value:
    return int(_nanosleep(ctypes.byref(timespec(ms)), ctypes.byref(Timespec())))


def pysleep(ms: int) -> None:
    time.sleep(ms / 1000)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "alarm": signal.alarm,
    "chandle": chandle,
    "clog": clog,
    "default": default,
    "getsignal": getsignal,
    "handle": handle,
    "ignore": ignore,
    "kill": os.kill,
    "killpg": os.killpg,
    "pysleep": pysleep,
    "raise": signal.raise_signal,
    "siginterrupt": siginterrupt,
    "siglog": siglog,
    "sigmask": sigmask,
    "sigpending": sigpending,
    "sigqueue": sigqueue,
    "sigtimedwait": sigtimedwait,
    "sigwait": sigwait,
    "sys_nanosleep": sys_nanosleep,
    "sys_pause": sys_pause,
    "sys_sigsuspend": sys_sigsuspend,
    "sys_sigtimedwait": sys_sigtimedwait,
    "wakeup_fd": wakeup_fd,
}
