"""The cost of the switch: the native machine against trio's own streams, on the same objects.

Both make the same system calls on the same kinds of pipes and sockets; what is
compared is what stands between a program and them.  The native machine's own
quantum is strict; the other one is shown for information.
"""

from __future__ import annotations

from functools import partial

import trio

from benchmarks import pairs
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.pairs import Maker
from benchmarks.pingpong import between_trio_tasks
from benchmarks.stream import through

ROUND_TRIPS = 500
CHUNKS = 300
CHUNK = 65536
BAR = 0.85
"""Within 15 % of trio's own."""

SOCKETS, SOCKETS_Q32, SOCKET_STREAM = "sockets strict", "sockets q32", "trio SocketStream"
PIPES, PIPES_Q32, FD_STREAM = "pipes strict", "pipes q32", "trio FdStream"
MAKERS: dict[str, Maker] = {
    SOCKETS: partial(pairs.native_socketpairs, quantum=1),
    SOCKET_STREAM: pairs.trio_socketpairs,
    SOCKETS_Q32: partial(pairs.native_socketpairs, quantum=32),
    PIPES: partial(pairs.native_pipes, quantum=1),
    FD_STREAM: pairs.trio_pipe_pairs,
    PIPES_Q32: partial(pairs.native_pipes, quantum=32),
}
COMPARISONS = (
    Comparison(SOCKETS, SOCKET_STREAM, BAR),
    Comparison(SOCKETS_Q32, SOCKET_STREAM),
    Comparison(PIPES, FD_STREAM, BAR),
    Comparison(PIPES_Q32, FD_STREAM),
)


def pingpong_case(scale: float = 1.0) -> Case:
    """64 bytes there and back."""
    count = scaled(ROUND_TRIPS, scale)

    def contender(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(between_trio_tasks, maker, count))

    contenders = tuple(contender(*each) for each in MAKERS.items())
    return Case("native-pingpong", "native ping-pong 64 B, trio", "us", contenders, COMPARISONS)


def stream_case(scale: float = 1.0) -> Case:
    """Chunks of 64 KiB one way."""
    count = scaled(CHUNKS, scale)

    def contender(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(through, maker, CHUNK, count))

    contenders = tuple(contender(*each) for each in MAKERS.items())
    return Case("native-stream", "native stream, 64 KiB chunks", "us", contenders, COMPARISONS)
