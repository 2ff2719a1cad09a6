"""The catalogue: every case by its name."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import importing, memory, pingpong, processes, stream, timer
from benchmarks.case import Case


def cases(scale: float = 1.0) -> dict[str, Case]:
    """All cases; ``scale`` shrinks their counts, for a smoke test."""
    return {case.name: case for case in _all(scale)}


def _all(scale: float) -> Iterator[Case]:
    yield pingpong.trio_case(scale)
    yield pingpong.asyncio_case(scale)
    for size in stream.SIZES:
        yield stream.case(size, scale)
    yield memory.connections(scale)
    yield memory.processes(scale)
    yield processes.case(scale)
    yield timer.case(scale)
    yield importing.case(scale)
