"""Calls on pipes; reading and writing, and the position where that is done."""

from __future__ import annotations

import operator

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.transfer import LongWrite
from asyncipc.posix.arguments import entry_of, file_of, not_open, octets, size_of
from asyncipc.posix.constants import O_CLOEXEC, O_NONBLOCK
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall


def pipe() -> tuple[int, int]:
    """``os.pipe``: (read end, write end), the two lowest free numbers.

    Close-on-exec, as Python makes them; fork inherits them all the same.
    EMFILE makes neither.
    """
    return pipe2(O_CLOEXEC)


def pipe2(flags: int) -> tuple[int, int]:
    """pipe2(2): as ``pipe``; flags O_NONBLOCK, O_CLOEXEC and O_DIRECT, else EINVAL.

    A pipe holds 16 pages, 65536 bytes when each is full.  With O_DIRECT each
    write of up to PIPE_BUF bytes is a packet: a read takes one, and drops what
    it does not take of it.
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
    entry = entry_of(fd) or await not_open("read", fd, n)
    return await syscall("read", entry, entry.file.read, size_of(n))


async def write(fd: int, data: Buffer) -> int:
    """write(2): how many bytes of ``data`` were taken.

    Blocks until all are; with O_NONBLOCK it takes what fits, EAGAIN if nothing
    does.  At most PIPE_BUF bytes enter a pipe in one piece.  Errors: EBADF,
    EPIPE with SIGPIPE (no reader; SIGPIPE starts ignored).  Under cancellation,
    and when the readers go, a write that has moved something returns its count.
    """
    entry = entry_of(fd) or await not_open("write", fd, data)
    data = octets(data)
    if len(data) <= entry.file.whole_max or entry.file.flags & O_NONBLOCK:
        return await syscall("write", entry, entry.file.write, data)
    return await write_long("write", entry, LongWrite(entry.file.write, data))


async def write_long(name: str, entry: Descriptor, long: LongWrite) -> int:
    moved = await syscall(name, entry, long)
    if long.signalled:
        current().broken_pipe()
    return moved


def lseek(fd: int, position: int, whence: int = 0) -> int:
    """lseek(2): move the offset of the open file.  EBADF; ESPIPE for what has none.

    No object that is modelled has one: no regular files.  ``pread``, ``pwrite``
    and ``ftruncate`` are there for the same reason, to fail as outside.
    """
    return call(
        "lseek",
        lambda fd, *args: file_of(fd).seek(*args),
        operator.index(fd),
        operator.index(position),
        operator.index(whence),
    )


def pread(fd: int, n: int, offset: int) -> bytes:
    """pread(2): read from ``offset``.  EBADF, EINVAL (below 0), ESPIPE."""
    return call(
        "pread64",
        lambda fd, *args: file_of(fd).read_at(*args),
        operator.index(fd),
        size_of(n),
        size_of(offset),
    )


def pwrite(fd: int, data: Buffer, offset: int) -> int:
    """pwrite(2): write to ``offset``.  EBADF, EINVAL (below 0), ESPIPE."""
    return call(
        "pwrite64",
        lambda fd, *args: file_of(fd).write_at(*args),
        operator.index(fd),
        octets(data),
        size_of(offset),
    )


def ftruncate(fd: int, length: int) -> None:
    """ftruncate(2): set the length of a file.  EBADF, EINVAL (below 0, or no regular file)."""
    call(
        "ftruncate",
        lambda fd, length: file_of(fd).truncate(length),
        operator.index(fd),
        size_of(length),
    )
