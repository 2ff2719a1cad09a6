"""mmap(2): which error wins, and what a mapping stands on; do_mmap() in mm/mmap.c.

Not modelled, and refused by name: a mapping at a given address (MAP_FIXED),
locked, huge and growing ones, and code in memory (PROT_EXEC).  What only hurries
or hints (MAP_POPULATE, MAP_NORESERVE) is taken and changes nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.regular import F_SEAL_FUTURE_WRITE, F_SEAL_WRITE, RegularFile
from asyncipc.kernel.memory.address_space import space_of
from asyncipc.kernel.memory.contents import PAGE, Contents, pages_in
from asyncipc.kernel.memory.mapping import PROT_READ, PROT_WRITE, Mapping
from asyncipc.kernel.openfile import O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY, Home, OpenFile

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

MAP_SHARED: Final = 0x01
MAP_PRIVATE: Final = 0x02
MAP_SHARED_VALIDATE: Final = 0x03
MAP_TYPE: Final = 0x0F
MAP_ANONYMOUS: Final = 0x20
MAP_NORESERVE: Final = 0x4000
MAP_POPULATE: Final = 0x8000
MAP_STACK: Final = 0x20000
HINTS: Final = MAP_NORESERVE | MAP_POPULATE | MAP_STACK

FIRST_ADDRESS: Final = 0x7F00_0000_0000
ADDRESSES: Final = 1 << 47
"""TASK_SIZE: what a process can address."""


@final
class MappedFile:
    """An open file as what a mapping stands on, which holds it as a descriptor does."""

    __slots__ = ("_file", "accessed")

    def __init__(self, file: OpenFile, accessed: Callable[[int, int], None]) -> None:
        self._file = file
        self.accessed = accessed

    def describe(self) -> str:
        return self._file.describe()

    def mapped(self, process: Process) -> None:
        self._file.hold()

    def unmapped(self, process: Process) -> None:
        self._file.drop()


def demand_modelled(length: int, flags: int, protection: int, offset: int) -> None:
    """EINVAL, ENOMEM, and what is refused by name."""
    if offset % PAGE or not length:
        fail(errno.EINVAL)
    if length > ADDRESSES:
        fail(errno.ENOMEM)
    if flags & ~(MAP_TYPE | MAP_ANONYMOUS | HINTS):
        raise Unsupported(f"asyncipc does not model mmap() flags {flags:#x}")
    if protection & ~(PROT_READ | PROT_WRITE):
        raise Unsupported(f"asyncipc does not model mmap() protection {protection:#x}")


@final
class MemoryMaps:
    """The mappings of one host: it makes them, and gives them addresses."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._next_address = FIRST_ADDRESS

    def mmap(
        self,
        process: Process,
        file: OpenFile | None,
        length: int,
        flags: int,
        protection: int,
        offset: int,
    ) -> Mapping:
        """mmap(2); ``file`` is None for anonymous memory.

        EINVAL, EACCES, ENODEV, EPERM (seals), ENOMEM.
        """
        demand_modelled(length, flags, protection, offset)
        kind = flags & MAP_TYPE
        if file is None:
            mapping = self._anonymous(kind, length, protection)
        else:
            mapping = self._of_file(kind, file, length, protection, offset)
        return self.insert(process, mapping)

    def _anonymous(self, kind: int, length: int, protection: int) -> Mapping:
        memory = self._home.memory
        contents = Contents(memory, pages_in(length) * PAGE)
        if kind == MAP_PRIVATE:
            return Mapping(contents, 0, length, protection, private_in=memory)
        if kind != MAP_SHARED:
            fail(errno.EINVAL)
        contents.pin()
        return Mapping(contents, 0, length, protection, writable=True)

    def _of_file(
        self, kind: int, file: OpenFile, length: int, protection: int, offset: int
    ) -> Mapping:
        shared = kind in {MAP_SHARED, MAP_SHARED_VALIDATE}
        if not shared and kind != MAP_PRIVATE:
            fail(errno.EINVAL)
        access = file.flags & O_ACCMODE
        writable = shared and access in {O_WRONLY, O_RDWR}
        if shared and protection & PROT_WRITE and not writable:
            fail(errno.EACCES, "a shared mapping that writes needs a descriptor that does")
        if access not in {O_RDONLY, O_RDWR}:  # 3 lets one do neither
            fail(errno.EACCES, "every mapping reads: the descriptor has to")
        if not isinstance(file, RegularFile):
            fail(errno.ENODEV, f"{file.describe()} has no memory to map")
        if writable and file.node.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE):
            if protection & PROT_WRITE:
                fail(errno.EPERM)
            writable = False
        memory, contents = self._home.memory, file.node.contents
        contents.pin(memory.room)
        private_in = None if shared else memory
        return Mapping(
            contents,
            offset,
            length,
            protection,
            private_in=private_in,
            backing=MappedFile(file, file.node.allocate),
            writable=writable,
        )

    def insert(self, process: Process, mapping: Mapping) -> Mapping:
        """Give a new mapping its address in the process."""
        mapping.address = self._next_address
        self._next_address += (pages_in(mapping.length) + 1) * PAGE  # a gap: nothing adjoins
        space_of(process).add(process, mapping)
        return mapping

    def munmap(self, process: Process, address: int) -> None:
        """munmap(2) of a whole mapping.  EINVAL if none begins there."""
        space = space_of(process)
        mapping = space.find(address)
        if mapping is None:
            fail(errno.EINVAL)
        space.remove(process, mapping)
