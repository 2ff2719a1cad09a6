"""Calls on pipes and on what has a path; reading and writing."""

from __future__ import annotations

import operator

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.transfer import LongWrite
from asyncipc.posix.arguments import not_open, octets, own_table, size_of
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
    entry = own_table().get(operator.index(fd)) or await not_open("read", fd, n)
    return await syscall("read", entry, entry.file.read, size_of(n))


async def write(fd: int, data: Buffer) -> int:
    """write(2): how many bytes of ``data`` were taken.

    Blocks until all are; with O_NONBLOCK it takes what fits, EAGAIN if nothing
    does.  At most PIPE_BUF bytes enter a pipe in one piece.  Errors: EBADF,
    EPIPE with SIGPIPE (no reader; SIGPIPE starts ignored).  Under cancellation,
    and when the readers go, a write that has moved something returns its count.
    """
    entry = own_table().get(operator.index(fd)) or await not_open("write", fd, data)
    data = octets(data)
    if len(data) <= entry.file.whole_max or entry.file.flags & O_NONBLOCK:
        return await syscall("write", entry, entry.file.write, data)
    return await write_long("write", entry, LongWrite(entry.file.write, data))


async def write_long(name: str, entry: Descriptor, long: LongWrite) -> int:
    moved = await syscall(name, entry, long)
    if long.signalled:
        current().broken_pipe()
    return moved
