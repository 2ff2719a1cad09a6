"""Every byte exactly once and in order, whoever is cancelled whenever.

Random programs: many writers and readers on one object, each in a scope that is
cancelled at a random moment, some readers by SIGKILL.  Each byte names its writer
and its place, a writer counts what its calls said they had sent, and the reads are
noted where they take effect: what was lost, doubled or out of order shows.

``pytest --examples 5000`` tries as many programs; Hypothesis prints the plan of a
failure with the line that replays it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncipc import posix
from asyncipc.kernel.buffers import ByteQueue
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import AF_INET, AF_UNIX
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.sockets.socket import NativeSocket

Run = Callable[..., Any]
Kind = Literal["pipe", "fifo", "socketpair", "unix", "tcp"]
WRITERS_MAX = 4
TURN = 61  # places of a byte; a prime, so that a lost or moved page shows


@dataclass(frozen=True)
class Writer:
    sizes: tuple[int, ...]  # of each write, in bytes
    pause_ms: int
    cancelled_ms: int | None


@dataclass(frozen=True)
class Reader:
    size: int
    reads: int  # after which it leaves
    pause_ms: int
    cancelled_ms: int | None
    killed: bool


@dataclass(frozen=True)
class Plan:
    seed: int
    quantum: int
    kind: Kind
    writers: tuple[Writer, ...]
    readers: tuple[Reader, ...]


moments = st.none() | st.integers(0, 20)
sizes = st.integers(0, 200) | st.integers(4000, 4200) | st.integers(30_000, 300_000)
writers = st.builds(
    Writer,
    sizes=st.lists(sizes, min_size=1, max_size=5).map(tuple),
    pause_ms=st.integers(0, 3),
    cancelled_ms=moments,
)
readers = st.builds(
    Reader,
    size=st.integers(1, 20) | st.sampled_from([4095, 4096, 65536, 300_000]),
    reads=st.integers(1, 40),
    pause_ms=st.integers(0, 3),
    cancelled_ms=moments,
    killed=st.booleans(),
)
plans = st.builds(
    Plan,
    seed=st.integers(0, 1000),
    quantum=st.sampled_from([1, 2, 32]),
    kind=st.sampled_from(["pipe", "fifo", "socketpair", "unix", "tcp"]),
    writers=st.lists(writers, min_size=1, max_size=WRITERS_MAX).map(tuple),
    readers=st.lists(readers, min_size=0, max_size=4).map(tuple),
)


def stream_of(writer: int, start: int, size: int) -> bytes:
    """``size`` bytes of a writer's stream, from place ``start`` on."""
    turn = bytes(writer << 6 | place for place in range(TURN))
    first = start % TURN
    return (turn * (size // TURN + 2))[first : first + size]


async def open_ends(kind: Kind) -> tuple[int, int]:
    """The reading and the writing end of a byte stream."""
    if kind == "pipe":
        return posix.pipe()
    if kind == "socketpair":
        return posix.socketpair()
    if kind == "fifo":
        posix.mkfifo("/tmp/fifo")
        r = await posix.open("/tmp/fifo", posix.O_RDONLY | posix.O_NONBLOCK)
        w = await posix.open("/tmp/fifo", posix.O_WRONLY)
        posix.set_blocking(r, True)
        posix.unlink("/tmp/fifo")
        return r, w
    address: str | tuple[str, int] = "/tmp/server" if kind == "unix" else ("127.0.0.1", 0)
    family = AF_UNIX if kind == "unix" else AF_INET
    listener, w = posix.socket(family), posix.socket(family)
    posix.bind(listener, address)
    posix.listen(listener, 1)
    await posix.connect(w, posix.getsockname(listener))
    if kind == "unix":
        posix.unlink("/tmp/server")
    r, _ = await posix.accept(listener)
    posix.close(listener)
    return r, w


class Program:
    """One plan at work, with the ledgers that are compared at its end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sent = [0] * len(plan.writers)
        self.got: list[bytes] = []

    async def main(self) -> None:
        plan = self.plan
        r, w = await open_ends(plan.kind)
        for number, writer in enumerate(plan.writers):
            posix.fork(self._write, number, writer, r, w)
        pids = [(posix.fork(self._read, reader, r, w), reader) for reader in plan.readers]
        posix.close(w)
        async with anyio.create_task_group() as group:
            for pid, reader in pids:
                if reader.killed and reader.cancelled_ms is not None:
                    group.start_soon(self._kill, pid, reader.cancelled_ms)
        # This one takes what the others left.
        await self._take(r, Reader(65536, 1_000_000, 0, None, killed=False))
        for _ in range(len(plan.writers) + len(plan.readers)):
            await posix.wait()

    async def _kill(self, pid: int, after_ms: int) -> None:
        await anyio.sleep(after_ms / 1000)
        posix.kill(pid, SIGKILL)

    async def _write(self, number: int, writer: Writer, r: int, w: int) -> None:
        posix.close(r)
        with anyio.CancelScope() as scope:
            if writer.cancelled_ms is not None:
                scope.deadline = anyio.current_time() + writer.cancelled_ms / 1000
            for size in writer.sizes:
                end = self.sent[number] + size
                while self.sent[number] < end:  # a short count says what was sent
                    start = self.sent[number]
                    count = await posix.write(w, stream_of(number, start, end - start))
                    assert 0 < count <= end - start
                    self.sent[number] += count
                await anyio.sleep(writer.pause_ms / 1000)

    async def _read(self, reader: Reader, r: int, w: int) -> None:
        posix.close(w)
        with anyio.CancelScope() as scope:
            if reader.cancelled_ms is not None and not reader.killed:
                scope.deadline = anyio.current_time() + reader.cancelled_ms / 1000
            await self._take(r, reader)

    async def _take(self, r: int, reader: Reader) -> None:
        for _ in range(reader.reads):
            data = await posix.read(r, reader.size)
            if not data:
                break
            assert len(data) <= reader.size
            self.got.append(data)
            await anyio.sleep(reader.pause_ms / 1000)

    def check(self, taken: list[bytes]) -> None:
        """``taken``: what reads took out of the buffer, in the order in which they did."""
        assert sorted(map(id, taken)) == sorted(map(id, self.got)), "a read was lost"
        stream = b"".join(taken)
        assert len(stream) == sum(self.sent)
        for number, sent in enumerate(self.sent):
            own = bytes(byte for byte in stream if byte >> 6 == number)
            assert own == stream_of(number, 0, sent), f"writer {number}: out of order"


def note(taken: list[bytes], kind: type, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the buffers of both machines give away, in their order."""
    take = getattr(kind, verb)

    def noted(self: object, limit: int) -> object:
        data = take(self, limit)
        if isinstance(data, bytes) and data:
            taken.append(data)
        return data

    monkeypatch.setattr(kind, verb, noted)


def seed_on(machine: str, seed: int) -> int | None:
    """The real kernel's scheduler has none."""
    return seed if machine == "simulated" else None


def test_every_byte_comes_exactly_once_and_in_order(
    run: Run, machine: str, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []
    note(taken, ByteQueue, "take", monkeypatch)
    for file in (RealDescriptor, NativeSocket):
        note(taken, file, "read", monkeypatch)

    @settings(max_examples=examples)
    @given(plans)
    def tried(plan: Plan) -> None:
        taken.clear()
        program = Program(plan)
        run(program.main, seed=seed_on(machine, plan.seed), quantum=plan.quantum)
        program.check(taken)

    tried()
