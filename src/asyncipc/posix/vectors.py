"""Calls that read into several buffers at once, or write from several: readv(2) and its like.

A vector is one call on one object: its octets go into a pipe as one write (what
PIPE_BUF counts is their sum), to a datagram socket as one datagram.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.openfile import OpenFile
from asyncipc.posix.arguments import entry_of, file_of, flags_of, not_open, octets, size_of
from asyncipc.posix.constants import (
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    RWF_APPEND,
    RWF_DSYNC,
    RWF_HIPRI,
    RWF_SYNC,
)
from asyncipc.posix.files import write_whole
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "preadv",
    "pwritev",
    "readv",
    "writev",
]

Room: TypeAlias = "bytearray | memoryview"

IOV_MAX: Final = 1024


async def readv(fd: int, buffers: Sequence[Room]) -> int:
    """readv(2): read into ``buffers``, one after the other; how many octets in all.

    Blocks and fails as ``read`` of their sum.  Without room it returns 0 and takes
    nothing.  EINVAL for more than 1024 buffers; BufferError for one that cannot be
    written.
    """
    entry = entry_of(fd) or await not_open("readv", fd, buffers)
    rooms = [_room(buffer) for buffer in buffers]
    size = sum(map(len, rooms))
    if not size or len(rooms) > IOV_MAX:
        return await syscall("readv", entry, lambda _: _empty(entry.file, rooms, O_RDONLY), rooms)
    return _scatter(await syscall("readv", entry, entry.file.read, size), rooms)


async def writev(fd: int, buffers: Sequence[Buffer]) -> int:
    """writev(2): write all ``buffers``, in order and as one piece; how many octets in all.

    Blocks and fails as ``write`` of their sum.  Without octets it does nothing: no
    empty datagram.  EINVAL for more than 1024 buffers.
    """
    entry = entry_of(fd) or await not_open("writev", fd, buffers)
    parts = [octets(buffer) for buffer in buffers]
    data = b"".join(parts)
    if not data or len(parts) > IOV_MAX:
        return await syscall("writev", entry, lambda _: _empty(entry.file, parts, O_WRONLY), parts)
    return await write_whole("writev", entry, data)


def preadv(fd: int, buffers: Sequence[Room], offset: int, flags: int = 0) -> int:
    """preadv2(2): ``readv`` from ``offset``, which stays for others.

    RWF_HIPRI, RWF_DSYNC and RWF_SYNC change nothing here; EOPNOTSUPP for other
    ``flags``.  EBADF, EINVAL (below 0), ESPIPE.  Not modelled, and refused:
    offset -1 (use ``readv``).
    """
    rooms = [_room(buffer) for buffer in buffers]

    def verb(fd: int, rooms: Sequence[Room], offset: int, flags: int) -> bytes:
        file = file_of(fd)
        _check_flags(flags)
        size = sum(map(len, rooms))
        if not size or len(rooms) > IOV_MAX:
            with suppress(IsADirectoryError):  # nobody asks a directory for nothing
                file.read_at(0, offset)
            _empty(file, rooms, O_RDONLY)
            return b""
        return file.read_at(size, offset)

    return _scatter(call("preadv2", verb, fd, rooms, _offset(offset), flags_of(flags)), rooms)


def pwritev(fd: int, buffers: Sequence[Buffer], offset: int, flags: int = 0) -> int:
    """pwritev2(2): ``writev`` to ``offset``, which stays for others.

    As ``preadv``.  Not modelled, and refused: RWF_APPEND.
    """
    parts = [octets(buffer) for buffer in buffers]

    def verb(fd: int, parts: Sequence[Buffer], offset: int, flags: int) -> int:
        file = file_of(fd)
        if flags & RWF_APPEND:
            raise Unsupported("asyncipc does not model RWF_APPEND: open the file with O_APPEND")
        _check_flags(flags)
        if len(parts) > IOV_MAX:
            file.write_at(b"", offset)
            fail(errno.EINVAL)
        written = file.write_at(b"".join(parts), offset)
        if flags & (RWF_DSYNC | RWF_SYNC):
            file.synchronize()
        return written

    return call("pwritev2", verb, fd, parts, _offset(offset), flags_of(flags))


def _offset(offset: int) -> int:
    if offset == -1:
        raise Unsupported("asyncipc does not model preadv2() and pwritev2() at offset -1")
    return size_of(offset)


def _check_flags(flags: int) -> None:
    if flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC):
        fail(errno.EOPNOTSUPP)


def _room(buffer: Room) -> memoryview:
    view = memoryview(buffer).cast("B")
    if view.readonly:  # told now, as long as nothing has been taken
        raise BufferError("Object is not writable.")
    return view


def _empty(file: OpenFile, vector: Sequence[Buffer], access: int) -> int:
    """vfs_readv(): what the file is open for, and can, counts even if there is nothing to do."""
    if file.flags & (O_WRONLY | O_RDWR) not in {access, O_RDWR}:
        fail(errno.EBADF)
    if access == O_RDONLY:
        able = type(file).read is not OpenFile.read
    else:
        able = type(file).write is not OpenFile.write
    if not able or len(vector) > IOV_MAX:
        fail(errno.EINVAL)
    return 0


def _scatter(data: bytes, rooms: Sequence[memoryview]) -> int:
    done = 0
    for room in rooms:
        part = data[done : done + len(room)]
        room[: len(part)] = part
        done += len(part)
    return done
