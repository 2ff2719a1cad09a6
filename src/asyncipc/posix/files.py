"""Calls on pipes and files: reading and writing, and the position where that is done."""

from __future__ import annotations

import operator

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.transfer import LongWrite
from asyncipc.posix.arguments import entry_of, file_of, not_open, octets, size_of
from asyncipc.posix.constants import O_CLOEXEC, O_NONBLOCK
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "fdatasync",
    "fsync",
    "ftruncate",
    "lseek",
    "pipe",
    "pipe2",
    "pread",
    "pwrite",
    "read",
    "write",
]


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
    O_NONBLOCK.  A regular file never blocks: it is read from its offset, which
    moves on.  Reading 0 bytes returns b"" at once.  Errors: EBADF (also for the
    write end of a pipe, and O_WRONLY), EINVAL (``n < 0``), ECONNRESET (socket).
    """
    entry = entry_of(fd) or await not_open("read", fd, n)
    return await syscall("read", entry, entry.file.read, size_of(n))


async def write(fd: int, data: Buffer) -> int:
    """write(2): how many bytes of ``data`` were taken.

    Blocks until all are; with O_NONBLOCK it takes what fits, EAGAIN if nothing
    does.  At most PIPE_BUF bytes enter a pipe in one piece.  A regular file takes
    all at once, at its offset, or with O_APPEND at its end.  Errors: EBADF, EFBIG,
    EPIPE with SIGPIPE (no reader; SIGPIPE starts ignored).  Under cancellation,
    and when the readers go, a write that has moved something returns its count.
    """
    entry = entry_of(fd) or await not_open("write", fd, data)
    data = octets(data)
    if len(data) <= entry.file.whole_max or entry.file.flags & O_NONBLOCK:
        return await syscall("write", entry, entry.file.write, data)
    return await write_long("write", entry, LongWrite(entry.file.write, data))


async def write_whole(name: str, entry: Descriptor, data: Buffer) -> int:
    """As ``write`` does, for who has looked the descriptor up."""
    file = entry.file
    if len(data) <= file.whole_max or file.flags & O_NONBLOCK:
        return await syscall(name, entry, file.write, data)
    return await write_long(name, entry, LongWrite(file.write, data))


async def write_long(name: str, entry: Descriptor, long: LongWrite) -> int:
    moved = await syscall(name, entry, long)
    if long.signalled:
        current().broken_pipe()
    return moved


def lseek(fd: int, position: int, whence: int = 0) -> int:
    """lseek(2): move the offset of the open file; the new one, from the start.

    ``whence``: SEEK_SET, SEEK_CUR, SEEK_END; SEEK_DATA and SEEK_HOLE look for
    what has been written, and what has not, from ``position`` on.  Errors: EBADF,
    EINVAL, ENXIO (nothing to find, or behind the end), ESPIPE (no regular file).
    """
    return call(
        "lseek",
        lambda fd, *args: file_of(fd).seek(*args),
        operator.index(fd),
        operator.index(position),
        operator.index(whence),
    )


def pread(fd: int, n: int, offset: int) -> bytes:
    """pread(2): ``read`` from ``offset``; that of the file stays.  EINVAL (below 0), ESPIPE."""
    return call(
        "pread64",
        lambda fd, *args: file_of(fd).read_at(*args),
        operator.index(fd),
        size_of(n),
        size_of(offset),
    )


def pwrite(fd: int, data: Buffer, offset: int) -> int:
    """pwrite(2): ``write`` to ``offset``; that of the file stays.  EINVAL (below 0), ESPIPE.

    With O_APPEND it writes at the end, whatever ``offset`` (Linux).
    """
    return call(
        "pwrite64",
        lambda fd, *args: file_of(fd).write_at(*args),
        operator.index(fd),
        octets(data),
        size_of(offset),
    )


def ftruncate(fd: int, length: int) -> None:
    """ftruncate(2): cut a file, or let it grow by a hole, which reads as zeros.

    EBADF; EINVAL below 0, for what is no regular file or not open to write.
    """
    call(
        "ftruncate",
        lambda fd, length: file_of(fd).truncate(length),
        operator.index(fd),
        size_of(length),
    )


def fsync(fd: int) -> None:
    """fsync(2): there is no disk, so all is where it should be.  EBADF, EINVAL (no file).

    On the native machine there may be one, and all tasks wait for it.
    """
    call("fsync", lambda fd: file_of(fd).synchronize(), operator.index(fd))


def fdatasync(fd: int) -> None:
    """fdatasync(2): as ``fsync``."""
    call("fdatasync", lambda fd: file_of(fd).synchronize(), operator.index(fd))
