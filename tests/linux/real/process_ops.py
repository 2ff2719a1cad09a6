"""Operations of processes: birth, death, waiting, groups, sessions."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from tests.linux.oplang import Pid, Value, signal_name, status_text
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, POINTER, function
from tests.linux.real.signal_ops import code_name

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
SHELL: Final = "/bin/sh"
WATCHED: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
STATES: Final = {"S": "sleeping", "R": "running", "T": "stopped", "Z": "zombie"}

_prctl: Final = function("prctl", *[INT] + [ctypes.c_ulong] * 4)
_waitpid: Final = function("waitpid", INT, POINTER, INT)


# -- death, and what a program finds


def exit_now(code: int = 0) -> NoReturn:
    os._exit(code)


def segv() -> None:
    ctypes.string_at(0)


def _executed(script: str, out: int | None = None) -> int:
    """A child that executes a script; its process."""
    pid = os.fork()
    if pid == 0:
        try:
            if out is not None:
                os.dup2(out, 1)
            os.execv(SHELL, ["sh", "-c", script])
        finally:
            os._exit(127)
    return pid


def survives_exec(fd: int) -> Value:
    """Is the descriptor open in a program that a child executes?"""
    pid = _executed(f"test -e /proc/self/fd/{fd}")
    return 1 - os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def exec_signals() -> Value:
    """[ignored, caught] signals of interest in a program that a child executes."""
    heard, said = os.pipe()
    pid = _executed("grep -E 'Sig(Ign|Cgt)' /proc/self/status", said)
    os.close(said)
    with os.fdopen(heard) as told:
        masks = [int(line.split()[1], 16) for line in told]
    os.waitpid(pid, 0)
    return [
        [signal_name(number) for number in WATCHED if mask >> (number - 1) & 1] for mask in masks
    ]


def forkexec_setpgid() -> None:
    """Move a child that has called exec."""
    heard, said = os.pipe()
    pid = _executed("echo x; exec sleep 100", said)
    os.close(said)
    try:
        os.read(heard, 1)
        os.setpgid(pid, pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(heard)


# -- waiting for children


def waitpid(pid: int, flags: int = 0) -> Value:
    return _told(*os.waitpid(pid, flags))


def wait() -> Value:
    return _told(*os.wait())


def waitraw(pid: int, flags: int = 0) -> Value:
    return os.waitpid(pid, flags)[1]


def exitcode(pid: int, flags: int = 0) -> Value:
    return os.waitstatus_to_exitcode(os.waitpid(pid, flags)[1])


def sys_wait(pid: int = -1, flags: int = 0) -> Value:
    status = INT()
    found = _waitpid(pid, ctypes.byref(status), flags)
    return _told(found, status.value)


def waitid(kind: int, number: int, flags: int) -> Value:
    """[process, signal, status, code] of a child with news."""
    info = os.waitid(kind, number, flags)
    if info is None:
        return None
    code = code_name(info.si_signo, info.si_code)
    return [Pid(info.si_pid), signal_name(info.si_signo), info.si_status, code]


def _told(pid: int, status: int) -> Value:
    return [Pid(pid), status_text(status)] if pid else [0, status]


def procstate(pid: int) -> Value:
    """What ``/proc/PID/stat`` says of the main task of a process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return STATES.get(file.read().rpartition(") ")[2][0], "?")
    except FileNotFoundError:
        return "gone"


# -- identity, groups, sessions, users


def getpid() -> Value:
    return Pid(os.getpid())


def getppid() -> Value:
    return Pid(os.getppid())


def equal(one: Value, other: Value) -> Value:
    return int(_plain(one) == _plain(other))


def _plain(value: Value) -> Value:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def getpgid(pid: int) -> Value:
    return Pid(os.getpgid(pid))


def getpgrp() -> Value:
    return Pid(os.getpgrp())


def getsid(pid: int) -> Value:
    return Pid(os.getsid(pid))


def setsid() -> None:
    os.setsid()


def subreaper(on: int) -> None:
    _prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0)


def pdeathsig(number: int) -> None:
    _prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "abort": os.abort,
    "eq": equal,
    "exec_signals": exec_signals,
    "exit": exit_now,
    "exitcode": exitcode,
    "forkexec_setpgid": forkexec_setpgid,
    "geteuid": os.geteuid,
    "getpgid": getpgid,
    "getpgrp": getpgrp,
    "getpid": getpid,
    "getppid": getppid,
    "getsid": getsid,
    "pdeathsig": pdeathsig,
    "procstate": procstate,
    "segv": segv,
    "setgid": os.setgid,
    "setpgid": os.setpgid,
    "setsid": setsid,
    "setuid": os.setuid,
    "subreaper": subreaper,
    "survives_exec": survives_exec,
    "sys_wait": sys_wait,
    "wait": wait,
    "waitid": waitid,
    "waitpid": waitpid,
    "waitraw": waitraw,
}
