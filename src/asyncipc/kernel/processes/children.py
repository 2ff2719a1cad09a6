"""Waiting for children: waitpid(2), waitid(2).

A status is reported to one waiter once; stops and continues likewise.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import (
    CLD_CONTINUED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
    SIGCHLD,
    SIGCONT,
    SignalInfo,
)
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel

WNOHANG: Final = 0x1
WUNTRACED: Final = 0x2
WSTOPPED: Final = WUNTRACED
WEXITED: Final = 0x4
WCONTINUED: Final = 0x8
WNOWAIT: Final = 0x01000000
ANY_CLONE: Final = 0x20000000 | 0x40000000 | 0x80000000
"""__WNOTHREAD, __WALL, __WCLONE: they concern threads and clone."""
WAITPID_OPTIONS: Final = WNOHANG | WUNTRACED | WCONTINUED | ANY_CLONE
EVENTS: Final = WEXITED | WSTOPPED | WCONTINUED
WAITID_OPTIONS: Final = EVENTS | WNOHANG | WNOWAIT | ANY_CLONE

P_ALL: Final = 0
P_PID: Final = 1
P_PGID: Final = 2
P_PIDFD: Final = 3

CONTINUED_STATUS: Final = 0xFFFF


def exit_info(child: Process) -> SignalInfo:
    """How a child has ended, as SIGCHLD and waitid tell it."""
    killed = child.status & 0x7F
    code = CLD_KILLED if killed else CLD_EXITED
    return SignalInfo(SIGCHLD, code, child.pid, child.uid, killed or child.status >> 8)


def waitpid(
    kernel: Kernel, process: Process, pid: int, options: int
) -> tuple[int, int] | WouldBlock:
    """waitpid(2): a child's pid and raw status; zombies in order of birth.

    Refuses while no child that is meant has news; with WNOHANG it answers
    (0, 0) then.  ECHILD if no child is meant at all.
    """
    if options & ~WAITPID_OPTIONS:
        fail(errno.EINVAL)
    for child in _with_news(process, pid):
        told = _news(kernel, child, options | WEXITED)
        if told is not None:
            return child.pid, told[0]
    _demand_one(_children_meant(process, pid))
    return (0, 0) if options & WNOHANG else process.child_refusal()


def waitid(
    kernel: Kernel, process: Process, kind: int, number: int, options: int
) -> SignalInfo | WouldBlock | None:
    """waitid(2): the same as a SIGCHLD's info; with WNOWAIT the news stays news."""
    if options & ~WAITID_OPTIONS or not options & EVENTS:
        fail(errno.EINVAL)
    pid = _pid_of(process, kind, number)
    for child in _with_news(process, pid):
        told = _news(kernel, child, options)
        if told is not None:
            return told[1]
    _demand_one(_possible_news(process, pid, options))
    if options & WNOHANG:
        return None
    if kind == P_PIDFD and process.table[number].file.flags & O_NONBLOCK:
        fail(errno.EAGAIN)
    return process.child_refusal()


def _pid_of(process: Process, kind: int, number: int) -> int:
    """What waitid means, in the words of waitpid."""
    if kind == P_PIDFD:
        return _pid_of_pidfd(process, number)
    if kind == P_ALL:
        return -1
    if kind == P_PID and number > 0:
        return number
    if kind == P_PGID and number == 1:
        fail(errno.ECHILD)  # init's group; to waitpid it would be all children
    if kind == P_PGID and number >= 0:
        return -number
    fail(errno.EINVAL)


def _pid_of_pidfd(process: Process, fd: int) -> int:
    """EINVAL below 0, EBADF for what is no pidfd, ECHILD for one who is gone."""
    if fd < 0:
        fail(errno.EINVAL)
    return process.table[fd].file.awaited_pid()


def _with_news(process: Process, pid: int) -> Iterator[Process]:
    """The children that are meant and have news, in order of birth."""
    if pid > 0:
        return (child for child in _children_meant(process, pid) if child.has_news)
    if pid == -1:
        return process.children_with_news()
    group = -pid if pid else process.group
    return (child for child in process.children_with_news() if child.group == group)


def _demand_one(children: Iterator[Process]) -> None:
    """ECHILD if nobody is meant at all."""
    if next(children, None) is None:
        fail(errno.ECHILD)


def _possible_news(process: Process, pid: int, options: int) -> Iterator[Process]:
    """Of a zombie nothing but its end can be told (wait_consider_task)."""
    ends = options & WEXITED
    meant = _children_meant(process, pid)
    return (child for child in meant if ends or child.state is not State.ZOMBIE)


def _children_meant(process: Process, pid: int) -> Iterator[Process]:
    """In order of birth."""
    children = process.children
    if pid > 0:
        return iter([children[pid]] if pid in children else [])
    if pid == -1:
        return iter(children.values())
    group = -pid if pid else process.group
    return (child for child in children.values() if child.group == group)


def _news(kernel: Kernel, child: Process, options: int) -> tuple[int, SignalInfo] | None:
    """The raw status and the info to report, which thereby has been reported."""
    keep = options & WNOWAIT
    if child.state is State.ZOMBIE:
        if not options & WEXITED:
            return None
        if not keep:
            kernel.reap(child)
        return child.status, exit_info(child)
    if child.news is State.STOPPED and options & WSTOPPED:
        status, code, signal = child.status, CLD_STOPPED, child.status >> 8
    elif child.news is State.RUNNING and options & WCONTINUED:
        status, code, signal = CONTINUED_STATUS, CLD_CONTINUED, SIGCONT
    else:
        return None
    if not keep:
        child.news = None
    return status, SignalInfo(SIGCHLD, code, child.pid, child.uid, signal)
