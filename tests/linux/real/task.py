"""A worker as its leader sees it: what it was ordered, and whether it sleeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, final

from tests.linux.real.slot import Slot

ASLEEP: Final = frozenset(b"SDTt")
"""States of proc(5) in which nothing happens until something wakes it: sleeping or stopped."""
OVER: Final = frozenset(b"ZX")
GONE: Final = ord("X")


@final
class Task:
    def __init__(self, name: str, slot: Slot) -> None:
        self.name = name
        self.slot = slot
        self.names: tuple[str, ...] | None = None
        """What the outcome of the order under way will be called; None: it is idle."""
        self.over = False
        self._file = ""

    @property
    def pid(self) -> int:
        return self.slot.who()[0]

    def give(
        self, names: tuple[str, ...], op: str, args: Sequence[object], keywords: object
    ) -> None:
        self.names = names
        self.slot.give((op, args, keywords))

    def state(self) -> int:
        """The letter of proc(5), as an octet; X for one that is gone."""
        if not self._file:
            self._file = "/proc/{}/task/{}/stat".format(*self.slot.who())
        try:
            fd = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return GONE
        try:
            return os.read(fd, 512).rpartition(b") ")[2][0]
        except ProcessLookupError:
            return GONE
        finally:
            os.close(fd)

    def at_rest(self) -> bool:
        """Does it sleep, or is it no more?"""
        if self.over:
            return True
        state = self.state()
        self.over = state in OVER
        return self.over or state in ASLEEP
