"""Every connection is accepted exactly once, whoever is cancelled whenever.

Random programs: many clients and acceptors at one listener with a short
backlog, each cancelled or killed at a random moment.  A client has a name of its
own, by which accept tells it: one that has connected is accepted by somebody,
once; one that gave up may be accepted (its connection was complete) or not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, AF_UNIX, SOCK_SEQPACKET, SOCK_STREAM

Run = Callable[..., Any]
Kind = Literal["unix", "seqpacket", "tcp", "tcp6"]
FAMILIES = {"unix": AF_UNIX, "seqpacket": AF_UNIX, "tcp": AF_INET, "tcp6": AF_INET6}
ADDRESSES: dict[str, Any] = {
    "unix": "/tmp/server",
    "seqpacket": "/tmp/server",
    "tcp": ("127.0.0.1", 0),
    "tcp6": ("::1", 0),
}


@dataclass(frozen=True)
class Client:
    after_ms: int
    cancelled_ms: int | None
    killed: bool


@dataclass(frozen=True)
class Acceptor:
    pause_ms: int
    cancelled_ms: int | None
    killed: bool


@dataclass(frozen=True)
class Plan:
    seed: int
    quantum: int
    kind: Kind
    backlog: int
    clients: tuple[Client, ...]
    acceptors: tuple[Acceptor, ...]


moments = st.none() | st.integers(0, 15)
clients = st.builds(Client, after_ms=st.integers(0, 10), cancelled_ms=moments, killed=st.booleans())
acceptors = st.builds(
    Acceptor, pause_ms=st.integers(0, 5), cancelled_ms=moments, killed=st.booleans()
)
plans = st.builds(
    Plan,
    seed=st.integers(0, 1000),
    quantum=st.sampled_from([1, 2, 32]),
    kind=st.sampled_from(["unix", "seqpacket", "tcp", "tcp6"]),
    backlog=st.integers(0, 3),
    clients=st.lists(clients, min_size=1, max_size=8).map(tuple),
    acceptors=st.lists(acceptors, min_size=0, max_size=4).map(tuple),
)


class Program:
    """One plan at work: who had connected, and whom accept has told."""

    def __init__(self, plan: Plan, machine: str) -> None:
        self.plan = plan
        # Where handshakes overlap in time, a client may be connected before there is room
        # for it, and a listener that is closed by then never tells of it.
        overlap = machine == "native" and FAMILIES[plan.kind] != AF_UNIX
        self.more_room = len(plan.clients) if overlap else 0
        self.address: Any = None
        self.named: list[object] = []
        self.connected: list[object] = []
        self.accepted: list[object] = []

    async def main(self) -> None:
        plan = self.plan
        listener = self._socket()
        posix.bind(listener, ADDRESSES[plan.kind])
        posix.listen(listener, plan.backlog + self.more_room)
        self.address = posix.getsockname(listener)
        clients = {posix.fork(self._connect, n, who): who for n, who in enumerate(plan.clients)}
        acceptors = {posix.fork(self._accept_some, listener, who): who for who in plan.acceptors}
        async with anyio.create_task_group() as group:
            group.start_soon(self._accept, listener, 0)  # it takes what the others left
            for pid, who in (clients | acceptors).items():
                if who.killed and who.cancelled_ms is not None:
                    group.start_soon(self._kill, pid, who.cancelled_ms)
            for pid in clients:
                await posix.waitpid(pid)
            group.cancel_scope.cancel()
        for pid in acceptors:
            posix.kill(pid, SIGKILL)
        posix.set_blocking(listener, False)
        with suppress(BlockingIOError):
            await self._accept(listener, 0)
        if isinstance(self.address, str):
            posix.unlink(self.address)

    def _socket(self) -> int:
        kind = SOCK_SEQPACKET if self.plan.kind == "seqpacket" else SOCK_STREAM
        return posix.socket(FAMILIES[self.plan.kind], kind)

    async def _kill(self, pid: int, after_ms: int) -> None:
        await anyio.sleep(after_ms / 1000)
        with suppress(ProcessLookupError):  # it has ended, and was waited for
            posix.kill(pid, SIGKILL)

    async def _connect(self, number: int, client: Client) -> None:
        await anyio.sleep(client.after_ms / 1000)
        with anyio.CancelScope() as scope:
            if client.cancelled_ms is not None and not client.killed:
                scope.deadline = anyio.current_time() + client.cancelled_ms / 1000
            fd = self._socket()
            posix.bind(fd, self._name_of(number))
            self.named.append(posix.getsockname(fd))
            await posix.connect(fd, self.address)
            self.connected.append(posix.getsockname(fd))

    def _name_of(self, number: int) -> Any:
        if FAMILIES[self.plan.kind] == AF_UNIX:
            return b"\0client %d of %d" % (number, os.getpid())
        return (ADDRESSES[self.plan.kind][0], 0)

    async def _accept_some(self, listener: int, acceptor: Acceptor) -> None:
        with anyio.CancelScope() as scope:
            if acceptor.cancelled_ms is not None and not acceptor.killed:
                scope.deadline = anyio.current_time() + acceptor.cancelled_ms / 1000
            await self._accept(listener, acceptor.pause_ms)

    async def _accept(self, listener: int, pause_ms: int) -> None:
        while True:
            fd, name = await posix.accept(listener)
            self.accepted.append(name)
            posix.close(fd)
            await anyio.sleep(pause_ms / 1000)

    def check(self) -> None:
        assert len(set(self.accepted)) == len(self.accepted), "accepted twice"
        assert set(self.connected) <= set(self.accepted), "a connection was lost"
        assert set(self.accepted) <= set(self.named)


def seed_on(machine: str, seed: int) -> int | None:
    """The real kernel's scheduler has none."""
    return seed if machine == "simulated" else None


def test_every_connection_is_accepted_exactly_once(run: Run, machine: str, examples: int) -> None:
    @settings(max_examples=examples)
    @given(plans)
    def tried(plan: Plan) -> None:
        program = Program(plan, machine)
        run(program.main, seed=seed_on(machine, plan.seed), quantum=plan.quantum)
        program.check()

    tried()
