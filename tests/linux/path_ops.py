"""Operations on what has a path: FIFOs, socket files, directories."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from os import O_DIRECTORY, O_RDONLY
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Fd, Value

FILE_MODE: Final = 0o600


async def open_path(path: str, flags: int, mode: int = FILE_MODE) -> Fd:
    """``os.open``, which makes descriptors close-on-exec."""
    return Fd(await retried(posix.open, path, flags | posix.O_CLOEXEC, mode))


async def sys_open(path: str, flags: int) -> Fd:
    return Fd(await posix.open(path, flags, FILE_MODE))


def mkfifo(path: str) -> None:
    posix.mkfifo(path)


def mkdir(path: str, mode: int = 0o777) -> None:
    posix.mkdir(path, mode)


def unlink(path: str) -> None:
    posix.unlink(path)


def rmdir(path: str) -> None:
    posix.rmdir(path)


def rename(former: str, new: str) -> None:
    posix.rename(former, new)


def link(path: str, new: str) -> None:
    posix.link(path, new)


def nlink(path: int | str) -> int:
    return _status(path).st_nlink


def blocks(path: int | str) -> int:
    return _status(path).st_blocks


def listdir(path: str) -> list[str]:
    return sorted(posix.listdir(path))


def fsync(fd: int) -> None:
    posix.fsync(fd)


def preadv(fd: int, sizes: list[int], offset: int) -> Value:
    """[how many octets, each buffer]"""
    buffers = [bytearray(size) for size in sizes]
    got = posix.preadv(fd, buffers, offset)
    return [got, *map(bytes, buffers)]


def pwritev(fd: int, buffers: list[bytes], offset: int) -> int:
    return posix.pwritev(fd, buffers, offset)


def chmod(path: str, mode: int) -> None:
    posix.chmod(path, mode)


def umask(mask: int) -> int:
    return posix.umask(mask)


def exists(path: str) -> int:
    try:
        posix.stat(path)
    except OSError:
        return 0
    return 1


def isdir(path: str) -> int:
    return int(exists(path) and stat.S_ISDIR(posix.stat(path).st_mode))


def mode(path: str) -> str:
    return oct(stat.S_IMODE(posix.stat(path).st_mode))


def lseek(fd: int, position: int, whence: int = 0) -> int:
    return posix.lseek(fd, position, whence)


def pread(fd: int, n: int, offset: int) -> bytes:
    return posix.pread(fd, n, offset)


def pwrite(fd: int, data: bytes, offset: int) -> int:
    return posix.pwrite(fd, data, offset)


def truncate(path: str, length: int) -> None:
    posix.truncate(path, length)


async def opendirfd(path: str) -> Fd:
    return await open_path(path, O_RDONLY | O_DIRECTORY)


def ftruncate(fd: int, length: int) -> None:
    posix.ftruncate(fd, length)


def fsize(fd: int) -> int:
    return posix.fstat(fd).st_size


def ftype(path: int | str) -> str:
    return stat.filemode(_status(path).st_mode)[0]


def _status(path: int | str) -> os.stat_result:
    return posix.fstat(path) if isinstance(path, int) else posix.stat(path)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "blocks": blocks,
    "chmod": chmod,
    "exists": exists,
    "fsize": fsize,
    "fsync": fsync,
    "ftruncate": ftruncate,
    "ftype": ftype,
    "isdir": isdir,
    "link": link,
    "listdir": listdir,
    "lseek": lseek,
    "mkdir": mkdir,
    "mkfifo": mkfifo,
    "mode": mode,
    "nlink": nlink,
    "open": open_path,
    "opendirfd": opendirfd,
    "pread": pread,
    "preadv": preadv,
    "pwrite": pwrite,
    "pwritev": pwritev,
    "rename": rename,
    "rmdir": rmdir,
    "sys_open": sys_open,
    "truncate": truncate,
    "umask": umask,
    "unlink": unlink,
}
