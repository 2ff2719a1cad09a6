"""Datagrams and channels between hosts: what arrives, what does not, and who is told."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.sockets.socket import AF_INET, SOCK_DGRAM
from asyncipc.network.faults.predicates import drop, nth, protocol
from tests.contract.apart import (
    CLIENT,
    PORT,
    SERVER,
    THIRD,
    Seat,
    datagrams,
    fails_with,
    network,
    seats,
    waiting,
)

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")

GROUP = "239.1.2.3"


async def plain() -> int:
    return posix.socket(AF_INET, SOCK_DGRAM)


async def connected(address: tuple[str, int]) -> int:
    fd = posix.socket(AF_INET, SOCK_DGRAM)
    await posix.connect(fd, address)
    return fd


def test_a_datagram_to_a_closed_port_is_silent_for_who_is_not_connected(run: Run) -> None:
    async def main() -> list[bytes]:
        _, client = seats()
        here = await client.do(plain)
        await client.do(posix.sendto, here, b"anybody?", SERVER)
        await anyio.sleep(1)
        await client.do(posix.sendto, here, b"anybody?", SERVER)
        return await client.do(waiting, here)

    assert run(main) == []


def test_who_is_connected_is_told_once_a_round_trip_later_that_nobody_listens(run: Run) -> None:
    async def main() -> int:
        _, client = seats()
        here = await client.do(connected, SERVER)
        await client.do(posix.send, here, b"anybody?")
        assert await client.do(waiting, here) == []
        await anyio.sleep(0.0021)
        with fails_with(errno.ECONNREFUSED):
            await client.do(posix.recv, here, 9)
        assert await client.do(waiting, here) == []
        return await client.do(posix.send, here, b"anybody?")

    assert run(main) == 8


def test_a_refusal_that_a_cut_swallows_is_never_told(run: Run) -> None:
    async def main() -> list[bytes]:
        _, client = seats()
        here = await client.do(connected, SERVER)
        with network().cut("server", "client"):
            await client.do(posix.send, here, b"anybody?")
            await anyio.sleep(10)
        await anyio.sleep(10)
        return await client.do(waiting, here)

    assert run(main) == []


def test_a_long_datagram_arrives_whole_or_not_at_all(run: Run) -> None:
    async def main() -> list[int]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        await client.do(posix.sendto, here, bytes(65507), SERVER)
        with network().rule(drop(protocol("udp") & nth(3))):
            await client.do(posix.sendto, here, bytes(30000), SERVER)
        with fails_with(errno.EMSGSIZE):
            await client.do(posix.sendto, here, bytes(65508), SERVER)
        await client.do(posix.sendto, here, bytes(9000), SERVER)
        await anyio.sleep(60)
        assert server.host.stack is not None
        assert dict(server.host.stack.counts.dropped) == {"fragments": 20}
        return [len(part) for part in await server.do(waiting, there)]

    assert run(main) == [65507, 9000]


def test_a_broadcast_reaches_all_hosts_of_the_subnet_that_it_can_reach(run: Run) -> None:
    async def main() -> list[list[bytes]]:
        server, client = seats()
        third, far = Seat("third", THIRD[0]), Seat("far", "10.0.1.1")
        listening = [(seat, await seat.do(datagrams)) for seat in (server, third, far)]
        here = await client.do(plain)
        with fails_with(errno.EACCES):
            await client.do(posix.sendto, here, b"all", ("10.0.0.255", PORT))
        await client.call(posix.setsockopt, here, socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        with network().partition("client", "third"):
            await client.do(posix.sendto, here, b"but one", ("10.0.0.255", PORT))
            await anyio.sleep(1)
        await client.do(posix.sendto, here, b"all", ("10.0.0.255", PORT))
        await anyio.sleep(1)
        return [await seat.do(waiting, fd) for seat, fd in listening]

    assert run(main) == [[b"but one", b"all"], [b"all"], []]


def test_a_group_is_heard_by_those_who_have_joined_it_and_not_left(run: Run) -> None:
    def membership(fd: int, option: int) -> None:
        request = socket.inet_aton(GROUP) + socket.inet_aton("0.0.0.0")
        posix.setsockopt(fd, socket.IPPROTO_IP, option, request)

    async def main() -> list[list[bytes]]:
        server, client = seats()
        third = Seat("third", THIRD[0])
        listening = [(seat, await seat.do(datagrams)) for seat in (server, third)]
        here = await client.do(plain)
        for word, seat, option in (
            (b"none", None, 0),
            (b"one", server, socket.IP_ADD_MEMBERSHIP),
            (b"two", third, socket.IP_ADD_MEMBERSHIP),
            (b"left", server, socket.IP_DROP_MEMBERSHIP),
        ):
            if seat is not None:
                await seat.call(membership, dict(listening)[seat], option)
            await client.do(posix.sendto, here, word, (GROUP, PORT))
            await anyio.sleep(1)
        return [await seat.do(waiting, fd) for seat, fd in listening]

    assert run(main) == [[b"one", b"two"], [b"two", b"left"]]


def test_doubled_and_mixed_datagrams_are_what_was_sent_and_nothing_else(run: Run) -> None:
    words = [b"%03d" % number for number in range(200)]

    async def main() -> list[bytes]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        network().link("client", "server", loss=0.1, duplicate=0.2, jitter=0.001, keep_order=False)
        for word in words:
            await client.do(posix.sendto, here, word, SERVER)
        await anyio.sleep(1)
        network().check_conservation()
        return await server.do(waiting, there)

    got = run(main, seed=2)
    assert set(got) < set(words)
    assert max(map(got.count, words)) == 2
    assert got != sorted(got)


# -- channels


async def serve_echo() -> None:
    async with await asyncipc.create_tcp_listener(local_host="0.0.0.0", local_port=PORT) as door:
        await door.serve(echo)


async def echo(stream: anyio.abc.SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def talk_until(event: anyio.Event) -> str:
    """How a conversation by channels ends, that goes on after the event."""
    async with await asyncipc.connect_tcp("server", PORT) as stream:
        await stream.send(b"hello")
        assert await stream.receive() == b"hello"
        await event.wait()
        try:
            await stream.send(b"hello")
            await stream.receive()
        except (anyio.BrokenResourceError, anyio.EndOfStream) as error:
            return f"{type(error).__name__} {type(error.__cause__).__name__}"
    return "nothing happened"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("reboot", "BrokenResourceError ConnectionResetError"),
        ("kill", "EndOfStream NoneType"),
        ("crash", "BrokenResourceError TimeoutError"),
        ("nothing", "nothing happened"),
    ],
)
def test_a_channel_tells_a_reboot_a_kill_and_a_crash_apart_as_tcp_does(
    run: Run, fault: str, told: str
) -> None:
    async def main() -> str:
        sim = asyncipc.current_simulation()
        server, client = sim.host("server", SERVER[0]), sim.host("client", CLIENT[0])
        pid = server.serve(serve_echo)
        event, ends = anyio.Event(), []

        async def talk() -> None:
            ends.append(await client.run(talk_until, event))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk)
            await anyio.sleep(1)
            if fault == "reboot":
                server.restart()
            elif fault == "kill":
                server.kill(pid, signal.SIGKILL)
            elif fault == "crash":
                server.crash()
            await anyio.sleep(1)
            event.set()
        return ends[0]

    assert run(main) == told


def test_a_channel_is_refused_times_out_or_finds_no_name_as_the_wire_has_it(run: Run) -> None:
    async def fail_to_connect(host: str) -> str:
        with pytest.raises(OSError) as caught:
            await asyncipc.connect_tcp(host, PORT)
        return type(caught.value).__name__

    async def main() -> list[str]:
        _, client = seats()
        ends = [await client.do(fail_to_connect, "server")]
        with network().partition("server", "client"):
            ends.append(await client.do(fail_to_connect, "server"))
        ends.append(await client.do(fail_to_connect, "nowhere.example"))
        return ends

    assert run(main) == ["ConnectionRefusedError", "TimeoutError", "gaierror"]
