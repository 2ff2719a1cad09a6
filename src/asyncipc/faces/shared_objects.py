"""Shared memory objects by name, and memory maps of them: shm_open(3), mmap(2).

An object ``/x`` is the file ``/dev/shm/x``, as it is for glibc.  The name may begin
with any number of slashes, or with none; another one in it is EINVAL.
"""

from __future__ import annotations

import errno
from stat import S_ISREG
from typing import Final

from asyncipc.errors import Unsupported, fail
from asyncipc.faces.memory_map import MemoryMap
from asyncipc.faces.paths import to_kernel_path
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.files.opening import AT_FDCWD
from asyncipc.kernel.memory.contents import PAGE
from asyncipc.kernel.memory.mmap import MAP_ANONYMOUS
from asyncipc.kernel.openfile import O_CLOEXEC
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

DIRECTORY: Final = b"/dev/shm/"
O_NOFOLLOW: Final = 0o400000


def path_of(name: str, invalid: int) -> bytes:
    """The file of an object (__shm_get_name in glibc); ``invalid``: what a bad name fails with."""
    short = to_kernel_path(name).lstrip(b"/")
    if not short or b"/" in short:
        fail(invalid)
    return DIRECTORY + short


def open_object(name: str, flags: int, mode: int) -> Descriptor:
    """shm_open(3): close-on-exec, with the bits of ``mode`` that the umask leaves."""
    path = path_of(name, errno.EINVAL)
    flags |= O_CLOEXEC | O_NOFOLLOW
    body = current()
    opening = body.machine.open(body, path, flags, mode)
    table = body.process.table
    opened: list[Descriptor] = []

    def attempt(directory: int, path: bytes, flags: int, mode: int) -> int:
        table.check_room()
        file = opening()
        if isinstance(file, WouldBlock):
            raise Unsupported("asyncipc does not model shm_open() of a FIFO that waits")
        opened.extend(table.open(file, cloexec=True))
        return opened[0].fd

    try:
        call("openat", attempt, AT_FDCWD, path, flags, mode)
    except IsADirectoryError:  # "/." and "/.."
        fail(errno.EINVAL)
    finally:
        opening.forget()
    return opened[0]


def unlink_object(name: str) -> None:
    """shm_unlink(3)"""
    path = path_of(name, errno.ENOENT)
    body = current()
    names, process = body.machine.names, body.process
    try:
        call("unlink", lambda path: names.unlink(process, path), path)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        fail(errno.EACCES)


def map_memory(fd: int, length: int, flags: int, protection: int, offset: int) -> MemoryMap:
    """mmap(2) with the checks of Python's ``mmap.mmap`` before it; ``fd`` -1: anonymous."""
    if length < 0:
        raise OverflowError("memory mapped length must be positive")
    if offset < 0:
        raise OverflowError("memory mapped offset must be positive")
    body = current()
    entry = None if fd == -1 else body.process.table.get(fd)
    if entry is not None:
        status = entry.file.status()
        if S_ISREG(status.mode):
            length = _fitting(status.size, length, offset)

    def attempt(length: int, protection: int, flags: int, fd: int, offset: int) -> MemoryMap:
        if offset % PAGE:
            fail(errno.EINVAL)
        file = None if fd == -1 else body.process.table[fd].file
        if flags & MAP_ANONYMOUS:  # Linux does not look at the descriptor, Python has
            file = None
        mapping = body.machine.mmap(body, file, length, flags, protection, offset)
        return MemoryMap(body.machine, mapping)

    return call("mmap", attempt, length, protection, flags, fd, offset)


def _fitting(size: int, length: int, offset: int) -> int:
    """The length that is meant, 0 being all.  ValueError."""
    if not length:
        if not size:
            raise ValueError("cannot mmap an empty file")
        if offset >= size:
            raise ValueError("mmap offset is greater than file size")
        return size - offset
    if offset > size or size - offset < length:
        raise ValueError("mmap length is greater than file size")
    return length
