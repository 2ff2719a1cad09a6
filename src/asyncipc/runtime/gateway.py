"""The gateway: a way from real sockets to simulated ones, or the other way.

A :class:`Door` listens on one side, and for each connection that comes in opens one
on the other.  Bytes go both ways, each way by a task of its own, which has one
chunk in its hands and no more: a side that does not read fills its own buffers,
and its window stops who writes.  A half-close goes on as a half-close, a reset
as a reset; an error ends its connection, and not the door.

Who does it is a process of a simulated host, so what it sends and receives travels
over that host's links, with their latency, loss and cuts.  What is real has
real time, so there is no gateway on virtual time.

Not carried: a refusal.  The other side has accepted by then, and is reset.
"""

from __future__ import annotations

import errno
import operator
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self, TypeVar, final

import anyio

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.ip.address import LOOPBACK4, is_ipv6
from asyncipc.runtime import real_sockets, simulated_sockets
from asyncipc.runtime.clock import VirtualTime
from asyncipc.runtime.gateway_datagrams import attend_datagrams
from asyncipc.runtime.real_sockets import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from asyncipc.runtime.host import Host
    from asyncipc.runtime.real_sockets import RealAddress
    from asyncipc.runtime.simulation import Simulation

T = TypeVar("T")
Kind = Literal["tcp", "udp"]

CHUNK: Final = 65536
"""How far one way is read ahead, in bytes, beside the buffers of the sockets."""
CONNECTIONS_MAX: Final = 512
"""So many a door carries at once; others wait in the backlog of its listener."""


class Stream(Protocol):
    """One end of a connection, real or simulated."""

    async def read(self, size: int) -> bytes:
        """At least one byte, or b"" after the peer's FIN.  OSError."""

    async def write(self, data: bytes) -> None:
        """All of it.  OSError."""

    async def finish(self) -> None:
        """Send a FIN.  OSError."""

    def reset(self) -> None:
        """Send a RST, and close."""

    def close(self) -> None: ...


class Listener(Protocol):
    """Where connections come in."""

    @property
    def port(self) -> int: ...
    async def accept(self) -> Stream: ...
    def close(self) -> None: ...


async def publish(
    simulation: Simulation,
    name: Host | str,
    port: int,
    to: RealAddress,
    via: Host | str,
    kind: Kind,
) -> Door:
    """``sim.publish``"""
    _check(simulation, "publish", port, kind)
    server = _found(simulation, name)
    if server is None:
        raise ValueError(f"there is no host {name!r}")
    host = server
    if server.addresses:
        host = _found(simulation, via) or simulation.host(str(via))
    if _address(server, host) is None:
        raise ValueError(
            f"{host.name} has no address of the family of {', '.join(server.addresses)}"
        )
    if kind == "udp":
        bind = partial(real_sockets.bind, to)
        associate = partial(_connect, simulated_sockets.associate, server, host, port)
        return await Door(host, partial(attend_datagrams, bind, associate)).open()
    listen = partial(real_sockets.listen, to)
    connect = partial(_connect, simulated_sockets.connect, server, host, port)
    return await Door(host, partial(attend_streams, listen, connect)).open()


async def reach(
    simulation: Simulation, name: Host | str, address: RealAddress, port: int | None, kind: Kind
) -> Door:
    """``sim.reach``"""
    own = address[1] if port is None else port
    _check(simulation, "reach", own, kind)
    host = _found(simulation, name) or simulation.host(str(name))
    if kind == "udp":
        bind = partial(simulated_sockets.bind, own)
        associate = partial(real_sockets.associate, address)
        return await Door(host, partial(attend_datagrams, bind, associate)).open()
    listen = partial(simulated_sockets.listen, own)
    connect = partial(real_sockets.connect, address)
    return await Door(host, partial(attend_streams, listen, connect)).open()


def _found(simulation: Simulation, host: Host | str) -> Host | None:
    name = host if isinstance(host, str) else host.name
    known = simulation.hosts.get(name)
    if host is not name and host is not known:
        raise ValueError(f"{host!r} is of another simulation")
    return known


def _check(simulation: Simulation, what: str, port: int, kind: Kind) -> None:
    if kind not in {"tcp", "udp"}:
        raise ValueError(f"kind is 'tcp' or 'udp', not {kind!r}")
    if not 0 < operator.index(port) <= PORT_MAX:
        raise OverflowError(f"a simulated port is 1-{PORT_MAX}, not {port}")
    if simulation.machine.name != "simulated":
        raise Unsupported(f"{what} on the native machine: its sockets are real ones already")
    if not simulation.is_running:
        raise RuntimeError(f"the simulation is not running: {what} inside its block or its run")
    if isinstance(simulation.timers, VirtualTime):
        error = Unsupported(f"{what} on virtual time: what is real outside cannot follow its jumps")
        error.add_note('hint: asyncipc.run(..., time="real")')
        raise error


def _address(server: Host, client: Host) -> str | None:
    """Where ``client`` finds the server: an address of a family that it has one of, too."""
    if server is client:
        return LOOPBACK4
    families = {is_ipv6(address) for address in client.addresses}
    return next((address for address in server.addresses if is_ipv6(address) in families), None)


async def _connect(
    connect: Callable[[str, int], Awaitable[T]], server: Host, client: Host, port: int
) -> T:
    """To the address that the server has now."""
    address = _address(server, client)
    if address is None:
        fail(errno.ENETUNREACH)
    return await connect(address, port)


@final
class Door:
    """What ``sim.publish`` and ``sim.reach`` make: open until it is closed.

    ``host``: whose process it is.  ``port``: where it listens.  ``connections``:
    how many it carries now.  As ``async with`` it is closed at the end of the block.
    """

    def __init__(
        self,
        host: Host,
        attend: Callable[[Door], Awaitable[None]],
    ) -> None:
        self.host = host
        self.port = 0
        self.connections = 0
        self._attend = attend
        self._closed = False
        self._turn = anyio.Lock()
        self._opened = anyio.Event()
        self._error: Exception | None = None
        self._scope = anyio.CancelScope()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"on port {self.port}"
        return f"<Door of {self.host.name} {state}, {self.connections} connections>"

    async def open(self) -> Self:
        """Start its process, and wait until it listens.  Raises what hinders it."""
        self.host.serve(self.gateway)
        await self._opened.wait()
        if self._error is not None:
            raise self._error
        if not self.port:
            fail(errno.ESRCH, f"the gateway on {self.host.name} was killed before it listened")
        return self

    def close(self) -> None:
        """Listen no more, and reset every connection.  Twice is once."""
        self._closed = True
        self._scope.cancel()

    async def aclose(self) -> None:
        """``close``, and wait until all is closed."""
        self.close()
        async with self._turn:
            pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def gateway(self) -> None:
        """The program of its process.  A host that is started again opens its doors again."""
        async with self._turn:  # the former process may still be closing
            if self._closed:
                return
            with anyio.CancelScope() as self._scope:
                try:
                    await self._attend(self)
                except Exception as error:
                    self._hindered(error)
                finally:
                    self._opened.set()

    def listens(self, port: int) -> None:
        self.port = port
        self._opened.set()

    def _hindered(self, error: Exception) -> None:
        if self._opened.is_set():
            raise error
        self._closed, self._error = True, error


async def attend_streams(
    listen: Callable[[], Awaitable[Listener]],
    connect: Callable[[], Awaitable[Stream]],
    door: Door,
) -> None:
    """Carry what comes in on one side to the other."""
    listener = await listen()
    try:
        door.listens(listener.port)
        room = anyio.Semaphore(CONNECTIONS_MAX)
        async with anyio.create_task_group() as group:
            while True:
                await room.acquire()
                group.start_soon(_carry, door, await listener.accept(), connect, room)
    finally:
        listener.close()


async def _carry(
    door: Door, came: Stream, connect: Callable[[], Awaitable[Stream]], room: anyio.Semaphore
) -> None:
    door.connections += 1
    try:
        await join(came, await connect())
    except OSError:  # nobody there
        came.reset()
    except BaseException:
        came.reset()
        raise
    finally:
        door.connections -= 1
        room.release()


async def join(one: Stream, other: Stream) -> None:
    """Carry bytes both ways until both have ended.  What breaks one way resets both ends."""
    ended: list[Stream] = []
    try:
        async with anyio.create_task_group() as group:
            for source, target in ((one, other), (other, one)):
                group.start_soon(_pump, source, target, ended, group.cancel_scope)
    finally:
        whole = len(ended) == 2
        try:
            one.close() if whole else one.reset()
        finally:
            other.close() if whole else other.reset()


async def _pump(
    source: Stream, target: Stream, ended: list[Stream], both: anyio.CancelScope
) -> None:
    try:
        while data := await source.read(CHUNK):
            await target.write(data)
        await target.finish()
    except OSError:
        both.cancel()
    else:
        ended.append(source)
