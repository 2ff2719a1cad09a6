"""Shared memory blocks by name, shaped as ``multiprocessing.shared_memory``."""

from __future__ import annotations

import errno
import operator
from random import Random
from typing import Final, final
from weakref import WeakKeyDictionary

from asyncipc.errors import fail
from asyncipc.faces.memory_map import MemoryMap
from asyncipc.faces.shared_objects import map_memory, open_object, unlink_object
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.memory.contents import Octets
from asyncipc.kernel.memory.mapping import PROT_READ, PROT_WRITE, Mapping
from asyncipc.kernel.memory.mmap import MAP_SHARED
from asyncipc.runtime.process import current
from asyncipc.runtime.simulation import Simulation
from asyncipc.runtime.syscall import call

O_RDWR: Final = 0o2
O_CREAT: Final = 0o100
O_EXCL: Final = 0o200
MODE: Final = 0o600
PREFIX: Final = "/psm_"

_DICE: Final[WeakKeyDictionary[Simulation, Random]] = WeakKeyDictionary()


@final
class SharedMemory:
    """shm_open(3), ftruncate(2), mmap(2): a block of memory with a name.

    ``create``: make it, ``size`` octets long (FileExistsError if it is there; without
    a ``name`` one is made up); else attach the whole of one (FileNotFoundError),
    whatever ``size`` says.  Never blocks.  ValueError for a size of 0, an empty
    block, or no name to attach.  It lives until ``unlink``, and after that as
    long as somebody has it.  It owns a descriptor, and a mapping of the process;
    a forked child has its own of both, and closes for itself.  A process's end
    closes them; to drop the object does not (the original's ``__del__`` does).

    ``buf`` is the memory itself: Python's own race conditions apply between two
    awaits, and after somebody truncates the object it reads zeros, where a real
    one kills (SIGBUS).  Not modelled: the resource tracker.
    """

    __slots__ = ("__weakref__", "_entry", "_map", "_name", "_size", "_views")

    def __init__(self, name: str | None = None, create: bool = False, size: int = 0) -> None:
        self._map: MemoryMap | None = None
        if not size >= 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        self._views: dict[Mapping, memoryview | None] = {}
        self._name, self._entry = _make() if name is None else _open("/" + name, create)
        try:
            if create:
                call("ftruncate", self._truncate, self._entry.fd, operator.index(size))
            self._size = self._entry.file.status().size
            protection = PROT_READ | PROT_WRITE
            self._map = map_memory(self._entry.fd, self._size, MAP_SHARED, protection, 0)
        except BaseException as error:
            self._close_descriptor()
            if isinstance(error, OSError):
                unlink_object(self._name)
            raise

    def _truncate(self, fd: int, length: int) -> None:
        self._entry.file.truncate(length)

    @property
    def name(self) -> str:
        """What others attach it by, without the slash in front."""
        return self._name.removeprefix("/")

    @property
    def size(self) -> int:
        """In octets, as it was when this was made."""
        return self._size

    @property
    def buf(self) -> memoryview:
        """The memory.  None once the current process has closed it, as for the original."""
        mapping = None if self._map is None else self._map.here()
        if self._map is None or mapping is None:
            return None  # type: ignore[return-value]
        if mapping not in self._views:
            self._views[mapping] = self._map.buf
        return self._views[mapping]  # type: ignore[return-value]

    def place(self, offset: int, size: int = 1) -> tuple[Octets, int]:
        """Where a semaphore, a mutex or a futex in it stands.  EFAULT outside, or once closed."""
        if self._map is None:
            fail(errno.EFAULT)
        return self._map.place(offset, size)

    def close(self) -> None:
        """munmap(2), close(2), for the current process; once more is no error.

        BufferError while parts of ``buf``, or arrays over it, are held.
        """
        mapping = None if self._map is None else self._map.here()
        if self._map is not None and mapping is not None:
            view = self._views.get(mapping)
            if view is not None:
                view.release()
            self._views[mapping] = None
            self._map.close()
            del self._views[mapping]
        self._close_descriptor()

    def _close_descriptor(self) -> None:
        """In this process the number may stand for another file by now."""
        table, fd = current().process.table, self._entry.fd
        entry = table.get(fd)
        if entry is not None and entry.file is self._entry.file:
            call("close", table.close, fd)

    def unlink(self) -> None:
        """shm_unlink(3): take the name away.  FileNotFoundError."""
        unlink_object(self._name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, size={self.size})"


def _open(name: str, create: bool) -> tuple[str, Descriptor]:
    flags = O_RDWR | (O_CREAT | O_EXCL if create else 0)
    return name, open_object(name, flags, MODE)


def _make() -> tuple[str, Descriptor]:
    """A block with a name that nobody has: thrown with the dice of the simulation."""
    simulation = current().simulation
    dice = _DICE.get(simulation)
    if dice is None:
        dice = _DICE[simulation] = simulation.dice("shared memory names")
    while True:
        try:
            return _open(f"{PREFIX}{dice.getrandbits(32):08x}", True)
        except FileExistsError:
            continue
