"""The bounds of what may be said of a link: a wrong value is named, with what is allowed.

Seconds are floats outside and integer nanoseconds inside.
"""

from __future__ import annotations

import math
from typing import Final

NANOSECONDS: Final = 1_000_000_000


def number(name: str, value: object, least: float, most: float = math.inf) -> float:
    """A finite number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not (least <= value <= most and math.isfinite(value)):
        upto = f"from {least:g} to {most:g}" if most < math.inf else f"of at least {least:g}"
        raise ValueError(f"{name} must be a number {upto}, not {value!r}")
    return value


def probability(name: str, value: object) -> float:
    return number(name, value, 0, 1)


def seconds(name: str, value: object) -> float:
    return number(f"{name} (seconds)", value, 0)


def whole(name: str, value: object, least: int, most: float = math.inf) -> int:
    """A whole number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not least <= value <= most:
        upto = f"from {least} to {most}" if most < math.inf else f"of at least {least}"
        raise ValueError(f"{name} must be a whole number {upto}, not {value!r}")
    return value


def nanoseconds(value: float) -> int:
    return round(value * NANOSECONDS)
