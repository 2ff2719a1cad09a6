"""Who makes what stands at words of shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.sync.condition import Condition
from asyncipc.kernel.sync.mutex import Mutex
from asyncipc.kernel.sync.semaphore import Semaphore

if TYPE_CHECKING:
    from asyncipc.kernel.sync.futex import Futexes, Word


@final
class SyncMakers:
    """Of one kernel, whose processes sleep in the lines of its ``futexes``."""

    def __init__(self, futexes: Futexes) -> None:
        self._futexes = futexes

    def semaphore(self, word: Word, name: str) -> Semaphore:
        return Semaphore(self._futexes, word, name)

    def mutex(self, word: Word, name: str) -> Mutex:
        return Mutex(self._futexes, word, name)

    def condition(self, word: Word, name: str) -> Condition:
        return Condition(self._futexes, word, name)
