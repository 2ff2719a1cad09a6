"""Operations of signals: sending, handling, blocking, waiting for them.

Plain handlers are those of Python, which ``signal.signal`` installs; ``c``
ones are those of a C program, with all flags of ``sigaction``.  Operations of
``TASK_OPERATIONS`` get the task that does them as first argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import anyio

from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGCHLD, Disposition, Handler, SignalInfo
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Fd, Pid, Value, signal_name
from tests.linux.task import Journal, Task

SIGNALS: Final = 65
"""Python's NSIG: what ``signal.signal`` takes to be out of range."""
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


# -- dispositions


def told(disposition: object) -> str:
    if disposition is posix.SIG_DFL:
        return "SIG_DFL"
    return "SIG_IGN" if disposition is posix.SIG_IGN else "handler"


def handle(task: Task, signal: int, restart: int = 0) -> str:
    """A handler of Python's that logs; ``signal.signal`` sets no SA_RESTART by itself."""
    return _set_disposition(task, signal, partial(_log, task), SA_FLAGS[1] if restart else 0)


def _log(task: Task, number: int, _: object) -> None:
    own = journal(task)
    own.python.append(signal_name(number))
    if own.wakeup_fd >= 0:
        file = task.simulation.localhost.kernel.processes[posix.getpid()].table[own.wakeup_fd].file
        file.write(bytes([number]))


def wakeup_fd(task: Task, fd: int) -> int:
    """``signal.set_wakeup_fd``: Python's handler writes the number there; the former one."""
    if fd >= 0 and posix.get_blocking(fd):
        raise ValueError(f"the fd {fd} must be in non-blocking mode")
    own = journal(task)
    former, own.wakeup_fd = own.wakeup_fd, fd
    return Fd(former) if former >= 0 else former


def ignore(task: Task, signal: int) -> str:
    return _set_disposition(task, signal, posix.SIG_IGN)


def default(task: Task, signal: int) -> str:
    return _set_disposition(task, signal, posix.SIG_DFL)


def chandle(task: Task, signal: int, flags: int = 0, mask: Sequence[int] = ()) -> None:
    """A handler of C that logs, with flags RESTART=1 NODEFER=2 RESETHAND=4 ..."""
    asked = sum(bit for ours, bit in SA_FLAGS.items() if flags & ours)
    posix.signal(signal, partial(_log_c, task), asked, mask)


def _log_c(task: Task, number: int, info: SignalInfo) -> None:
    value = info.si_value if info.si_code == SI_QUEUE else 0
    journal(task).c.append(signal_name(number) + (f"/{value}" if value else ""))


def getsignal(signal: int) -> str:
    _check_range(signal)
    try:
        return told(posix.getsignal(signal))
    except OSError:  # SIGKILL, SIGSTOP
        return told(posix.SIG_DFL)


def siginterrupt(signal: int, interrupts: int) -> None:
    posix.signal(signal, posix.getsignal(signal), 0 if interrupts else SA_FLAGS[1])


def _set_disposition(task: Task, signal: int, wish: Disposition | Handler, flags: int = 0) -> str:
    """``signal.signal``, with what it checks itself."""
    if not task.is_main:
        raise ValueError("signal only works in main thread of the main interpreter")
    _check_range(signal)
    return told(posix.signal(signal, wish, flags))


def _check_range(signal: int) -> None:
    if not 0 < signal < SIGNALS:
        raise ValueError("signal number out of range")


# -- what the handlers wrote down


def journal(task: Task) -> Journal:
    """That of the process that asks: a handler may have been inherited."""
    return task.journals.setdefault(posix.getpid(), Journal())


def siglog(task: Task) -> Value:
    return _taken(journal(task).python)


def clog(task: Task) -> Value:
    return _taken(journal(task).c)


def _taken(log: list[str]) -> Value:
    taken: list[Value] = [*log]
    log.clear()
    return taken


# -- sending


def killpg(group: int, signal: int) -> None:
    posix.killpg(group, signal)


def raise_signal(signal: int) -> None:
    posix.raise_signal(signal)


def sigqueue(pid: int, signal: int, value: int) -> None:
    posix.sigqueue(pid, signal, value)


def alarm(seconds: int) -> int:
    return posix.alarm(seconds)


# -- masks


def sigmask(how: int, signals: Sequence[int]) -> Value:
    for signal in signals:
        _check_range(signal)
    return _names(posix.pthread_sigmask(how, signals))


def sigpending() -> Value:
    return _names(posix.sigpending())


def _names(signals: Iterable[int]) -> Value:
    return [signal_name(signal) for signal in sorted(signals)]


# -- waiting


async def sigwait(signals: Sequence[int]) -> str:
    return signal_name(await retried(posix.sigwait, signals))


async def sigtimedwait(signals: Sequence[int], ms: int) -> Value:
    """[name, code, process], or None when the time is over; a retry waits for the rest of it."""
    until = anyio.current_time() + ms / 1000
    left_s = ms / 1000
    while True:
        try:
            info = await posix.sigtimedwait(signals, left_s)
        except InterruptedError:
            left_s = max(until - anyio.current_time(), 0)
            continue
        return None if info is None else _shown(info)


def _shown(info: SignalInfo) -> Value:
    code = code_name(info.si_signo, info.si_code)
    return [signal_name(info.si_signo), code, Pid(info.si_pid)]


def code_name(signal: int, code: int) -> str:
    """Where a signal comes from."""
    codes = CHILD_CODES if signal == SIGCHLD and code > 0 else CODES
    return codes.get(code, str(code))


async def sys_sigtimedwait(signals: Sequence[int], ms: int) -> str:
    info = await posix.sigtimedwait(signals, ms / 1000)
    if info is None:
        raise BlockingIOError(11, "the time is over")
    return signal_name(info.si_signo)


async def sys_pause() -> None:
    await posix.pause()


async def sys_sigsuspend(signals: Sequence[int]) -> None:
    await posix.sigsuspend(signals)


async def pysleep(ms: int) -> None:
    until = anyio.current_time() + ms / 1000
    while True:
        left_s = until - anyio.current_time()
        try:
            return await posix.nanosleep(max(left_s, 0))
        except InterruptedError:
            continue


async def sys_nanosleep(ms: int) -> int:
    await posix.nanosleep(ms / 1000)
    return 0


OPERATIONS: Final[Mapping[str, Operation]] = {
    "alarm": alarm,
    "getsignal": getsignal,
    "kill": posix.kill,
    "killpg": killpg,
    "pysleep": pysleep,
    "raise": raise_signal,
    "siginterrupt": siginterrupt,
    "sigmask": sigmask,
    "sigpending": sigpending,
    "sigqueue": sigqueue,
    "sigtimedwait": sigtimedwait,
    "sigwait": sigwait,
    "sys_nanosleep": sys_nanosleep,
    "sys_pause": sys_pause,
    "sys_sigsuspend": sys_sigsuspend,
    "sys_sigtimedwait": sys_sigtimedwait,
}

TASK_OPERATIONS: Final[Mapping[str, Operation]] = {
    "chandle": chandle,
    "clog": clog,
    "default": default,
    "handle": handle,
    "ignore": ignore,
    "siglog": siglog,
    "wakeup_fd": wakeup_fd,
}
