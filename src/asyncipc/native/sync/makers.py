"""Who makes what stands at words of memory that real processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.native.sync.condition import MappedCondition
from asyncipc.native.sync.mutex import MappedMutex
from asyncipc.native.sync.semaphore import MappedSemaphore

if TYPE_CHECKING:
    from asyncipc.kernel.sync.futex import Word


@final
class RealSync:
    """The C library's."""

    def semaphore(self, word: Word, name: str) -> MappedSemaphore:
        return MappedSemaphore(word, name)

    def mutex(self, word: Word, name: str) -> MappedMutex:
        return MappedMutex(word, name)

    def condition(self, word: Word, name: str) -> MappedCondition:
        return MappedCondition(word, name)
