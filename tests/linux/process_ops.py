"""Operations of processes: birth, death, waiting, groups, sessions.

Those of ``TASK_OPERATIONS`` get the task that does them as first argument.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from signal import SIGABRT, SIGKILL, SIGPIPE, SIGSEGV, SIGUSR1, SIGUSR2
from typing import Final

from asyncipc import posix
from asyncipc.kernel.processes.process import State
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Pid, Value, signal_name, status_text
from tests.linux.signal_ops import code_name, told
from tests.linux.task import Journal, Task

WATCHED: Final = sorted((SIGUSR1, SIGUSR2, SIGPIPE))

# -- birth and death


def fork(parent: Task, child: Task) -> Pid:
    pid = posix.fork(child.live)
    inherited = parent.journals.get(posix.getpid(), Journal())
    parent.journals[pid] = Journal(inherited.python.copy(), inherited.c.copy(), inherited.wakeup_fd)
    return Pid(pid)


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
    found: list[list[Value]] = [[], []]

    async def look() -> None:
        for signal in WATCHED:
            name = told(posix.getsignal(signal))
            if name != "SIG_DFL":
                found[name != "SIG_IGN"].append(signal_name(signal))

    await _status_of(look)
    return found


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


async def waitid(kind: int, number: int, flags: int) -> Value:
    """[process, signal, status, code] of a child with news."""
    info = await retried(posix.waitid, kind, number, flags)
    if info is None:
        return None
    code = code_name(info.si_signo, info.si_code)
    return [Pid(info.si_pid), signal_name(info.si_signo), info.si_status, code]


def _told(pid: int, status: int) -> Value:
    return [Pid(pid), status_text(status)] if pid else [0, status]


def procstate(task: Task, pid: int) -> str:
    """What ``/proc/PID/stat`` says of the main task of a process."""
    process = task.simulation.localhost.kernel.processes.get(pid)
    if process is None:
        return "gone"
    if process.state is State.RUNNING:
        return "running" if task.is_main and task.pid == pid else "sleeping"
    return "stopped" if process.state is State.STOPPED else "zombie"


# -- identity


def getpid() -> Pid:
    return Pid(posix.getpid())


def getppid() -> Pid:
    return Pid(posix.getppid())


def equal(one: Value, other: Value) -> int:
    return int(one == other)


# -- groups, sessions, users


def setpgid(pid: int, group: int) -> None:
    posix.setpgid(pid, group)


def getpgid(pid: int) -> Pid:
    return Pid(posix.getpgid(pid))


def getpgrp() -> Pid:
    return Pid(posix.getpgrp())


def setsid() -> None:
    posix.setsid()


def getsid(pid: int) -> Pid:
    return Pid(posix.getsid(pid))


def subreaper(on: int) -> None:
    posix.set_child_subreaper(bool(on))


def pdeathsig(signal: int) -> None:
    posix.prctl(posix.PR_SET_PDEATHSIG, signal)


def setuid(user: int) -> None:
    posix.setuid(user)


def setgid(group: int) -> None:
    posix.setgid(group)


def geteuid() -> int:
    """There is one user to a process: real, effective and saved are the same."""
    return posix.getuid()


async def forkexec_setpgid() -> None:
    """Move a child that has called exec."""
    heard, said = posix.pipe()

    async def program() -> None:
        await posix.write(said, b"x")
        await posix.poll([], None)

    async def execute() -> None:
        for fd in (heard, said):
            posix.set_inheritable(fd, True)
        posix.execv(program)

    pid = posix.fork(execute)
    await retried(posix.read, heard, 1)
    try:
        posix.setpgid(pid, pid)
    finally:
        posix.kill(pid, SIGKILL)
        await retried(posix.waitpid, pid, 0)
        posix.close(heard)
        posix.close(said)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "abort": abort,
    "eq": equal,
    "exec_signals": exec_signals,
    "exit": exit_now,
    "exitcode": exitcode,
    "forkexec_setpgid": forkexec_setpgid,
    "geteuid": geteuid,
    "getpgid": getpgid,
    "getpgrp": getpgrp,
    "getpid": getpid,
    "getppid": getppid,
    "getsid": getsid,
    "pdeathsig": pdeathsig,
    "segv": segv,
    "setgid": setgid,
    "setpgid": setpgid,
    "setsid": setsid,
    "setuid": setuid,
    "subreaper": subreaper,
    "survives_exec": survives_exec,
    "sys_wait": sys_wait,
    "wait": wait,
    "waitid": waitid,
    "waitpid": waitpid,
    "waitraw": waitraw,
}

TASK_OPERATIONS: Final[Mapping[str, Operation]] = {
    "fork": fork,
    "procstate": procstate,
    "thread": thread,
}
