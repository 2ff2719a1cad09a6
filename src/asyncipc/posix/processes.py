"""Calls that make processes, end them, wait for them and tell who they are."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeAlias, TypeVarTuple

from asyncipc.errors import Unsupported
from asyncipc.kernel.signals.disposition import SignalInfo
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.posix.constants import (
    PR_GET_CHILD_SUBREAPER,
    PR_GET_PDEATHSIG,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
)
from asyncipc.runtime.process import Body, check_program, current
from asyncipc.runtime.syscall import call, syscall
from asyncipc.runtime.threads import run_handlers

__all__ = [
    "_exit",
    "execv",
    "fork",
    "getgid",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getsid",
    "getuid",
    "prctl",
    "set_child_subreaper",
    "setgid",
    "setpgid",
    "setsid",
    "setuid",
    "wait",
    "waitid",
    "waitpid",
]

Args = TypeVarTuple("Args")
Program: TypeAlias = Callable[[*Args], Awaitable[object]]


def fork(main: Program[*Args], *args: *Args) -> int:
    """fork(2): start ``main(*args)`` as a child process; its pid.

    The child has a copy of the descriptor table (the open files are shared)
    and runs from the parent's next await on.  Errors: EAGAIN (too many
    processes).  Not modelled: copying memory; parent and child share objects
    of Python as tasks do.

    On ``Native(isolation="process")`` the child is a new interpreter: ``main``
    is a function of a module, and the arguments are pickled (else TypeError);
    handlers are back at their defaults there, as after exec.
    """
    check_program(main)
    body = current()
    return call("fork", lambda main, *args: body.machine.fork(body, main, args), main, *args)


def execv(main: Program[*Args], *args: *Args) -> NoReturn:
    """execve(2): this process runs ``main(*args)`` from now on.

    Descriptors with close-on-exec are closed; all other tasks of the process
    are cancelled.  The mask and what is pending stay, also those of a handler
    that calls it.  Does not return.
    """
    check_program(main)
    body = _handle_what_is_due()
    body.execute(main, args)


def _exit(code: int) -> NoReturn:
    """_exit(2): end this process now; eight bits of ``code`` are its status.

    Descriptors are closed, children go to init, tasks are cancelled.
    """
    status = operator.index(code)
    _handle_what_is_due().exit(status)


def _handle_what_is_due() -> Body:
    """As every call begins: handlers run, first of all."""
    body = current()
    body.leave_if_over()
    if body.attention:
        run_handlers(body)
    return body


async def waitpid(pid: int, options: int = 0) -> tuple[int, int]:
    """waitpid(2): a child that has ended, as (pid, raw status); it is gone then.

    ``pid`` > 0: that child; -1: any; 0: any of one's group; < -1: of group
    ``-pid``.  Blocks until there is one; WNOHANG answers (0, 0) instead.
    WUNTRACED and WCONTINUED report stops and continues too.  Errors: ECHILD,
    EINVAL.  ``os.waitstatus_to_exitcode`` and ``os.WIFEXITED`` read the status.
    """
    body = current()

    def ask(pid: int, options: int) -> tuple[int, int] | WouldBlock:
        return body.machine.waitpid(body, pid, options)

    return await syscall("waitpid", None, ask, operator.index(pid), operator.index(options))


async def waitid(idtype: int, number: int, options: int) -> SignalInfo | None:
    """waitid(2): news of a child as SIGCHLD's info: si_pid, si_code, si_status.

    ``idtype`` is P_PID, P_PGID (0: one's own group) or P_ALL; ``options`` says
    which news: WEXITED, WSTOPPED, WCONTINUED.  Blocks until there is some; with
    WNOHANG None instead.  WNOWAIT leaves it to be asked for again.  Errors:
    ECHILD, EINVAL.  P_PIDFD: ``number`` is a pidfd; EBADF, EAGAIN (PIDFD_NONBLOCK).
    """
    body = current()

    def ask(kind: int, number: int, options: int) -> SignalInfo | WouldBlock | None:
        return body.machine.waitid(body, kind, number, options)

    kind, number, options = map(operator.index, (idtype, number, options))
    return await syscall("waitid", None, ask, kind, number, options)


async def wait() -> tuple[int, int]:
    """wait(2): ``waitpid(-1)``."""
    return await waitpid(-1)


def getpid() -> int:
    """getpid(2)"""
    return current().process.pid


def getppid() -> int:
    """getppid(2): 1 if the parent has ended, or whoever has adopted this process."""
    body = current()
    return body.machine.getppid(body)


# -- groups and sessions


def setpgid(pid: int, group: int) -> None:
    """setpgid(2): put oneself (0) or a child into a group; 0 makes it its leader.

    Errors: EACCES for a child that has executed a program, EPERM for a session's
    leader (the first process is one), another session or a group that is not in
    this session, ESRCH, EINVAL.
    """
    body = current()
    call(
        "setpgid",
        lambda pid, group: body.machine.setpgid(body, pid, group),
        operator.index(pid),
        operator.index(group),
    )


def getpgid(pid: int) -> int:
    """getpgid(2): the group of a process; 0 means this one.  ESRCH."""
    body = current()
    return call("getpgid", lambda pid: body.machine.getpgid(body, pid), operator.index(pid))


def getpgrp() -> int:
    """getpgrp(2): this process's group."""
    body = current()
    return body.machine.getpgid(body, 0)


def setsid() -> int:
    """setsid(2): a session and group of one's own; its number.  EPERM for a group's leader."""
    body = current()
    return call("setsid", lambda: body.machine.setsid(body))


def getsid(pid: int) -> int:
    """getsid(2): the session of a process; 0 means this one.  ESRCH."""
    body = current()
    return call("getsid", lambda pid: body.machine.getsid(body, pid), operator.index(pid))


def set_child_subreaper(on: bool) -> None:
    """prctl(PR_SET_CHILD_SUBREAPER): orphans below this process come to it, not to init."""
    prctl(PR_SET_CHILD_SUBREAPER, bool(on))


def prctl(option: int, argument: int = 0) -> int:
    """prctl(2): set what a process wants of its kernel (then 0), or ask for it.

    PR_SET_PDEATHSIG: the signal this process gets when its parent ends; 0: none,
    EINVAL beyond 64.  Fork and a change of user forget it, exec does not; who
    is adopted keeps it for the next parent.  PR_SET_CHILD_SUBREAPER: orphans
    below this process come to it.  PR_GET_PDEATHSIG, PR_GET_CHILD_SUBREAPER
    return the value.  Not modelled: other options; the end of a task that forked
    counts for nothing, where Linux takes a thread for the parent.
    """
    return call("prctl", _prctl, operator.index(option), operator.index(argument))


def _prctl(option: int, argument: int) -> int:
    body = current()
    if option == PR_GET_PDEATHSIG:
        return body.process.death_signal
    if option == PR_GET_CHILD_SUBREAPER:
        return int(body.process.subreaper)
    if option == PR_SET_PDEATHSIG:
        body.machine.set_death_signal(body, argument)
    elif option == PR_SET_CHILD_SUBREAPER:
        body.machine.set_child_subreaper(body, bool(argument))
    else:
        raise Unsupported(f"asyncipc does not model prctl option {option}")
    return 0


# -- users


def getuid() -> int:
    """getuid(2): 0, root, unless set; on the native machine the interpreter's user."""
    return current().process.uid


def setuid(uid: int) -> None:
    """setuid(2): become another user, which only root may: EPERM.  EINVAL below 0.

    On the native machine a child of ``Native(isolation="process")`` may, not the
    run's first process and no task.  Not modelled: saved and effective users apart
    from the real one.
    """
    body = current()
    call("setuid", lambda uid: body.machine.setuid(body, uid), operator.index(uid))


def getgid() -> int:
    """getgid(2): 0 unless set; as ``getuid``."""
    return current().process.gid


def setgid(gid: int) -> None:
    """setgid(2): as ``setuid``, for the group of users."""
    body = current()
    call("setgid", lambda gid: body.machine.setgid(body, gid), operator.index(gid))
