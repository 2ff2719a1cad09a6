"""The conditions of a link: plain values, which may change while it is in use."""

from __future__ import annotations

from dataclasses import dataclass

MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Conditions:
    latency_ns: int = MILLISECOND
    mtu: int = 1500


PERFECT = Conditions()
