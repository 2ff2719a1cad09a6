"""Operations of shared memory: POSIX objects, mappings, segments of System V."""

from __future__ import annotations

import ctypes
import mmap as mmap_module
import os
from collections.abc import Mapping
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE
from typing import Final, final

from tests.linux.oplang import Fd, Identifier, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, LONG, POINTER, SIZE, TEXT, UNSIGNED, function
from tests.linux.real.queue_ops import IPC_STAT, Permissions
from tests.linux.real.things import keep, thing

FILE_MODE: Final = 0o600


class SegmentStatus(ctypes.Structure):
    """``struct shmid_ds``"""

    _fields_ = (
        ("permissions", Permissions),
        ("octets", SIZE),
        ("times", LONG * 3),
        ("creator", INT),
        ("last", INT),
        ("attached", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong * 2),
    )


_shm_open: Final = function("shm_open", TEXT, INT, UNSIGNED)
_shm_unlink: Final = function("shm_unlink", TEXT)
_shmget: Final = function("shmget", INT, SIZE, INT)
_shmat: Final = function("shmat", INT, POINTER, INT, result=LONG)
_shmdt: Final = function("shmdt", POINTER)
_shmctl: Final = function("shmctl", INT, INT, POINTER)


# -- objects with a name, and without


def shm_open(name: str, flags: int, mode: int = FILE_MODE) -> Value:
    return Fd(_shm_open(name.encode(), flags, mode))


def shm_unlink(name: str) -> None:
    _shm_unlink(name.encode())


def memfd(name: str = "x", flags: int = 0) -> Value:
    return Fd(os.memfd_create(name, flags))


# -- mappings


def mmap(
    fd: int,
    length: int,
    flags: int = MAP_SHARED,
    protection: int = PROT_READ | PROT_WRITE,
    offset: int = 0,
) -> Value:
    return keep(mmap_module.mmap(fd, length, flags, protection, offset=offset))


def mlen(mapping: str) -> Value:
    return len(thing(mapping))


def mread(mapping: str, offset: int, n: int) -> Value:
    return bytes(thing(mapping)[offset : offset + n])


def mwrite(mapping: str, offset: int, data: bytes) -> Value:
    thing(mapping)[offset : offset + len(data)] = data
    return len(data)


def mclose(mapping: str) -> None:
    thing(mapping).close()


def mresize(mapping: str, length: int) -> None:
    thing(mapping).resize(length)


def mflush(mapping: str) -> None:
    thing(mapping).flush()


# -- multiprocessing.shared_memory


def shared_memory(name: str, create: int = 0, size: int = 0) -> Value:
    """Not told to the resource tracker, a process that no case describes."""
    from multiprocessing import resource_tracker, shared_memory

    resource_tracker.register = lambda *_: None
    resource_tracker.unregister = lambda *_: None
    return keep(shared_memory.SharedMemory(name.removeprefix("/"), bool(create), size))


def shmsize(memory: str) -> Value:
    return int(thing(memory).size)


def shmread(memory: str, offset: int, n: int) -> Value:
    return bytes(thing(memory).buf[offset : offset + n])


def shmwrite(memory: str, offset: int, data: bytes) -> Value:
    thing(memory).buf[offset : offset + len(data)] = data
    return len(data)


def shmclose(memory: str) -> None:
    thing(memory).close()


def shmunlink(memory: str) -> None:
    thing(memory).unlink()


# -- segments of System V


@final
class Attachment:
    def __init__(self, address: int, length: int) -> None:
        self.address = address
        self.length = length


def shmget(key: int, size: int, flags: int = 0) -> Value:
    return Identifier(_shmget(key, size, flags))


def shmat(segment: int, flags: int = 0) -> Value:
    return keep(Attachment(_shmat(segment, None, flags), _status(segment).octets))


def shmdt(mapping: str) -> None:
    _shmdt(thing(mapping).address)


def shmpeek(mapping: str, offset: int, n: int) -> Value:
    return ctypes.string_at(thing(mapping).address + offset, n)


def shmpoke(mapping: str, offset: int, data: bytes) -> Value:
    ctypes.memmove(thing(mapping).address + offset, data, len(data))
    return len(data)


def shmctl(segment: int, command: int) -> None:
    _shmctl(segment, command, ctypes.byref(SegmentStatus()))


def _status(segment: int) -> SegmentStatus:
    found = SegmentStatus()
    _shmctl(segment, IPC_STAT, ctypes.byref(found))
    return found


def shmnattch(segment: int) -> Value:
    return int(_status(segment).attached)


def shmstat(segment: int) -> Value:
    """[mode, octets, how many are attached]"""
    found = _status(segment)
    return [oct(found.permissions.mode), found.octets, found.attached]


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
    "shmpeek": shmpeek,
    "shmpoke": shmpoke,
    "shmread": shmread,
    "shmsize": shmsize,
    "shmstat": shmstat,
    "shmunlink": shmunlink,
    "shmwrite": shmwrite,
}
