"""A case: contenders that do the same work, and how they should compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Contender:
    """One of those measured.  ``measure`` gives the cost: less is better."""

    name: str
    measure: Callable[[], float]


@final
@dataclass(frozen=True)
class Comparison:
    """Ours against a peer.  ``at_least``: the bar for peer / ours, None for information."""

    ours: str
    peer: str
    at_least: float | None = None


@final
@dataclass(frozen=True)
class Limit:
    """A bar for the cost itself."""

    ours: str
    at_most: float


@final
@dataclass(frozen=True)
class Case:
    """What one name on the command line measures.

    ``rounds_max`` keeps a slow case, or one that hardly varies, to few rounds.
    """

    name: str
    work: str
    unit: str
    contenders: tuple[Contender, ...]
    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[Limit, ...] = ()
    rounds_max: int = 99


def scaled(count: int, scale: float) -> int:
    """A count made smaller for a smoke test, at least 2."""
    return max(2, round(count * scale))
