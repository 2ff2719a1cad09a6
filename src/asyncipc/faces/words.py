"""Words in memory that a program has mapped: where futexes, mutexes and semaphores stand."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Protocol

from asyncipc.kernel.sync.futex import WORD, Word

if TYPE_CHECKING:
    from asyncipc.kernel.memory.contents import Octets


class Mapped(Protocol):
    """Memory of this process, such as ``mmap`` and ``shmat`` return."""

    def place(self, offset: int, size: int = 1) -> tuple[Octets, int]: ...


def word_in(mapping: Mapped, offset: int, size: int = WORD) -> Word:
    """The word there, which begins a thing of ``size`` bytes.  EFAULT if that is outside."""
    return Word(*mapping.place(operator.index(offset), size))
