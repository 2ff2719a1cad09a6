"""Programs on hosts of a test: each does there, with descriptors of its own, what it is told."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, final

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.events import Event, Transit
from asyncipc.kernel.sockets.options import SO_REUSEADDR, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, MSG_DONTWAIT, SOCK_DGRAM

T = TypeVar("T")
Args = TypeVarTuple("Args")

PORT = 4000
CLIENT = ("10.0.0.1", PORT)
SERVER = ("10.0.0.2", PORT)
THIRD = ("10.0.0.3", PORT)


@final
class Order:
    def __init__(self, call: Callable[..., Awaitable[Any]], args: tuple[object, ...]) -> None:
        self.call = call
        self.args = args
        self.done = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = ProcessLookupError(errno.ESRCH, "it was killed")

    async def carry_out(self) -> None:
        try:
            self.result = await self.call(*self.args)
            self.error = None
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


@final
class Seat:
    """A service on a host that carries out orders, several at a time if they overlap.

    ``host``: where; ``pid``: of the one that sits there first, as a restart seats another.
    """

    def __init__(self, name: str, *addresses: str) -> None:
        self.host = asyncipc.current_simulation().host(name, *addresses)
        self._orders: deque[Order] = deque()
        self._news = anyio.Event()
        self.pid = self.host.serve(self._sit)

    async def do(self, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """What the call returns or raises there.  ProcessLookupError: it was killed in it."""
        order = Order(call, args)
        self._orders.append(order)
        self._news.set()
        await order.done.wait()
        if order.error is not None:
            raise order.error
        result: T = order.result
        return result

    async def do_for(
        self, seconds: float, call: Callable[[*Args], Awaitable[T]], *args: *Args
    ) -> T | None:
        """None: it has taken longer, and was cancelled."""

        async def hurry() -> T | None:
            with anyio.move_on_after(seconds):
                return await call(*args)
            return None

        return await self.do(hurry)

    async def call(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """One that cannot block."""

        async def at_once() -> T:
            return function(*args)

        return await self.do(at_once)

    async def _sit(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                while self._orders:
                    tasks.start_soon(self._orders.popleft().carry_out)
                self._news = anyio.Event()
                await self._news.wait()


def seats() -> tuple[Seat, Seat]:
    """The server's, and the client's."""
    return Seat("server", SERVER[0]), Seat("client", CLIENT[0])


def now() -> float:
    return asyncipc.current_simulation().timers.now() / 1e9


def network() -> Any:
    return asyncipc.current_simulation().network


# -- what they are told


async def listener(port: int = PORT, backlog: int = 5) -> int:
    fd = posix.socket()
    posix.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    posix.bind(fd, ("0.0.0.0", port))
    posix.listen(fd, backlog)
    return fd


async def dial(address: tuple[str, int] = SERVER) -> int:
    """A connection; of one that fails nothing is left."""
    fd = posix.socket()
    try:
        await posix.connect(fd, address)
    except BaseException:
        posix.close(fd)
        raise
    return fd


async def accept(fd: int) -> int:
    return (await posix.accept(fd))[0]


async def datagrams(port: int = PORT) -> int:
    fd = posix.socket(AF_INET, SOCK_DGRAM)
    posix.bind(fd, ("0.0.0.0", port))
    return fd


async def joined(server: Seat, client: Seat) -> tuple[int, int]:
    """A connection: the server's descriptor and the client's."""
    listening = await server.do(listener)
    dialled = await client.do(dial)
    accepted = await server.do(accept, listening)
    await server.call(posix.close, listening)
    return accepted, dialled


async def send_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[await posix.send(fd, view) :]


async def recv_all(fd: int) -> bytes:
    """Until the end of the file."""
    parts = []
    while part := await posix.recv(fd, 65536):
        parts.append(part)
    return b"".join(parts)


async def recv_exactly(fd: int, size: int) -> bytes:
    parts = []
    while size and (part := await posix.recv(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


async def waiting(fd: int) -> list[bytes]:
    """What has come, as it comes, without waiting for more."""
    parts = []
    while True:
        try:
            part = await posix.recv(fd, 65536, MSG_DONTWAIT)
        except BlockingIOError:
            return parts
        parts.append(part)
        if not part:
            return parts


@contextmanager
def fails_with(number: int) -> Iterator[None]:
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == number, errno.errorcode.get(caught.value.errno or 0)


# -- who watches


@final
class Packets:
    """Every packet, at each change of its state."""

    def __init__(self) -> None:
        self.all: list[Transit] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Transit):
            self.all.append(event)

    def sent(self, host: str, letters: str = "") -> list[float]:
        """When ``host`` sent packets (TCP segments of these flags), in seconds."""
        return self.fates("sent", host, letters)

    def fates(self, fate: str, host: str, letters: str = "") -> list[float]:
        wanted = f"[{letters}]" if letters else ""
        return [
            event.t_ns / 1e9
            for event in self.all
            if event.fate == fate and event.source == host and wanted in event.what
        ]
