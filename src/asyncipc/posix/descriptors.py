"""Calls on descriptors: close, dup, fcntl, ioctl, and how many a process may have."""

from __future__ import annotations

import errno
import operator
from collections.abc import Callable
from typing import Final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel import descriptors
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import OpenFile
from asyncipc.posix.arguments import file_of, own_table
from asyncipc.posix.constants import (
    CLOSE_RANGE_CLOEXEC,
    F_ADD_SEALS,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_DUPFD_QUERY,
    F_GET_SEALS,
    F_GETFD,
    F_GETFL,
    F_GETLK,
    F_GETOWN,
    F_GETPIPE_SZ,
    F_GETSIG,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETFD,
    F_SETFL,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_SETPIPE_SZ,
    F_SETSIG,
    FD_CLOEXEC,
    FIONBIO,
    FIONREAD,
    O_CLOEXEC,
    O_NONBLOCK,
    RLIMIT_NOFILE,
    SIOCATMARK,
    SIOCOUTQ,
)
from asyncipc.runtime.syscall import call

__all__ = [
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "get_blocking",
    "get_inheritable",
    "getrlimit",
    "ioctl",
    "set_blocking",
    "set_inheritable",
    "setrlimit",
]

RECORD_LOCKS: Final = frozenset(
    {F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW}
)


def close(fd: int) -> None:
    """close(2): give up a descriptor; the last one of an open file releases it.

    Never blocks, and wakes nobody who sleeps on the descriptor.  EBADF.
    """
    call("close", own_table().close, operator.index(fd))


def close_range(first: int, last: int, flags: int = 0) -> None:
    """close_range(2): close all from ``first`` to ``last``, both included.

    ``CLOSE_RANGE_CLOEXEC`` marks them instead.  EINVAL if ``first > last``.
    Not modelled: CLOSE_RANGE_UNSHARE (tasks of a process share one table).
    """
    if flags & descriptors.CLOSE_RANGE_UNSHARE:
        raise Unsupported("asyncipc does not model CLOSE_RANGE_UNSHARE")
    if flags & ~CLOSE_RANGE_CLOEXEC:
        fail(errno.EINVAL)
    table = own_table()

    def close_them(first: int, last: int) -> None:
        table.close_range(first, last, only_mark=bool(flags))

    call("close_range", close_them, operator.index(first), operator.index(last))


def dup(fd: int) -> int:
    """dup(2): another number, the lowest free one, for the same open file.

    Inheritable, as the system call makes it.  EBADF, EMFILE.
    """
    table = own_table()
    return call("dup", lambda fd: table.dup(fd, cloexec=False), operator.index(fd))


def dup2(fd: int, target: int) -> int:
    """dup2(2): make ``target`` stand for the open file of ``fd``; returns it.

    What ``target`` stood for is closed silently first; the same number twice
    changes nothing.  Inheritable.  EBADF for either, or beyond RLIMIT_NOFILE.
    """
    table = own_table()

    def replace(fd: int, target: int) -> int:
        if fd == target:
            return table[fd].fd
        return table.dup_onto(fd, target, cloexec=False)

    return call("dup2", replace, operator.index(fd), operator.index(target))


def dup3(fd: int, target: int, flags: int) -> int:
    """dup3(2): dup2 with O_CLOEXEC; EINVAL for equal numbers and other flags."""
    table = own_table()

    def replace(fd: int, target: int, flags: int) -> int:
        if flags & ~O_CLOEXEC or fd == target:
            fail(errno.EINVAL)
        return table.dup_onto(fd, target, cloexec=bool(flags))

    return call("dup3", replace, operator.index(fd), operator.index(target), flags)


def fcntl(fd: int, command: int, argument: int = 0) -> int:
    """fcntl(2): duplicate, flags of descriptor and open file, size of a pipe.

    Commands: F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY (do both numbers mean one
    open file?), F_GETFD, F_SETFD, F_GETFL, F_SETFL,
    F_GETPIPE_SZ, F_SETPIPE_SZ (bytes), F_GETOWN, F_SETOWN, F_GETSIG, F_SETSIG,
    F_GET_SEALS, F_ADD_SEALS (EPERM if sealed against it, EBUSY if mapped to write).
    Errors: EBADF, EINVAL, EMFILE, EBUSY and EPERM (pipe size), ESRCH (owner).
    With O_ASYNC (F_SETFL) every change of readiness sends SIGIO, or the signal
    of F_SETSIG, to the owner: a process, or negative a group.  Not modelled:
    leases.  The native machine refuses O_ASYNC, F_SETOWN, F_SETSIG.  For locks: ``fcntl_lock``.
    """
    return call("fcntl", _fcntl, operator.index(fd), command, operator.index(argument))


def _fcntl(fd: int, command: int, argument: int) -> int:
    table = own_table()
    entry = table[fd]
    if command in {F_DUPFD, F_DUPFD_CLOEXEC}:
        return table.dup(fd, argument, cloexec=command == F_DUPFD_CLOEXEC)
    if command == F_DUPFD_QUERY:
        return int(table[argument].file is entry.file)
    if command == F_GETFD:
        return FD_CLOEXEC if entry.cloexec else 0
    if command == F_SETFD:
        entry.cloexec = bool(argument & FD_CLOEXEC)
        return 0
    if command == F_GETFL:
        return entry.file.flags
    if command == F_SETFL:
        entry.file.set_status_flags(argument, fd)
        return 0
    if command == F_GETPIPE_SZ:
        return entry.file.pipe_size()
    if command == F_SETPIPE_SZ:
        return entry.file.set_pipe_size(argument)
    if command in {F_ADD_SEALS, F_GET_SEALS}:
        return _fcntl_seals(entry, command, argument)
    return _fcntl_owner(entry, command, argument)


def _fcntl_seals(entry: Descriptor, command: int, argument: int) -> int:
    """What may no longer be done to a file: memfd_create(2)."""
    if command == F_GET_SEALS:
        return entry.file.get_seals()
    entry.file.add_seals(argument)
    return 0


def _fcntl_owner(entry: Descriptor, command: int, argument: int) -> int:
    """Who would get SIGIO, and which signal instead."""
    file = entry.file
    if command == F_GETOWN:
        return file.signal_owner
    if command == F_SETOWN:
        file.set_signal_owner(argument)
        return 0
    if command == F_GETSIG:
        return file.signal_sent
    if command == F_SETSIG:
        if not 0 <= argument <= 64:
            fail(errno.EINVAL)
        file.set_signal_sent(argument)
        return 0
    if command in RECORD_LOCKS:
        fail(errno.EINVAL, "record locks may block: await fcntl_lock(fd, command, FileLock(...))")
    fail(errno.EINVAL, f"fcntl command {command} is not modelled")


def get_blocking(fd: int) -> bool:
    """``os.get_blocking``: is O_NONBLOCK off on the open file?  EBADF."""
    return not own_table()[operator.index(fd)].file.flags & O_NONBLOCK


def set_blocking(fd: int, blocking: bool) -> None:
    """``os.set_blocking``: set or clear O_NONBLOCK for all who share the open file.  EBADF."""
    flags = fcntl(fd, F_GETFL)
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK if blocking else flags | O_NONBLOCK)


def get_inheritable(fd: int) -> bool:
    """``os.get_inheritable``: does the number survive exec?  EBADF."""
    return not own_table()[operator.index(fd)].cloexec


def set_inheritable(fd: int, inheritable: bool) -> None:
    """``os.set_inheritable``: clear or set close-on-exec of this number.  EBADF."""
    fcntl(fd, F_SETFD, 0 if inheritable else FD_CLOEXEC)


def ioctl(fd: int, request: int, argument: int = 0) -> int:
    """ioctl(2): FIONREAD returns the bytes that wait to be read, FIONBIO sets O_NONBLOCK.

    SIOCOUTQ: what a peer has not taken yet; SIOCATMARK: 1 at the urgent byte.
    EBADF; ENOTTY for another request, or an object without that count.
    """
    if operator.index(request) == FIONBIO:
        set_blocking(fd, not argument)
        return 0
    return call("ioctl", _ioctl, operator.index(fd), request)


def _ioctl(fd: int, request: int) -> int:
    file = file_of(fd)
    if request not in _COUNTS:
        fail(errno.ENOTTY, f"ioctl request {request:#x} is not modelled")
    return _COUNTS[request](file)


_COUNTS: Final[dict[int, Callable[[OpenFile], int]]] = {
    FIONREAD: lambda file: file.unread(),
    SIOCATMARK: lambda file: int(file.at_mark()),
    SIOCOUTQ: lambda file: file.unsent(),
}


def getrlimit(resource: int) -> tuple[int, int]:
    """getrlimit(2): (soft, hard).  Only RLIMIT_NOFILE is modelled."""
    _only_nofile(resource)
    table = own_table()
    return table.limit, table.hard_limit


def setrlimit(resource: int, limits: tuple[int, int]) -> None:
    """setrlimit(2): RLIMIT_NOFILE bounds descriptor *numbers*; open ones stay.

    EINVAL if soft > hard, EPERM for a higher hard limit.
    """
    _only_nofile(resource)
    soft, hard = map(operator.index, limits)
    table = own_table()

    def set_limit(soft: int, hard: int) -> None:
        if not 0 <= soft <= hard:
            fail(errno.EINVAL)
        if hard > table.hard_limit:
            fail(errno.EPERM)
        table.limit, table.hard_limit = soft, hard

    call("setrlimit", set_limit, soft, hard)


def _only_nofile(resource: int) -> None:
    if resource != RLIMIT_NOFILE:
        raise Unsupported(f"asyncipc does not model resource limit {resource}")
