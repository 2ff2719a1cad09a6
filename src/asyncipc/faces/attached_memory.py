"""Attached memory: what a program holds of a System V segment."""

from __future__ import annotations

import errno

from asyncipc.errors import fail
from asyncipc.faces.address_range import AddressRange
from asyncipc.kernel.memory.contents import Octets
from asyncipc.kernel.memory.mapping import SEGV_MAPERR, SIGSEGV, Mapping, MemoryFault


class AttachedMemory(AddressRange):
    """What shmat(2) gives: a pointer, whose every misuse is SIGSEGV."""

    __slots__ = ()

    def mapping(self) -> Mapping:
        mapping = self.here()
        if mapping is None:
            raise MemoryFault(SIGSEGV, SEGV_MAPERR)
        return mapping

    def place(self, offset: int, size: int = 1) -> tuple[Octets, int]:
        if self.here() is None:
            fail(errno.EFAULT)
        return super().place(offset, size)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<asyncipc attached memory at {self.address:#x}, {self._length} octets>"
