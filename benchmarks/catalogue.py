"""The catalogue: every case by its name."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import (
    busy,
    connect,
    datagram,
    epoll,
    fan_in,
    hand_over,
    importing,
    memory,
    message_queue,
    native,
    network,
    pingpong,
    processes,
    server,
    stream,
    timer,
)
from benchmarks.case import Case


def cases(scale: float = 1.0) -> dict[str, Case]:
    """All cases; ``scale`` shrinks their counts, for a smoke test."""
    return {case.name: case for case in _all(scale)}


def _all(scale: float) -> Iterator[Case]:
    yield pingpong.trio_case(scale)
    yield pingpong.asyncio_case(scale)
    for size in stream.SIZES:
        yield stream.case(size, scale)
    yield datagram.case(scale)
    yield connect.case(scale)
    for writers in (1000, 10_000):
        yield fan_in.case(writers, scale)
    yield busy.case(scale)
    yield memory.connections(scale)
    yield memory.processes(scale)
    yield processes.case(scale)
    yield server.case(scale)
    yield server.memory_case(scale)
    yield timer.case(scale)
    yield hand_over.case(scale)
    yield message_queue.case(scale)
    yield epoll.case(scale)
    yield native.pingpong_case(scale)
    yield native.stream_case(scale)
    yield network.datagrams(scale)
    yield network.flat(scale)
    yield network.bulk(scale)
    yield network.echo(scale)
    yield from network.idle(scale)
    yield network.hour(scale)
    yield importing.case(scale)
