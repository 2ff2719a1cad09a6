"""System calls of the current process, over integer descriptors.

Named as in ``os``, ``socket``, ``fcntl`` and ``select``: the programs of a
textbook's chapter, line for line.  What may block is ``async``; what cannot is
a plain function.  This is the bare system call: it raises the OSError that
Linux gives, does not retry, and returns short counts where Linux does.

Every ``async`` call here: *blocks* only where its text says so, and then lets
every other process run; under *cancellation* it has had no effect and raises,
unless it says that it has made progress, which it then returns.  EBADF for a
descriptor that is not open, EINTR where a fault plan says so.
"""

from __future__ import annotations

import errno
import math
import operator
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn, TypeAlias, TypeVarTuple

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel import descriptors, openfile
from asyncipc.kernel import pipe as pipes
from asyncipc.kernel import socket as sockets
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor, DescriptorTable
from asyncipc.kernel.poll import Poll
from asyncipc.kernel.signals import Disposition
from asyncipc.kernel.transfer import LongWrite, WaitAll
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.clock import nanoseconds
from asyncipc.runtime.process import check_program, current
from asyncipc.runtime.syscall import call, syscall

Args = TypeVarTuple("Args")

O_RDONLY: Final = openfile.O_RDONLY
O_WRONLY: Final = openfile.O_WRONLY
O_RDWR: Final = openfile.O_RDWR
O_NONBLOCK: Final = openfile.O_NONBLOCK
O_CLOEXEC: Final = openfile.O_CLOEXEC
O_DIRECT: Final = openfile.O_DIRECT
O_ASYNC: Final = openfile.O_ASYNC

F_DUPFD: Final = 0
F_GETFD: Final = 1
F_SETFD: Final = 2
F_GETFL: Final = 3
F_SETFL: Final = 4
F_SETOWN: Final = 8
F_GETOWN: Final = 9
F_SETSIG: Final = 10
F_GETSIG: Final = 11
F_DUPFD_CLOEXEC: Final = 1030
F_SETPIPE_SZ: Final = 1031
F_GETPIPE_SZ: Final = 1032
FD_CLOEXEC: Final = 1
FIONREAD: Final = 0x541B
FIONBIO: Final = 0x5421
RLIMIT_NOFILE: Final = 7
SIG_DFL: Final = Disposition.DEFAULT
SIG_IGN: Final = Disposition.IGNORE
PIPE_BUF: Final = pipes.PIPE_BUF
CLOSE_RANGE_CLOEXEC: Final = descriptors.CLOSE_RANGE_CLOEXEC

Program: TypeAlias = Callable[[*Args], Awaitable[object]]


# -- descriptors


def _table() -> DescriptorTable:
    """The table of the current process, which is left here if it is over."""
    body = current()
    if body.attention:
        body.leave_if_over()
    return body.process.table


async def _not_open(name: str, fd: int, *args: object) -> NoReturn:
    """EBADF, on the road of every call: cancellable, told to the taps, and others' turn."""

    def refuse(*_: object) -> None:
        fail(errno.EBADF)

    await syscall(name, None, refuse, fd, *args)
    raise AssertionError


def _buffer(data: Buffer) -> Buffer:
    """The bytes to send, in a form whose length is their count."""
    if type(data) is bytes or isinstance(data, bytes | bytearray):
        return data
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _size(n: int) -> int:
    """A count of bytes to read: EINVAL below 0, TypeError if no integer."""
    size = operator.index(n)
    if size < 0:
        fail(errno.EINVAL)
    return size


def close(fd: int) -> None:
    """close(2): give up a descriptor; the last one of an open file releases it.

    Never blocks, and wakes nobody who sleeps on the descriptor.  EBADF.
    """
    call("close", _table().close, operator.index(fd))


def close_range(first: int, last: int, flags: int = 0) -> None:
    """close_range(2): close all from ``first`` to ``last``, both included.

    ``CLOSE_RANGE_CLOEXEC`` marks them instead.  EINVAL if ``first > last``.
    Not modelled: CLOSE_RANGE_UNSHARE (tasks of a process share one table).
    """
    if flags & descriptors.CLOSE_RANGE_UNSHARE:
        raise Unsupported("asyncipc does not model CLOSE_RANGE_UNSHARE")
    if flags & ~CLOSE_RANGE_CLOEXEC:
        fail(errno.EINVAL)
    table = _table()

    def close_them(first: int, last: int) -> None:
        table.close_range(first, last, only_mark=bool(flags))

    call("close_range", close_them, operator.index(first), operator.index(last))


def dup(fd: int) -> int:
    """dup(2): another number, the lowest free one, for the same open file.

    Inheritable, as the system call makes it.  EBADF, EMFILE.
    """
    table = _table()
    return call("dup", lambda fd: table.dup(fd, cloexec=False), operator.index(fd))


def dup2(fd: int, target: int) -> int:
    """dup2(2): make ``target`` stand for the open file of ``fd``; returns it.

    What ``target`` stood for is closed silently first; the same number twice
    changes nothing.  Inheritable.  EBADF for either, or beyond RLIMIT_NOFILE.
    """
    table = _table()

    def replace(fd: int, target: int) -> int:
        if fd == target:
            return table[fd].fd
        return table.dup_onto(fd, target, cloexec=False)

    return call("dup2", replace, operator.index(fd), operator.index(target))


def dup3(fd: int, target: int, flags: int) -> int:
    """dup3(2): dup2 with O_CLOEXEC; EINVAL for equal numbers and other flags."""
    table = _table()

    def replace(fd: int, target: int, flags: int) -> int:
        if flags & ~O_CLOEXEC or fd == target:
            fail(errno.EINVAL)
        return table.dup_onto(fd, target, cloexec=bool(flags))

    return call("dup3", replace, operator.index(fd), operator.index(target), flags)


def fcntl(fd: int, command: int, argument: int = 0) -> int:
    """fcntl(2): duplicate, flags of descriptor and open file, size of a pipe.

    Commands: F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
    F_GETPIPE_SZ, F_SETPIPE_SZ (bytes), F_GETOWN, F_SETOWN, F_GETSIG, F_SETSIG.
    Errors: EBADF, EINVAL, EMFILE, EBUSY and EPERM (pipe size), ESRCH (owner).
    Not modelled: signal-driven I/O (O_ASYNC), locks, leases.
    """
    return call("fcntl", _fcntl, operator.index(fd), command, operator.index(argument))


def _fcntl(fd: int, command: int, argument: int) -> int:
    table = _table()
    entry = table[fd]
    if command in {F_DUPFD, F_DUPFD_CLOEXEC}:
        return table.dup(fd, argument, cloexec=command == F_DUPFD_CLOEXEC)
    if command == F_GETFD:
        return FD_CLOEXEC if entry.cloexec else 0
    if command == F_SETFD:
        entry.cloexec = bool(argument & FD_CLOEXEC)
        return 0
    if command == F_GETFL:
        return entry.file.flags
    if command == F_SETFL:
        return _set_status_flags(entry, argument)
    if command == F_GETPIPE_SZ:
        return entry.file.pipe_size()
    if command == F_SETPIPE_SZ:
        return entry.file.set_pipe_size(argument)
    return _fcntl_owner(entry, command, argument)


def _set_status_flags(entry: Descriptor, flags: int) -> int:
    """F_SETFL: what may be changed is; the access mode and the rest stay."""
    if flags & O_ASYNC:
        raise Unsupported("asyncipc does not model signal-driven I/O (O_ASYNC)")
    file = entry.file
    file.allow_flags(flags)
    kept = file.flags & ~openfile.CHANGEABLE
    file.flags = kept | flags & openfile.CHANGEABLE
    return 0


def _fcntl_owner(entry: Descriptor, command: int, argument: int) -> int:
    """Who would get SIGIO, and which signal instead."""
    file = entry.file
    if command == F_GETOWN:
        return file.signal_owner
    if command == F_SETOWN:
        if argument:
            current().machine.kill(current(), argument, 0)
        file.signal_owner = argument
        return 0
    if command == F_GETSIG:
        return file.signal_sent
    if command == F_SETSIG:
        if not 0 <= argument <= 64:
            fail(errno.EINVAL)
        file.signal_sent = argument
        return 0
    fail(errno.EINVAL, f"fcntl command {command} is not modelled")


def get_blocking(fd: int) -> bool:
    """``os.get_blocking``: is O_NONBLOCK off on the open file?  EBADF."""
    return not _table()[operator.index(fd)].file.flags & O_NONBLOCK


def set_blocking(fd: int, blocking: bool) -> None:
    """``os.set_blocking``: set or clear O_NONBLOCK for all who share the open file.  EBADF."""
    flags = fcntl(fd, F_GETFL)
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK if blocking else flags | O_NONBLOCK)


def get_inheritable(fd: int) -> bool:
    """``os.get_inheritable``: does the number survive exec?  EBADF."""
    return not _table()[operator.index(fd)].cloexec


def set_inheritable(fd: int, inheritable: bool) -> None:
    """``os.set_inheritable``: clear or set close-on-exec of this number.  EBADF."""
    fcntl(fd, F_SETFD, 0 if inheritable else FD_CLOEXEC)


def ioctl(fd: int, request: int, argument: int = 0) -> int:
    """ioctl(2): FIONREAD returns the bytes that wait to be read, FIONBIO sets O_NONBLOCK.

    EBADF; ENOTTY for another request, or an object without that count.
    """
    file = _table()[operator.index(fd)].file
    if request == FIONREAD:
        return call("ioctl", lambda fd, request: file.unread(), fd, request)
    if request == FIONBIO:
        set_blocking(fd, not argument)
        return 0
    fail(errno.ENOTTY, f"ioctl request {request:#x} is not modelled")


def getrlimit(resource: int) -> tuple[int, int]:
    """getrlimit(2): (soft, hard).  Only RLIMIT_NOFILE is modelled."""
    _only_nofile(resource)
    table = _table()
    return table.limit, table.hard_limit


def setrlimit(resource: int, limits: tuple[int, int]) -> None:
    """setrlimit(2): RLIMIT_NOFILE bounds descriptor *numbers*; open ones stay.

    EINVAL if soft > hard, EPERM for a higher hard limit.
    """
    _only_nofile(resource)
    soft, hard = map(operator.index, limits)
    table = _table()

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


# -- pipes, reading and writing


def pipe() -> tuple[int, int]:
    """``os.pipe``: (read end, write end), the two lowest free numbers.

    Close-on-exec, as Python makes them; fork inherits them all the same.
    EMFILE makes neither.
    """
    return pipe2(O_CLOEXEC)


def pipe2(flags: int) -> tuple[int, int]:
    """pipe2(2): as ``pipe``; flags O_NONBLOCK and O_CLOEXEC, else EINVAL.

    A pipe holds 16 pages, 65536 bytes when each is full.  Not modelled:
    packet mode (O_DIRECT).
    """
    body = current()

    def make(flags: int) -> tuple[int, int]:
        files = body.machine.pipe(flags)
        read_end, write_end = body.process.table.open(*files, cloexec=bool(flags & O_CLOEXEC))
        return read_end.fd, write_end.fd

    return call("pipe2", make, operator.index(flags))


async def read(fd: int, n: int) -> bytes:
    """read(2): up to ``n`` bytes; b"" at the end of the file.

    Blocks while nothing is there and somebody could still write; EAGAIN with
    O_NONBLOCK.  Reading 0 bytes returns b"" at once.  Errors: EBADF (also for
    the write end of a pipe), EINVAL (``n < 0``), ECONNRESET (socket).
    """
    entry = _table().get(operator.index(fd)) or await _not_open("read", fd, n)
    return await syscall("read", entry, entry.file.read, _size(n))


async def write(fd: int, data: Buffer) -> int:
    """write(2): how many bytes of ``data`` were taken.

    Blocks until all are; with O_NONBLOCK it takes what fits, EAGAIN if nothing
    does.  At most PIPE_BUF bytes enter a pipe in one piece.  Errors: EBADF,
    EPIPE with SIGPIPE (no reader; SIGPIPE starts ignored).  Under cancellation,
    and when the readers go, a write that has moved something returns its count.
    """
    entry = _table().get(operator.index(fd)) or await _not_open("write", fd, data)
    data = _buffer(data)
    if len(data) <= entry.file.whole_max or entry.file.flags & O_NONBLOCK:
        return await syscall("write", entry, entry.file.write, data)
    return await _write_long("write", entry, LongWrite(entry.file.write, data))


async def _write_long(name: str, entry: Descriptor, long: LongWrite) -> int:
    moved = await syscall(name, entry, long)
    if long.signalled:
        current().broken_pipe()
    return moved


# -- sockets


def socketpair(
    family: int = sockets.AF_UNIX, type: int = sockets.SOCK_STREAM, proto: int = 0
) -> tuple[int, int]:
    """socketpair(2): two connected UNIX sockets, the two lowest free numbers.

    Close-on-exec, as Python makes them.  ``type`` is SOCK_STREAM or SOCK_DGRAM,
    with SOCK_NONBLOCK if wished.  Errors: EOPNOTSUPP (INET), EAFNOSUPPORT,
    ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE.  Not modelled:
    SOCK_SEQPACKET.
    """
    body = current()

    def make(family: int, kind: int, protocol: int) -> tuple[int, int]:
        files = body.machine.socketpair(family, kind, protocol)
        one, other = body.process.table.open(*files, cloexec=True)
        return one.fd, other.fd

    return call(
        "socketpair", make, operator.index(family), operator.index(type), operator.index(proto)
    )


async def send(fd: int, data: Buffer, flags: int = 0) -> int:
    """send(2): how many bytes of ``data`` were taken; a datagram goes whole.

    Blocks while SO_SNDBUF is full, a stream until all bytes are in; EAGAIN
    with O_NONBLOCK or MSG_DONTWAIT.  Errors: EBADF, ENOTSOCK, EPIPE (with
    SIGPIPE on a stream, unless MSG_NOSIGNAL), ECONNREFUSED, ENOTCONN and
    EMSGSIZE (datagram).  Under cancellation, and when the peer goes, a stream
    that has moved something returns its count.  Not modelled: MSG_OOB.
    """
    entry = _table().get(operator.index(fd)) or await _not_open("send", fd, data, flags)
    data, flags = _buffer(data), operator.index(flags)
    dontwait = bool(flags & sockets.MSG_DONTWAIT)
    if dontwait or len(data) <= entry.file.whole_max or entry.file.flags & O_NONBLOCK:
        return await syscall("send", entry, entry.file.send, data, flags, dontwait=dontwait)
    return await _write_long("send", entry, LongWrite(entry.file.send, data, flags))


async def recv(fd: int, n: int, flags: int = 0) -> bytes:
    """recv(2): up to ``n`` bytes of a stream, or one datagram cut to ``n``.

    b"" is the end of a stream.  Blocks while nothing is there; EAGAIN with
    O_NONBLOCK or MSG_DONTWAIT.  MSG_PEEK takes nothing; MSG_WAITALL waits for
    all ``n`` bytes of a stream, and under cancellation returns what it has.
    Errors: EBADF, ENOTSOCK, EINVAL (``n < 0``, MSG_OOB without such data),
    ECONNRESET once if the peer closed with unread data.
    """
    entry = _table().get(operator.index(fd)) or await _not_open("recv", fd, n, flags)
    size, flags = _size(n), operator.index(flags)
    dontwait = bool(flags & sockets.MSG_DONTWAIT)
    impatient = dontwait or entry.file.flags & O_NONBLOCK or flags & sockets.MSG_PEEK
    if flags & sockets.MSG_WAITALL and not impatient and entry.file.is_stream:
        return await syscall("recv", entry, WaitAll(entry.file.recv, size, flags))
    return await syscall("recv", entry, entry.file.recv, size, flags, dontwait=dontwait)


def shutdown(fd: int, how: int) -> None:
    """shutdown(2): shut receiving (SHUT_RD), sending (SHUT_WR) or both, for all
    who share the socket.  Wakes who sleeps on either side.

    Errors: EBADF, ENOTSOCK, EINVAL (``how``).
    """
    file = _table()[operator.index(fd)].file
    call("shutdown", lambda fd, how: file.shutdown(how), fd, operator.index(how))


async def poll(
    requests: Sequence[tuple[int, int]], timeout_s: float | None = None
) -> list[tuple[int, int]]:
    """poll(2): which of ``(descriptor, events)`` are ready, as ``(descriptor, mask)``.

    In the order asked.  Blocks until one is, or for ``timeout_s`` seconds (0:
    not at all; None or negative: for ever), then [].  ERR, HUP and NVAL (not open) come
    unasked; negative descriptors are skipped.
    """
    pairs = [(operator.index(fd), operator.index(events)) for fd, events in requests]
    body = current()
    poll = Poll(body.process.table, pairs)
    if timeout_s is not None and math.isnan(timeout_s):
        raise ValueError("timeout_s is a time in seconds, not NaN")
    if timeout_s == 0:
        return await syscall("poll", None, lambda _: poll.ready(), pairs)
    until_ns = None
    if timeout_s is not None and 0 < timeout_s != math.inf:
        until_ns = body.simulation.timers.now() + nanoseconds(timeout_s)
    return await syscall("poll", None, poll, until_ns=until_ns)


# -- processes


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


def kill(pid: int, sig: int) -> None:
    """kill(2): send a signal to a process, a group (negative; 0: one's own) or all (-1).

    Signal 0 only asks whether there is somebody.  Errors: ESRCH, EINVAL.
    A fatal signal to oneself does not return.  Not modelled: permissions.
    """
    body = current()
    call(
        "kill",
        lambda pid, sig: body.machine.kill(body, pid, sig),
        operator.index(pid),
        operator.index(sig),
    )


def signal(sig: int, handler: Disposition, flags: int = 0, mask: Sequence[int] = ()) -> Disposition:
    """signal(2): SIG_DFL or SIG_IGN for a signal; returns the former.

    SIGPIPE and SIGXFSZ start ignored, as CPython has them.  EINVAL for
    SIGKILL, SIGSTOP and what is no signal.  Not modelled: handler functions,
    and with them ``flags`` and ``mask``.
    """
    if flags or mask:
        raise Unsupported("asyncipc does not model signal flags and masks yet")
    if not isinstance(handler, Disposition):
        raise Unsupported("asyncipc does not model signal handlers yet: SIG_DFL and SIG_IGN only")
    body = current()

    def wish(sig: int, handler: Disposition) -> Disposition:
        return body.machine.set_disposition(body, sig, handler)

    return call("signal", wish, operator.index(sig), handler)


def getpid() -> int:
    """getpid(2)"""
    return current().process.pid


def getppid() -> int:
    """getppid(2): 1 if the parent has ended."""
    parent = current().process.parent
    return 0 if parent is None else parent.pid
