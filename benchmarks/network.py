"""The network: datagrams, TCP and idle hosts, on virtual time.

All of ours runs under ``asyncipc.run``, with the defaults of a program: a link of
1 ms where nothing else is said, no rule installed and nobody watching.  The peers
of TCP are trio's streams over real loopback, whose link takes no time: theirs is
the kernel's TCP, and its CPU time counts as theirs.  ``gossip`` says what that is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from time import process_time
from typing import Final, TypeAlias

import trio
import trio.testing

import asyncipc
from benchmarks import gossip
from benchmarks.case import Case, Comparison, Contender, Limit, scaled
from benchmarks.memory import Gauge
from benchmarks.pairs import RECEIVE_MAX, End
from benchmarks.pingpong import ping
from benchmarks.stream import read, write

HOSTS: Final = 1000
HEARD: Final = 10_000
HOURS_HEARD: Final = 100 * 10 * 3600
"""Of 100 hosts in one hour, 10 a second each."""
LOOPBACK: Final = "127.0.0.1"
ECHOES: Final = 300
CHUNK: Final = 65536
CHUNKS: Final = 200
IDLE: Final = 10_000
HOUR: Final = 3600.0
HAS_SIMPY: Final = find_spec("simpy") is not None


# -- datagrams


def datagrams(scale: float = 1.0) -> Case:
    """Gossip of 1,000 hosts.  Without SimPy (``asyncipc[bench]``) the peer is trio alone."""
    hosts, heard = scaled(HOSTS, scale), scaled(HEARD, scale)
    ours, trios, simpy, bare = "asyncipc", "trio, MockClock", "simpy", "simpy, bare"
    contenders = [
        Contender(ours, lambda: gossip.ours(hosts, heard)),
        Contender(trios, lambda: gossip.by_trio(hosts, heard)),
    ]
    comparisons = [Comparison(ours, trios, 8)]
    if HAS_SIMPY:
        contenders += [
            Contender(simpy, lambda: gossip.by_simpy(hosts, heard)),
            Contender(bare, lambda: gossip.by_bare_simpy(hosts, heard)),
        ]
        comparisons += [Comparison(ours, simpy, 1.2), Comparison(ours, bare)]
    return Case(
        "net-datagrams",
        f"gossip of {hosts} hosts, per datagram",
        "us",
        tuple(contenders),
        tuple(comparisons),
        rounds_max=9,
    )


def flat(scale: float = 1.0) -> Case:
    """What a datagram costs among few and among many: ratios below 1 are what many lose."""
    sizes = [scaled(hosts, scale) for hosts in (10, 100, 1000, 10_000)]
    heard = scaled(HEARD, scale)

    def among(name: str, hosts: int) -> Contender:
        return Contender(name, lambda: gossip.ours(hosts, heard))

    names = "10 hosts", "100 hosts", "1,000 hosts", "10,000 hosts"
    return Case(
        "net-flat",
        "gossip of few and of many hosts, per datagram",
        "us",
        tuple(map(among, names, sizes)),
        (
            Comparison("100 hosts", "10 hosts"),
            Comparison("1,000 hosts", "10 hosts"),
            Comparison("10,000 hosts", "10 hosts", 1 / 3),
        ),
        rounds_max=5,
    )


# -- TCP

Ends: TypeAlias = AbstractAsyncContextManager[tuple[End, End]]


@asynccontextmanager
async def _real_ends() -> AsyncIterator[tuple[End, End]]:
    """trio's streams over real loopback."""
    (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
    near = await trio.open_tcp_stream(LOOPBACK, listener.socket.getsockname()[1])
    far = await listener.accept()
    yield End(near.send_all, near.receive_some), End(far.send_all, far.receive_some)
    for end in (near, far, listener):
        await end.aclose()


async def _echo(end: End) -> None:
    send, receive = end.send, end.receive
    while data := await receive(RECEIVE_MAX):
        await send(bytes(data))


async def _take(end: End, total: int) -> None:
    await read(end, total)
    await end.send(b"!")


async def _pour(end: End, count: int) -> float:
    """Microseconds for each chunk, until the other side has all."""
    payload = bytes(CHUNK)
    start = process_time()
    await write(end, payload, count)
    await end.receive()
    return (process_time() - start) / count * 1e6


Near: TypeAlias = Callable[[End, int], Awaitable[float]]
Far: TypeAlias = Callable[[End], Awaitable[None]]


async def _over_real_loopback(near: Near, far: Far, count: int) -> float:
    async with _real_ends() as (one, other), trio.open_nursery() as nursery:
        nursery.start_soon(far, other)
        cost = await near(one, count)
        nursery.cancel_scope.cancel()
    return cost


async def _server(far: Far) -> None:
    async with (
        await asyncipc.create_tcp_listener(local_port=7) as listener,
        await listener.accept() as channel,
    ):
        await far(End(channel.send, channel.receive))


async def _client(near: Near, count: int) -> float:
    async with await asyncipc.connect_tcp("server", 7) as channel:
        return await near(End(channel.send, channel.receive), count)


async def _over_a_link(near: Near, far: Far, count: int) -> float:
    sim = asyncipc.current_simulation()
    server, client = sim.host("server"), sim.host("client")
    server.serve(_server, far)
    await trio.sleep(1)
    return await client.run(_client, near, count)


def _tcp_case(name: str, work: str, near: Near, far: Far, count: int) -> Case:
    ours, real = "asyncipc", "trio, real loopback"
    return Case(
        name,
        work,
        "us",
        (
            Contender(ours, lambda: asyncipc.run(_over_a_link, near, far, count)),
            Contender(real, lambda: trio.run(_over_real_loopback, near, far, count)),
        ),
        (Comparison(ours, real, 0.5),),
    )


def echo(scale: float = 1.0) -> Case:
    """64 bytes there and back, over a link of 1 ms each way."""
    work = "TCP echo of 64 B between hosts 1 ms apart"
    return _tcp_case("net-echo", work, ping, _echo, scaled(ECHOES, scale))


def bulk(scale: float = 1.0) -> Case:
    """Over a link that is clean; what TCP's start takes of the time is in it."""
    count = scaled(CHUNKS, scale)

    async def take(end: End) -> None:
        await _take(end, CHUNK * count)

    return _tcp_case("net-bulk", "TCP, one way, per 64 KiB", _pour, take, count)


# -- idle hosts


async def _bound() -> None:
    channel = await asyncipc.create_udp_socket(local_port=gossip.PORT)
    await channel.receive()


def _build(count: int) -> list[asyncipc.Host]:
    sim = asyncipc.current_simulation()
    hosts = [sim.host(f"host{number}", gossip.address_of(number)) for number in range(count)]
    for host in hosts:
        host.serve(_bound)
    return hosts


async def _building(count: int) -> float:
    """Milliseconds until all are bound and asleep."""
    start = process_time()
    hosts = _build(count)
    await trio.testing.wait_all_tasks_blocked()
    assert len(hosts) == count
    return (process_time() - start) * 1e3


async def _holding(count: int) -> float:
    gauge = Gauge()
    hosts = _build(count)
    await trio.testing.wait_all_tasks_blocked()
    mib = gauge.kib_each(1) / 1024
    assert len(hosts) == count
    return mib


async def _idling(count: int) -> float:
    """Milliseconds for an hour in which nothing happens."""
    _build(count)
    await trio.testing.wait_all_tasks_blocked()
    start = process_time()
    await trio.sleep(HOUR)
    return (process_time() - start) * 1e3


Building: TypeAlias = Callable[[int], Awaitable[float]]


def idle(scale: float = 1.0) -> Iterator[Case]:
    """10,000 hosts, on each a process that waits at a bound UDP port: three costs."""
    count = scaled(IDLE, scale)

    def case(name: str, work: str, unit: str, measured: Limit, program: Building) -> Case:
        contender = Contender(measured.ours, lambda: asyncipc.run(program, count))
        return Case(name, f"{count} idle hosts, {work}", unit, (contender,), (), (measured,), 3)

    yield case("net-idle", "to build them", "ms", Limit("built", 1000), _building)
    yield case("net-idle-memory", "what they hold", "MiB", Limit("held", 150), _holding)
    yield case("net-idle-hour", "an hour of them", "ms", Limit("an hour", 10), _idling)


# -- an hour


def hour(scale: float = 1.0) -> Case:
    """100 hosts hear 10 datagrams a second each for an hour: a part of it, and from that all.

    The whole hour is ``--scale 50``.
    """
    hosts, heard = scaled(100, min(scale, 1.0)), scaled(HOURS_HEARD // 50, scale)

    def whole(cost: Callable[[int, int], float]) -> float:
        return cost(hosts, heard) * HOURS_HEARD / 1e6

    relayed, timed = "each tells what it hears", "each tells by a timer"
    return Case(
        "net-hour",
        "gossip of 100 hosts, 10 a second each, one virtual hour",
        "s",
        (
            Contender(relayed, lambda: whole(gossip.by_the_second)),
            Contender(timed, lambda: whole(gossip.by_timers)),
        ),
        (),
        (Limit(relayed, 60),),
        rounds_max=3,
    )
