"""Dice: where chance comes from.  Their owner makes them, one stream for each purpose.

What is asked here is what :class:`random.Random` answers, so one of those fits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias


class Die(Protocol):
    def random(self) -> float:
        """Evenly from 0 to below 1."""

    def getrandbits(self, k: int, /) -> int:
        """A number of ``k`` bits."""

    def randrange(self, start: int, stop: int, /) -> int:
        """A number from ``start`` to below ``stop``."""

    def expovariate(self, lambd: float, /) -> float: ...
    def normalvariate(self, mu: float, sigma: float, /) -> float: ...
    def paretovariate(self, alpha: float, /) -> float: ...


Dice: TypeAlias = Callable[[str], Die]
"""The stream of one purpose; a purpose has the same stream in every run of a seed."""
