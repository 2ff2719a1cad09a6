"""Regular files as channels: read, written and searched, never waited for."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar, TypeVarTuple, final

from anyio.abc import AsyncResource

from asyncipc.faces.calls import retried
from asyncipc.faces.channels import Channel
from asyncipc.faces.paths import Path, open_path
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.files.namespace import O_CREAT, O_EXCL, O_TRUNC
from asyncipc.kernel.openfile import O_APPEND, O_CLOEXEC, O_RDONLY, O_RDWR, O_WRONLY
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

T = TypeVar("T")
Args = TypeVarTuple("Args")

MODES: Final = {
    "rb": O_RDONLY,
    "r+b": O_RDWR,
    "wb": O_WRONLY | O_CREAT | O_TRUNC,
    "w+b": O_RDWR | O_CREAT | O_TRUNC,
    "ab": O_WRONLY | O_CREAT | O_APPEND,
    "a+b": O_RDWR | O_CREAT | O_APPEND,
    "xb": O_WRONLY | O_CREAT | O_EXCL,
    "x+b": O_RDWR | O_CREAT | O_EXCL,
}


@final
class FileChannel(Channel, AsyncResource):
    """A regular file with the names of Python's unbuffered one; no call of it ever waits.

    Each is one system call and takes effect whole.  ``fd`` can be locked and mapped.
    Closed: ClosedResourceError; else the OSError that Linux gives.
    """

    __slots__ = ()

    async def read(self, size: int = -1) -> bytes:
        """read(2): up to ``size`` octets from the offset on, all of them below 0."""
        wanted = max(0, -self.tell() + self._size()) if size < 0 else size
        return await self._retried("read", self.file.read, wanted)

    async def write(self, data: Buffer) -> int:
        """write(2): how many octets were written, which is all."""
        return await self._retried("write", self.file.write, data)

    async def read_at(self, size: int, offset: int) -> bytes:
        """pread(2): the offset of the file stays."""
        return await self._retried("pread64", self.file.read_at, size, offset)

    async def write_at(self, data: Buffer, offset: int) -> int:
        """pwrite(2): the offset of the file stays; at its end if it was opened to append."""
        return await self._retried("pwrite64", self.file.write_at, data, offset)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """lseek(2): the new offset, from the start."""
        self.check_open()
        return call("lseek", self.file.seek, offset, whence)

    def tell(self) -> int:
        """The offset."""
        return self.seek(0, os.SEEK_CUR)

    def truncate(self, size: int | None = None) -> int:
        """ftruncate(2): cut or grow to ``size``, or to the offset; the size."""
        length = self.tell() if size is None else size
        self.check_open()
        call("ftruncate", self.file.truncate, length)
        return length

    async def _retried(self, name: str, verb: Callable[[*Args], T | WouldBlock], *args: *Args) -> T:
        def attempt() -> Awaitable[T]:
            self.check_open()
            return syscall(name, self, verb, *args)

        return await retried(attempt)

    def _size(self) -> int:
        return self.file.status().size


async def open_file(path: Path, mode: str = "rb") -> FileChannel:
    """open(2) of a regular file; ``mode`` as for Python's ``open``, binary only.

    It owns the lowest free descriptor of this process.  Errors: ENOENT, EEXIST
    ("x"), EACCES, EISDIR, EMFILE; ValueError for another ``mode``, and for what is
    no regular file.
    """
    wanted = "".join(sorted(mode, key="rwax+b".find))
    if wanted not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode!r}")
    body = current()
    flags = MODES[wanted] | O_CLOEXEC
    entry = await retried(partial(open_path, path, flags, 0o666))
    if entry.file.channel_kind != "file":
        call("close", body.process.table.close, entry.fd)
        raise ValueError(f"{os.fsdecode(path)!r} is no regular file")
    return FileChannel(body, entry)
