"""Operations of processes: birth, death, waiting, signals.

Those of ``TASK_OPERATIONS`` get the task that does them as first argument.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from signal import SIGABRT, SIGPIPE, SIGSEGV, SIGUSR1, SIGUSR2
from typing import Final

import anyio

from asyncipc import posix
from asyncipc.kernel.process import State
from asyncipc.kernel.signals import Disposition
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Pid, Value, signal_name, status_text
from tests.linux.task import Task

SIGNALS: Final = 65
"""Python's NSIG: what ``signal.signal`` takes to be out of range."""
DISPOSITIONS: Final = {posix.SIG_DFL: "SIG_DFL", posix.SIG_IGN: "SIG_IGN"}


# -- birth and death


def fork(parent: Task, child: Task) -> Pid:
    return Pid(posix.fork(child.live))


def thread(starter: Task, started: Task) -> None:
    assert started.group is not None
    started.group.start_soon(started.serve)


def exit_now(code: int = 0) -> None:
    posix._exit(code)


def abort() -> None:
    _die_by(SIGABRT)


def segv() -> None:
    _die_by(SIGSEGV)


def _die_by(signal: int) -> None:
    """A fault of the process itself: ignoring the signal does not help."""
    posix.signal(signal, posix.SIG_DFL)
    posix.kill(posix.getpid(), signal)


async def survives_exec(fd: int) -> int:
    """Is the descriptor open in a program that a child executes?"""

    async def look() -> None:
        try:
            posix.fcntl(fd, posix.F_GETFD)
        except OSError:
            posix._exit(1)

    status = await _status_of(look)
    return 1 - os.waitstatus_to_exitcode(status)


async def exec_signals() -> Value:
    """[ignored, caught] signals of interest in a program that a child executes."""
    ignored: list[Value] = []

    async def look() -> None:
        watched = sorted((SIGUSR1, SIGUSR2, SIGPIPE))
        ignored.extend(signal_name(s) for s in watched if _disposition(s) is posix.SIG_IGN)

    await _status_of(look)
    return [ignored, []]


async def _status_of(program: Callable[[], Awaitable[None]]) -> int:
    async def execute() -> None:
        posix.execv(program)

    return (await retried(posix.waitpid, posix.fork(execute)))[1]


# -- waiting for children


async def waitpid(pid: int, flags: int = 0) -> Value:
    return _told(*await retried(posix.waitpid, pid, flags))


async def wait() -> Value:
    return await waitpid(-1)


async def waitraw(pid: int, flags: int = 0) -> int:
    return (await retried(posix.waitpid, pid, flags))[1]


async def exitcode(pid: int, flags: int = 0) -> int:
    return os.waitstatus_to_exitcode(await waitraw(pid, flags))


async def sys_wait(pid: int = -1, flags: int = 0) -> Value:
    return _told(*await posix.waitpid(pid, flags))


def _told(pid: int, status: int) -> Value:
    return [Pid(pid), status_text(status)] if pid else [0, status]


def procstate(task: Task, pid: int) -> str:
    """What ``/proc/PID/stat`` says of the main task of a process."""
    process = task.simulation.kernel.processes.get(pid)
    if process is None:
        return "gone"
    if process.state is State.RUNNING:
        return "running" if task.is_main and task.pid == pid else "sleeping"
    return "stopped" if process.state is State.STOPPED else "zombie"


# -- signals


def killpg(group: int, signal: int) -> None:
    posix.kill(-group, signal)


def raise_signal(signal: int) -> None:
    posix.kill(posix.getpid(), signal)


def ignore(task: Task, signal: int) -> str:
    return _set_disposition(task, signal, posix.SIG_IGN)


def default(task: Task, signal: int) -> str:
    return _set_disposition(task, signal, posix.SIG_DFL)


def getsignal(signal: int) -> str:
    _check_range(signal)
    try:
        return DISPOSITIONS[_disposition(signal)]
    except OSError:  # SIGKILL, SIGSTOP
        return DISPOSITIONS[posix.SIG_DFL]


def _set_disposition(task: Task, signal: int, wish: Disposition) -> str:
    """``signal.signal``, with what it checks itself."""
    if not task.is_main:
        raise ValueError("signal only works in main thread of the main interpreter")
    _check_range(signal)
    return DISPOSITIONS[posix.signal(signal, wish)]


def _check_range(signal: int) -> None:
    if not 0 < signal < SIGNALS:
        raise ValueError("signal number out of range")


def _disposition(signal: int) -> Disposition:
    """The disposition, read by setting it and setting it back in one go."""
    former = posix.signal(signal, posix.SIG_DFL)
    posix.signal(signal, former)
    return former


# -- identity, time


def getpid() -> Pid:
    return Pid(posix.getpid())


def getppid() -> Pid:
    return Pid(posix.getppid())


def equal(one: Value, other: Value) -> int:
    return int(one == other)


async def pysleep(ms: int) -> None:
    await anyio.sleep(ms / 1000)


async def sys_nanosleep(ms: int) -> int:
    await anyio.sleep(ms / 1000)
    return 0


OPERATIONS: Final[Mapping[str, Operation]] = {
    "abort": abort,
    "eq": equal,
    "exec_signals": exec_signals,
    "exit": exit_now,
    "exitcode": exitcode,
    "getpid": getpid,
    "getppid": getppid,
    "getsignal": getsignal,
    "kill": posix.kill,
    "killpg": killpg,
    "pysleep": pysleep,
    "raise": raise_signal,
    "segv": segv,
    "survives_exec": survives_exec,
    "sys_nanosleep": sys_nanosleep,
    "sys_wait": sys_wait,
    "wait": wait,
    "waitpid": waitpid,
    "waitraw": waitraw,
}

TASK_OPERATIONS: Final[Mapping[str, Operation]] = {
    "default": default,
    "fork": fork,
    "ignore": ignore,
    "procstate": procstate,
    "thread": thread,
}
