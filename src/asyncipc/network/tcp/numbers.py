"""Sequence numbers: 32 bits in a segment, and without end inside.

A connection counts its bytes in plain integers that begin at the ISN and never
wrap, so they are compared and subtracted like any others; only what travels is
taken modulo 2**32 (RFC 9293, 3.4).
"""

from __future__ import annotations

from typing import Final

MASK: Final = 0xFFFFFFFF
HALF: Final = 0x80000000


def unwrap(number: int, near: int) -> int:
    """The number without end that is nearest to ``near``, of those that travel as ``number``."""
    return near + ((number - near + HALF) & MASK) - HALF


def is_older(stamp: int, than: int) -> bool:
    """Of two timestamps, modulo 2**32 (RFC 7323, 5.2)."""
    return (stamp - than) & MASK >= HALF
