"""Calls that make processes, end them, wait for them and tell who they are."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeAlias, TypeVarTuple

from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import check_program, current
from asyncipc.runtime.syscall import call, syscall

Args = TypeVarTuple("Args")
Program: TypeAlias = Callable[[*Args], Awaitable[object]]


def fork(main: Program[*Args], *args: *Args) -> int:
    """fork(2): start ``main(*args)`` as a child process; its pid.

    The child has a copy of the descriptor table (the open files are shared)
    and runs from the parent's next await on.  Errors: EAGAIN (too many
    processes).  Not modelled: copying memory; parent and child share objects
    of Python as tasks do.
    """
    check_program(main)
    body = current()
    return call("fork", lambda main, *args: body.machine.fork(body, main, args), main, *args)


def execv(main: Program[*Args], *args: *Args) -> NoReturn:
    """execve(2): this process runs ``main(*args)`` from now on.

    Descriptors with close-on-exec are closed; all other tasks of the process
    are cancelled.  Does not return.
    """
    check_program(main)
    body = current()
    body.leave_if_over()
    body.execute(main, args)


def _exit(code: int) -> NoReturn:
    """_exit(2): end this process now; eight bits of ``code`` are its status.

    Descriptors are closed, children go to init, tasks are cancelled.
    """
    body = current()
    body.leave_if_over()
    body.exit(operator.index(code))


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


async def wait() -> tuple[int, int]:
    """wait(2): ``waitpid(-1)``."""
    return await waitpid(-1)


def getpid() -> int:
    """getpid(2)"""
    return current().process.pid


def getppid() -> int:
    """getppid(2): 1 if the parent has ended."""
    parent = current().process.parent
    return 0 if parent is None else parent.pid
