"""One-way stream: a writer sends chunks, a reader takes up to 64 KiB at a time.

The ratio to ``memory_stream_pair`` depends on how many chunks are sent: it has
no bound, and each read moves the whole backlog, so its cost per chunk grows
with the count (1 MiB: ours is 8-10 times faster at 10 chunks, 22-29 at 100).
``performance.md`` does not tell its count.  The 40 here is where *peer against
peer*, trio socketpair / memory_stream_pair, gives its 0.18; it was not chosen
by our own figure, but the verdict on that bar is no firmer than this guess.
The ratio to the real socketpair has no such freedom: read that one.
"""

from __future__ import annotations

from functools import partial
from time import process_time
from typing import NamedTuple

import trio

from benchmarks import pairs
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.pairs import RECEIVE_MAX, End, Maker


class Size(NamedTuple):
    """How much is sent, and the bars: over a real socketpair, over memory_stream_pair."""

    name: str
    chunk: int
    chunks: int
    real_strict: float | None = None
    real_q32: float | None = None
    memory_strict: float | None = None
    memory_q32: float | None = None


SIZES = (
    Size("1KiB", 1024, 1000, real_strict=3, real_q32=14),
    Size("64KiB", 65536, 300, real_strict=3, real_q32=5),
    Size("1MiB", 1048576, 40, memory_strict=15, memory_q32=20),
)


async def write(end: End, chunk: bytes, count: int) -> None:
    send = end.send
    for _ in range(count):
        await send(chunk)


async def read(end: End, total: int) -> None:
    receive, size = end.receive, RECEIVE_MAX
    while total > 0:
        total -= len(await receive(size))


async def through(maker: Maker, chunk: int, count: int) -> float:
    """Microseconds per chunk."""
    payload = bytes(chunk)
    async with maker(1) as [(near, far)]:
        start = process_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, near, payload, count)
            await read(far, chunk * count)
        return (process_time() - start) / count * 1e6


def case(size: Size, scale: float = 1.0) -> Case:
    """One size of chunk, through socket pairs and pipes."""
    count = scaled(size.chunks, scale)

    def contender(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(through, maker, size.chunk, count))

    strict, q32, real, memory = "channels strict", "channels q32", "trio socketpair", "memory"
    pipe_strict, pipe_q32, real_pipe = "pipe strict", "pipe q32", "trio os.pipe"
    return Case(
        f"stream-{size.name}",
        f"one-way stream, chunks of {size.name}",
        "us",
        (
            contender(strict, partial(pairs.simulated_socketpairs, quantum=1)),
            contender(real, pairs.trio_socketpairs),
            contender(q32, partial(pairs.simulated_socketpairs, quantum=32)),
            contender(memory, pairs.memory_streams),
            contender(pipe_strict, partial(pairs.simulated_pipes, quantum=1)),
            contender(real_pipe, pairs.trio_pipes),
            contender(pipe_q32, partial(pairs.simulated_pipes, quantum=32)),
        ),
        (
            Comparison(strict, real, size.real_strict),
            Comparison(q32, real, size.real_q32),
            Comparison(strict, memory, size.memory_strict),
            Comparison(q32, memory, size.memory_q32),
            Comparison(pipe_strict, real_pipe),
            Comparison(pipe_q32, real_pipe),
        ),
    )
