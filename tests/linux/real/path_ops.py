"""Operations on what has a path: files, FIFOs, socket files, directories."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Final

from tests.linux.oplang import Fd, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, TEXT, function

FILE_MODE: Final = 0o600

_open: Final = function("open", TEXT, INT)
"""With ``...`` behind: the mode is passed as it is."""


def open_path(path: str, flags: int, mode: int = FILE_MODE) -> Value:
    return Fd(os.open(path, flags, mode))


def opendirfd(path: str) -> Value:
    return Fd(os.open(path, os.O_RDONLY | os.O_DIRECTORY))


def sys_open(path: str, flags: int) -> Value:
    return Fd(_open(path.encode(), flags, FILE_MODE))


def exists(path: str) -> Value:
    return int(os.path.lexists(path))


def isdir(path: str) -> Value:
    return int(os.path.isdir(path))


def listdir(path: str) -> Value:
    return [*sorted(os.listdir(path))]


def preadv(fd: int, sizes: list[int], offset: int) -> Value:
    """[how many octets, each buffer]"""
    buffers = [bytearray(size) for size in sizes]
    got = os.preadv(fd, buffers, offset)
    return [got, *map(bytes, buffers)]


def mode(path: str) -> Value:
    return oct(stat.S_IMODE(os.lstat(path).st_mode))


def fsize(fd: int) -> Value:
    return os.fstat(fd).st_size


def ftype(path: int | str) -> Value:
    return stat.filemode(_status(path).st_mode)[0]


def nlink(path: int | str) -> Value:
    return _status(path).st_nlink


def blocks(path: int | str) -> Value:
    return _status(path).st_blocks


def lseek(fd: int, position: int, whence: int = 0) -> Value:
    return os.lseek(fd, position, whence)


def mkdir(path: str, mode: int = 0o777) -> None:
    os.mkdir(path, mode)


def mkfifo(path: str) -> None:
    os.mkfifo(path)


def _status(path: int | str) -> os.stat_result:
    return os.fstat(path) if isinstance(path, int) else os.lstat(path)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "blocks": blocks,
    "chmod": os.chmod,
    "exists": exists,
    "fsize": fsize,
    "fsync": os.fsync,
    "ftruncate": os.ftruncate,
    "ftype": ftype,
    "isdir": isdir,
    "link": os.link,
    "listdir": listdir,
    "lseek": lseek,
    "mkdir": mkdir,
    "mkfifo": mkfifo,
    "mode": mode,
    "nlink": nlink,
    "open": open_path,
    "opendirfd": opendirfd,
    "pread": os.pread,
    "preadv": preadv,
    "pwrite": os.pwrite,
    "pwritev": os.pwritev,
    "rename": os.rename,
    "rmdir": os.rmdir,
    "sys_open": sys_open,
    "truncate": os.truncate,
    "umask": os.umask,
    "unlink": os.unlink,
}
