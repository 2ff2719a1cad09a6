"""Every datagram exactly once, whole, and in its sender's order, whoever is cancelled whenever.

Random programs: many senders and receivers on one object, each cancelled or
killed at a random moment.  Each datagram names its sender and its number.  What
UDP may drop is a full receiver's business (tests/contract/test_udp.py); here
all of a program's datagrams fit into the buffer at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_UNIX,
    MSG_DONTWAIT,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
)

Run = Callable[..., Any]
Kind = Literal["dgram pair", "dgram", "seqpacket pair", "udp"]
PATH = "/tmp/receiver"
ENOUGH = 1 << 18


@dataclass(frozen=True)
class Sender:
    sizes: tuple[int, ...]  # of each datagram, in bytes
    pause_ms: int
    cancelled_ms: int | None


@dataclass(frozen=True)
class Receiver:
    pause_ms: int
    cancelled_ms: int | None
    killed: bool


@dataclass(frozen=True)
class Plan:
    seed: int
    quantum: int
    kind: Kind
    senders: tuple[Sender, ...]
    receivers: tuple[Receiver, ...]


moments = st.none() | st.integers(0, 15)
senders = st.builds(
    Sender,
    sizes=st.lists(st.integers(2, 1500), min_size=1, max_size=16).map(tuple),
    pause_ms=st.integers(0, 2),
    cancelled_ms=moments,
)
receivers = st.builds(
    Receiver, pause_ms=st.integers(0, 3), cancelled_ms=moments, killed=st.booleans()
)
plans = st.builds(
    Plan,
    seed=st.integers(0, 1000),
    quantum=st.sampled_from([1, 2, 32]),
    kind=st.sampled_from(["dgram pair", "dgram", "seqpacket pair", "udp"]),
    senders=st.lists(senders, min_size=1, max_size=4).map(tuple),
    receivers=st.lists(receivers, min_size=0, max_size=4).map(tuple),
)


def datagram(sender: int, number: int, size: int) -> bytes:
    return bytes([sender, number]) * (size // 2) + b"!" * (size % 2)


async def open_ends(kind: Kind) -> tuple[int, int]:
    """A receiving socket, and one that sends to it."""
    if kind.endswith("pair"):
        return posix.socketpair(AF_UNIX, SOCK_DGRAM if kind == "dgram pair" else SOCK_SEQPACKET)
    family = AF_UNIX if kind == "dgram" else AF_INET
    receiving, sending = posix.socket(family, SOCK_DGRAM), posix.socket(family, SOCK_DGRAM)
    posix.bind(receiving, PATH if kind == "dgram" else ("127.0.0.1", 0))
    await posix.connect(sending, posix.getsockname(receiving))
    if kind == "dgram":
        posix.unlink(PATH)
    return receiving, sending


class Program:
    """One plan at work: what was sent, what was received, in the order of the effects."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sent: list[list[bytes]] = [[] for _ in plan.senders]
        self.got: list[bytes] = []

    async def main(self) -> None:
        r, w = await open_ends(self.plan.kind)
        senders = [
            posix.fork(self._send, number, sender, r, w)
            for number, sender in enumerate(self.plan.senders)
        ]
        readers = {posix.fork(self._receive, who, r, w): who for who in self.plan.receivers}
        async with anyio.create_task_group() as group:
            group.start_soon(self._take, r, Receiver(0, None, killed=False))
            for pid, reader in readers.items():
                if reader.killed and reader.cancelled_ms is not None:
                    group.start_soon(self._kill, pid, reader.cancelled_ms)
            for pid in senders:
                await posix.waitpid(pid)
            group.cancel_scope.cancel()
        for pid in readers:
            posix.kill(pid, SIGKILL)
        await self._drain(r)

    async def _kill(self, pid: int, after_ms: int) -> None:
        await anyio.sleep(after_ms / 1000)
        with suppress(ProcessLookupError):  # it has ended, and was waited for
            posix.kill(pid, SIGKILL)

    async def _send(self, number: int, sender: Sender, r: int, w: int) -> None:
        posix.close(r)
        with anyio.CancelScope() as scope:
            if sender.cancelled_ms is not None:
                scope.deadline = anyio.current_time() + sender.cancelled_ms / 1000
            for index, size in enumerate(sender.sizes):
                data = datagram(number, index, size)
                assert await posix.send(w, data) == size
                self.sent[number].append(data)
                await anyio.sleep(sender.pause_ms / 1000)

    async def _receive(self, receiver: Receiver, r: int, w: int) -> None:
        posix.close(w)
        with anyio.CancelScope() as scope:
            if receiver.cancelled_ms is not None and not receiver.killed:
                scope.deadline = anyio.current_time() + receiver.cancelled_ms / 1000
            await self._take(r, receiver)

    async def _take(self, r: int, receiver: Receiver) -> None:
        while True:
            self.got.append(await posix.recv(r, ENOUGH))
            await anyio.sleep(receiver.pause_ms / 1000)

    async def _drain(self, r: int) -> None:
        while True:
            try:
                self.got.append(await posix.recv(r, ENOUGH, MSG_DONTWAIT))
            except BlockingIOError:
                return

    def check(self) -> None:
        assert sorted(self.got) == sorted(chain.from_iterable(self.sent))


def seed_on(machine: str, seed: int) -> int | None:
    """The real kernel's scheduler has none."""
    return seed if machine == "simulated" else None


def test_every_datagram_comes_exactly_once_and_whole(run: Run, machine: str, examples: int) -> None:
    @settings(max_examples=examples)
    @given(plans)
    def tried(plan: Plan) -> None:
        program = Program(plan)
        run(program.main, seed=seed_on(machine, plan.seed), quantum=plan.quantum)
        program.check()

    tried()


def test_one_receiver_gets_each_senders_datagrams_in_order(
    run: Run, machine: str, examples: int
) -> None:
    @settings(max_examples=examples)
    @given(plans)
    def tried(plan: Plan) -> None:
        alone = Plan(plan.seed, plan.quantum, plan.kind, plan.senders, ())
        program = Program(alone)
        run(program.main, seed=seed_on(machine, plan.seed), quantum=plan.quantum)
        for number, sent in enumerate(program.sent):
            assert [data for data in program.got if data[0] == number] == sent

    tried()
