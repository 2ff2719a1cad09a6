"""Datagrams through a gateway: for each sender one socket of its own on the other side.

So answers find their way back.  As on any way of datagrams, what finds no room or
nobody is lost, and nobody is told.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from asyncipc.runtime.gateway import Door

SENDERS_MAX: Final = 256
"""So many are known at once; then the one that has been silent for longest is forgotten."""


class Datagrams(Protocol):
    """A UDP socket, real or simulated."""

    @property
    def port(self) -> int: ...
    async def receive(self) -> tuple[bytes, object]: ...
    async def send(self, data: bytes, to: object = None) -> None: ...
    def close(self) -> None: ...


@final
class Sender:
    """Who has sent to the door, and the socket that stands for it on the other side."""

    def __init__(self, address: object, socket: Datagrams) -> None:
        self.address = address
        self.socket = socket
        self.scope = anyio.CancelScope()

    async def bring_answers(self, door: Door, front: Datagrams) -> None:
        door.connections += 1
        try:
            with self.scope:
                while True:
                    await self._bring_one(front)
        finally:
            door.connections -= 1
            self.socket.close()

    async def _bring_one(self, front: Datagrams) -> None:
        with suppress(OSError):  # nobody was there for an earlier one
            answer, _ = await self.socket.receive()
            await front.send(answer, self.address)


@final
class Senders:
    """All who have sent to ``front``; who spoke last is the last."""

    def __init__(
        self,
        door: Door,
        front: Datagrams,
        associate: Callable[[], Awaitable[Datagrams]],
        group: TaskGroup,
    ) -> None:
        self._door = door
        self._front = front
        self._associate = associate
        self._group = group
        self._known: dict[object, Sender] = {}

    async def attend(self) -> None:
        """Carry what comes in to the other side."""
        while True:
            data, address = await self._front.receive()
            with suppress(OSError):
                sender = await self._sender(address)
                await sender.socket.send(data)

    async def _sender(self, address: object) -> Sender:
        sender = self._known.pop(address, None)
        if sender is None:
            self._make_room()
            sender = Sender(address, await self._associate())
            self._group.start_soon(sender.bring_answers, self._door, self._front)
        self._known[address] = sender
        return sender

    def _make_room(self) -> None:
        if len(self._known) >= SENDERS_MAX:
            self._known.pop(next(iter(self._known))).scope.cancel()


async def attend_datagrams(
    bind: Callable[[], Awaitable[Datagrams]],
    associate: Callable[[], Awaitable[Datagrams]],
    door: Door,
) -> None:
    """Carry what comes in on one side to the other, and the answers back."""
    front = await bind()
    try:
        door.listens(front.port)
        async with anyio.create_task_group() as group:
            await Senders(door, front, associate, group).attend()
    finally:
        front.close()
