"""Adoption: the open file of a number that was made elsewhere, received or inherited.

Its class follows from what the operating system says it is.  A new kind of
native file is one entry here: of its format (fstat), or for what has no node
of its name in ``/proc/self/fd``.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from asyncipc.kernel.files.namespace import O_LARGEFILE
from asyncipc.kernel.openfile import O_ACCMODE, O_CLOEXEC, O_NONBLOCK
from asyncipc.native.descriptor import NativeFile

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home, OpenFile

Maker: TypeAlias = "Callable[[Home, int, int], OpenFile]"


def adopt(kernel: Home, number: int, flags: int = -1) -> OpenFile:
    """The open file over ``number``, which it owns from now on; or closed, if it can't.

    ``flags``: its status flags, or -1: as the operating system has them.
    O_NONBLOCK can't be asked there, since every native descriptor has it; and Linux adds
    O_LARGEFILE to every file of a 64 bit program, though no program asks for it.
    """
    if flags < 0:
        flags = fcntl.fcntl(number, fcntl.F_GETFL) & ~(O_NONBLOCK | O_LARGEFILE | O_CLOEXEC)
    return _maker(number)(kernel, number, flags)


def _maker(number: int) -> Maker:
    form = stat.S_IFMT(os.fstat(number).st_mode)
    if form in BY_FORMAT:
        return BY_FORMAT[form]
    link = os.readlink(f"/proc/self/fd/{number}") if os.path.isdir("/proc/self/fd") else ""
    return BY_LINK.get(link, NativeFile)


def _socket(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.sockets import options as socket_options
    from asyncipc.native.sockets.socket import adopted

    real = socket.socket(fileno=number)
    try:
        found = adopted(kernel, real, flags & ~O_ACCMODE)
        socket_options.ask(found)
    except BaseException:
        real.close()
        raise
    return found


def _pipe(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.files.pipe import NativePipe

    return NativePipe(kernel, number, flags)


def _node(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.files.regular import file_at

    return file_at(kernel, number, flags)


def _anonymous(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.anonymous.file import NativeAnonymous

    return NativeAnonymous(kernel, number, flags)


def _epoll(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.anonymous.epoll import NativeEpoll

    return NativeEpoll(kernel, number, flags)


def _pidfd(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.anonymous.pidfd import NativePidFile

    return NativePidFile(kernel, number, flags)


def _timer(kernel: Home, number: int, flags: int) -> OpenFile:
    from asyncipc.native.anonymous.timerfd import NativeTimer

    return NativeTimer(kernel, number, flags)


def _regular(kernel: Home, number: int, flags: int) -> OpenFile:
    """A message queue says it is one, too."""
    from asyncipc.native.message_queue import NativeMessageQueue, is_queue

    maker = NativeMessageQueue if is_queue(number) else _node
    return maker(kernel, number, flags)


BY_FORMAT: Final[dict[int, Maker]] = {
    stat.S_IFSOCK: _socket,
    stat.S_IFIFO: _pipe,
    stat.S_IFREG: _regular,
    stat.S_IFDIR: _node,
    stat.S_IFCHR: _node,
    stat.S_IFBLK: _node,
}
"""By the format of the node."""
BY_LINK: Final[dict[str, Maker]] = {
    "anon_inode:[eventfd]": _anonymous,
    "anon_inode:[eventpoll]": _epoll,
    "anon_inode:[pidfd]": _pidfd,
    "anon_inode:[timerfd]": _timer,
}
"""By the name that ``/proc/self/fd`` shows, such as ``anon_inode:[eventfd]``."""
