"""Operations on what has a path: FIFOs, socket files, directories."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Fd

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


def ftruncate(fd: int, length: int) -> None:
    posix.ftruncate(fd, length)


def fsize(fd: int) -> int:
    return posix.fstat(fd).st_size


def ftype(path: int | str) -> str:
    found = posix.fstat(path) if isinstance(path, int) else posix.stat(path)
    return stat.filemode(found.st_mode)[0]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "chmod": chmod,
    "exists": exists,
    "fsize": fsize,
    "ftruncate": ftruncate,
    "ftype": ftype,
    "isdir": isdir,
    "lseek": lseek,
    "mkdir": mkdir,
    "mkfifo": mkfifo,
    "mode": mode,
    "open": open_path,
    "pread": pread,
    "pwrite": pwrite,
    "rename": rename,
    "rmdir": rmdir,
    "sys_open": sys_open,
    "umask": umask,
    "unlink": unlink,
}
