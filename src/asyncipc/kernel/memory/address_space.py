"""The address space: all that one process has mapped.

Laws: a fork copies it, and the child has each mapping at the same address;
exec and exit unmap everything (exit_mm).  An address is never given twice on
one host, so a mapping that is gone cannot be taken for another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from asyncipc.kernel.memory.mapping import Mapping
from asyncipc.kernel.processes.holdings import Holding, held_by, hold

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process


@final
class AddressSpace(Holding):
    """The mappings of one process, by address."""

    order = 20

    def __init__(self) -> None:
        self._mappings: dict[int, Mapping] = {}

    def __iter__(self) -> Iterator[Mapping]:
        """In order of their addresses."""
        return iter([self._mappings[address] for address in sorted(self._mappings)])

    def find(self, address: int) -> Mapping | None:
        """What begins at an address."""
        return self._mappings.get(address)

    def add(self, process: Process, mapping: Mapping) -> None:
        self._mappings[mapping.address] = mapping
        mapping.enter(process)

    def remove(self, process: Process, mapping: Mapping) -> None:
        """munmap(2) of a whole mapping."""
        del self._mappings[mapping.address]
        mapping.leave(process)

    def forked(self, parent: Process, child: Process) -> None:
        """dup_mmap(): it is the parent who maps for the child, so to a segment too."""
        copied = AddressSpace()
        for mapping in self:
            copied.add(parent, mapping.copy())
        hold(child, copied)

    def executed(self, process: Process) -> None:
        self._clear(process)

    def ended(self, process: Process) -> None:
        self._clear(process)

    def _clear(self, process: Process) -> None:
        for mapping in list(self):
            self.remove(process, mapping)


def space_of(process: Process) -> AddressSpace:
    """The address space of a process, which begins empty."""
    space = held_by(process, AddressSpace)
    if space is None:
        space = AddressSpace()
        hold(process, space)
    return space


def mapping_at(process: Process, address: int) -> Mapping | None:
    """What a process has mapped at an address."""
    space = held_by(process, AddressSpace)
    return None if space is None else space._mappings.get(address)
