"""Operations of shared memory: POSIX objects, mappings, segments of System V.

A mapping is the object that ``posix.mmap`` gives; it is read and written by
slices, as Python's is.
"""

from __future__ import annotations

from collections.abc import Mapping
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE
from typing import Any, Final

from asyncipc import posix
from asyncipc.faces.shared_memory import SharedMemory
from tests.linux.descriptor_ops import Operation
from tests.linux.oplang import Fd, Handle, Identifier, Value

FILE_MODE: Final = 0o600


# -- objects with a name, and without


def shm_open(name: str, flags: int, mode: int = FILE_MODE) -> Fd:
    return Fd(posix.shm_open(name, flags, mode))


def shm_unlink(name: str) -> None:
    posix.shm_unlink(name)


def memfd(name: str = "x", flags: int = 0) -> Fd:
    return Fd(posix.memfd_create(name, flags))


# -- mappings


def mmap(
    fd: int,
    length: int,
    flags: int = MAP_SHARED,
    protection: int = PROT_READ | PROT_WRITE,
    offset: int = 0,
) -> Handle:
    return Handle(posix.mmap(fd, length, flags, protection, offset))


def mlen(mapping: Any) -> int:
    return len(mapping)


def mread(mapping: Any, offset: int, n: int) -> bytes:
    return bytes(mapping[offset : offset + n])


def mwrite(mapping: Any, offset: int, data: bytes) -> int:
    mapping[offset : offset + len(data)] = data
    return len(data)


def mclose(mapping: Any) -> None:
    mapping.close()


def mresize(mapping: Any, length: int) -> None:
    mapping.resize(length)


def mflush(mapping: Any) -> None:
    mapping.flush()


# -- multiprocessing.shared_memory


def shared_memory(name: str, create: int = 0, size: int = 0) -> Handle:
    return Handle(SharedMemory(name.removeprefix("/"), bool(create), size))


def shmsize(memory: Any) -> int:
    size: int = memory.size
    return size


def shmread(memory: Any, offset: int, n: int) -> bytes:
    return bytes(memory.buf[offset : offset + n])


def shmwrite(memory: Any, offset: int, data: bytes) -> int:
    memory.buf[offset : offset + len(data)] = data
    return len(data)


def shmclose(memory: Any) -> None:
    memory.close()


def shmunlink(memory: Any) -> None:
    memory.unlink()


# -- segments of System V


def shmget(key: int, size: int, flags: int = 0) -> Identifier:
    return Identifier(posix.shmget(key, size, flags))


def shmat(segment: int, flags: int = 0) -> Handle:
    return Handle(posix.shmat(segment, flags))


def shmdt(mapping: Any) -> None:
    posix.shmdt(mapping)


def shmctl(segment: int, command: int) -> None:
    posix.shmctl(segment, command)


def shmnattch(segment: int) -> int:
    status = posix.shmctl(segment, posix.IPC_STAT)
    assert status is not None
    return status.shm_nattch


def shmstat(segment: int) -> Value:
    """[mode, octets, how many are attached]"""
    status = posix.shmctl(segment, posix.IPC_STAT)
    assert status is not None
    return [oct(status.mode), status.shm_segsz, status.shm_nattch]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "mclose": mclose,
    "memfd": memfd,
    "mflush": mflush,
    "mlen": mlen,
    "mmap": mmap,
    "mread": mread,
    "mresize": mresize,
    "mwrite": mwrite,
    "shared_memory": shared_memory,
    "shm_open": shm_open,
    "shm_unlink": shm_unlink,
    "shmat": shmat,
    "shmclose": shmclose,
    "shmctl": shmctl,
    "shmdt": shmdt,
    "shmget": shmget,
    "shmnattch": shmnattch,
    "shmpeek": mread,
    "shmpoke": mwrite,
    "shmread": shmread,
    "shmsize": shmsize,
    "shmstat": shmstat,
    "shmunlink": shmunlink,
    "shmwrite": shmwrite,
}
