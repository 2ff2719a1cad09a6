"""What the others see when a process is killed, a host crashes, boots again or stands still."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SO_LINGER, SOL_SOCKET
from asyncipc.kernel.tcp.options import (
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_USER_TIMEOUT,
)
from asyncipc.statistics import SocketStatistics
from tests.contract.apart import (
    CLIENT,
    PORT,
    SERVER,
    Packets,
    Seat,
    accept,
    datagrams,
    dial,
    fails_with,
    joined,
    listener,
    network,
    now,
    recv_all,
    seats,
    send_all,
    waiting,
)

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")


# -- power off


def test_a_crash_is_silent_and_a_peer_that_only_reads_never_learns_of_it(run: Run) -> None:
    packets = Packets()

    async def main() -> tuple[bytes | None, float]:
        server, client = seats()
        _, dialled = await joined(server, client)
        packets.all.clear()
        server.host.crash()
        return await client.do_for(86400, posix.recv, dialled, 9), len(packets.all)

    assert run(main, observers=[packets]) == (None, 0)


def test_a_writer_to_a_crashed_host_gives_up_when_all_retransmissions_are_spent(
    run: Run,
) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        server.host.crash()
        before = now()
        await client.do(posix.send, dialled, b"hello")
        with fails_with(errno.ETIMEDOUT):
            await client.do(posix.recv, dialled, 9)
        return now() - before

    assert 924.6 <= run(main) < 924.6 + 120


def test_power_off_leaves_the_peer_half_open_until_its_keepalive_gives_up(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        await client.call(keep_alive, dialled, 10, 5, 3)
        server.host.crash()
        before = now()
        with fails_with(errno.ETIMEDOUT):
            await client.do(posix.recv, dialled, 9)
        return now() - before

    # it is asked after 10 s of silence, and thrice, each time for 5 s
    assert run(main) == pytest.approx(10 + 3 * 5, abs=0.01)


def keep_alive(fd: int, idle: int, interval: int, count: int) -> None:
    posix.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
    posix.setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle)
    posix.setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval)
    posix.setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, count)


def test_power_off_leaves_a_writer_half_open_until_its_user_timeout(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        await client.call(posix.setsockopt, dialled, IPPROTO_TCP, TCP_USER_TIMEOUT, 7000)
        server.host.crash()
        before = now()
        await client.do(posix.send, dialled, b"hello")
        with fails_with(errno.ETIMEDOUT):
            await client.do(posix.recv, dialled, 9)
        return now() - before

    assert run(main) == pytest.approx(7, abs=0.01)


def test_what_is_due_while_a_host_is_down_is_lost(run: Run) -> None:
    async def main() -> tuple[list[bytes], dict[str, int]]:
        server, client = seats()
        here = await client.do(datagrams)
        network().link("client", "server", latency=1.0)
        await client.do(posix.sendto, here, b"too early", SERVER)
        await anyio.sleep(0.5)
        stack = server.host.stack
        assert stack is not None
        server.host.crash()
        await anyio.sleep(2)
        server.host.restart()
        there = await server.do(datagrams)
        await client.do(posix.sendto, here, b"in time", SERVER)
        await anyio.sleep(2)
        return await server.do(waiting, there), dict(stack.counts.dropped)

    assert run(main) == ([b"in time"], {"down": 1})


def test_what_is_held_for_a_crashed_host_or_from_it_is_discarded(run: Run) -> None:
    async def main() -> tuple[int, int, list[bytes], list[bytes]]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        cut = network().partition(server.host, client.host, how="hold")
        await client.do(posix.sendto, here, b"for it", SERVER)
        await server.do(posix.sendto, there, b"from it", CLIENT)
        held = len(cut.held)
        server.host.crash()
        left = len(cut.held)
        server.host.restart()
        there = await server.do(datagrams)
        cut.heal()
        await anyio.sleep(10)
        lost = [dict(network().statistics(*way).dropped) for way in WAYS]
        assert lost == [{"down": 1}, {"down": 1}]
        return held, left, await server.do(waiting, there), await client.do(waiting, here)

    assert run(main) == (2, 0, [], [])


WAYS = [("client", "server"), ("server", "client")]


def test_what_a_host_had_sent_before_it_crashed_arrives(run: Run) -> None:
    async def main() -> bytes:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        network().link("client", "server", latency=1.0)
        await client.do(posix.send, dialled, b"last words")
        client.host.crash()
        return await server.do(posix.recv, accepted, 99)

    assert run(main) == b"last words"


# -- power on again


def test_a_host_that_booted_again_answers_what_comes_for_its_former_life_with_a_reset(
    run: Run,
) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        server.host.crash()
        await anyio.sleep(5)
        server.host.restart()
        before = now()
        await client.do(posix.send, dialled, b"do you remember me?")
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)
        with fails_with(errno.EPIPE):
            await client.do(posix.send, dialled, b"no?")
        return now() - before

    assert run(main) == pytest.approx(0.002)


def test_a_keepalive_probe_finds_out_that_the_peer_has_booted_again(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        await client.call(keep_alive, dialled, 10, 5, 3)
        before = now()
        server.host.restart()
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)
        return now() - before

    assert run(main) == pytest.approx(10, abs=0.01)


def test_a_retransmission_under_way_is_reset_when_the_peer_is_back(run: Run) -> None:
    async def main() -> tuple[float, float]:
        server, client = seats()
        _, dialled = await joined(server, client)
        server.host.crash()
        await client.do(posix.send, dialled, b"hello")
        await anyio.sleep(5)
        server.host.restart()
        back = now()
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)
        return back, now()

    back, told = run(main)
    assert back < told < 2 * back + 1


def test_a_restart_in_the_step_of_the_crash_is_a_reboot(run: Run) -> None:
    async def main() -> tuple[float, bool]:
        server, client = seats()
        _, dialled = await joined(server, client)
        before = now()
        server.host.crash()
        server.host.restart()
        assert now() == before
        await client.do(posix.send, dialled, b"do you remember me?")
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)
        await server.do(listener)
        return await client.do(dial) > 0, server.host.is_up

    assert run(main) == (True, True)


def test_a_second_crash_is_an_error_and_changes_nothing(run: Run) -> None:
    async def main() -> bool:
        server, client = seats()
        server.host.crash()
        with pytest.raises(RuntimeError, match="host server is down: restart it first"):
            server.host.crash()
        server.host.restart()
        await server.do(listener)
        return await client.do(dial) > 0

    assert run(main)


def test_a_tcp_port_can_be_bound_again_after_a_restart_whatever_was_connected_to_it(
    run: Run,
) -> None:
    async def plain_listener() -> int:
        fd = posix.socket()
        posix.bind(fd, SERVER)  # without SO_REUSEADDR
        posix.listen(fd, 5)
        return fd

    async def main() -> list[bytes]:
        server, client = seats()
        got = []
        for word in (b"one", b"two", b"three"):
            listening = await server.do(plain_listener)
            dialled = await client.do(dial)
            accepted = await server.do(accept, listening)
            await client.do(posix.send, dialled, word)
            got.append(await server.do(posix.recv, accepted, 9))
            server.host.restart()
        return got

    assert run(main) == [b"one", b"two", b"three"]


def test_connect_to_a_host_that_is_down_goes_through_when_it_has_booted(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        server.host.crash()

        async def boot() -> None:
            await anyio.sleep(5.5)
            server.host.restart()
            await server.do(listener)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(boot)
            await client.do(dial)
        return now()

    assert run(main) == pytest.approx(7.002)


def test_who_asks_a_host_that_crashed_in_its_handshake_is_never_answered(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        await server.do(listener)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(crash_soon, server)
            with fails_with(errno.ETIMEDOUT):
                await client.do(dial)
        return now()

    async def crash_soon(server: Seat) -> None:
        await anyio.sleep(0.0005)
        server.host.crash()

    assert run(main) == 131.0


# -- a process is killed


def test_the_peer_of_a_killed_process_reads_the_end_of_the_file(run: Run) -> None:
    async def main() -> tuple[bytes, float]:
        server, client = seats()
        await joined(server, client)
        dialled = await client.do(dial_anew, server)
        before = now()
        server.host.kill(server.pid)
        return await client.do(posix.recv, dialled, 9), now() - before

    async def dial_anew(server: Seat) -> int:
        listening = await server.do(listener)
        fd = await dial()
        await server.do(accept, listening)
        return fd

    got, took = run(main)
    assert got == b""
    assert took == pytest.approx(0.001)


def test_the_peer_of_a_killed_process_that_had_not_read_all_is_reset(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        await client.do(posix.send, dialled, b"unread")
        await anyio.sleep(1)
        before = now()
        server.host.kill(server.pid)
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)
        return now() - before

    assert run(main) == pytest.approx(0.001)


def test_who_writes_to_a_killed_process_succeeds_once_and_then_has_no_reader(run: Run) -> None:
    async def main() -> tuple[int, bytes]:
        server, client = seats()
        _, dialled = await joined(server, client)
        server.host.kill(server.pid)
        await anyio.sleep(1)
        sent = await client.do(posix.send, dialled, b"hello")
        await anyio.sleep(1)
        with fails_with(errno.EPIPE):
            await client.do(posix.send, dialled, b"hello")
        return sent, await client.do(posix.recv, dialled, 9)

    assert run(main) == (5, b"")


def test_who_waits_in_the_backlog_of_a_killed_process_is_reset(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        await server.do(listener)
        dialled = await client.do(dial)
        await anyio.sleep(1)
        server.host.kill(server.pid)
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)
        with fails_with(errno.ECONNREFUSED):
            await client.do(dial)

    run(main)


def test_what_a_killed_process_had_sent_is_delivered_before_the_end(run: Run) -> None:
    data = bytes(range(256)) * 400

    async def main() -> tuple[bool, bytes]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        network().link("client", "server", bandwidth=1_000_000)
        await client.do(send_all, dialled, data)
        client.host.kill(client.pid)
        under_way = network().statistics("client", "server").bytes_sent < len(data)
        return under_way, await server.do(recv_all, accepted)

    assert run(main) == (True, data)


def test_a_service_that_is_asked_to_end_has_a_while_and_is_killed_then(run: Run) -> None:
    said: list[tuple[str, float]] = []

    async def main() -> None:
        server = asyncipc.current_simulation().host("server")
        polite, stubborn = server.serve(serve, True), server.serve(serve, False)
        await anyio.sleep(10)
        for pid in (polite, stubborn):
            server.kill(pid, signal.SIGTERM)
        await anyio.sleep(5)
        for pid in (polite, stubborn):
            if pid in server.kernel.processes:
                server.kill(pid)
        assert list(server.kernel.processes) == [1]

    async def serve(is_polite: bool) -> None:
        asked = False

        def ask(number: int, info: object) -> None:
            nonlocal asked
            asked = True

        posix.signal(signal.SIGTERM, ask)
        try:
            while not (asked and is_polite):
                await posix.nanosleep(1)
        except InterruptedError:
            if not is_polite:
                await posix.nanosleep(1000)
        finally:
            said.append(("polite" if is_polite else "stubborn", now()))

    run(main)
    assert said == [("polite", 10.0), ("stubborn", 15.0)]


# -- a host stands still


def test_connections_outlive_the_standstill_of_their_host(run: Run) -> None:
    async def main() -> tuple[bytes, float]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        server.host.pause()
        await client.do(posix.send, dialled, b"hello")
        await anyio.sleep(100)
        server.host.resume()
        got = await server.do(posix.recv, accepted, 9)
        await server.do(posix.send, accepted, b"good morning")
        assert await client.do(posix.recv, dialled, 99) == b"good morning"
        return got, now()

    got, at = run(main)
    assert got == b"hello"
    assert at == pytest.approx(100.004, abs=0.002)


def test_the_ring_of_a_host_that_stands_still_is_bounded(run: Run) -> None:
    async def main() -> tuple[int, dict[str, int]]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        server.host.pause()
        for number in range(1003):
            await client.do(posix.sendto, here, b"%d" % number, SERVER)
        await anyio.sleep(1)
        server.host.resume()
        assert server.host.stack is not None
        got = await server.do(waiting, there)
        assert got == [b"%d" % number for number in range(len(got))]
        return server.host.stack.counts.arrived, dict(server.host.stack.counts.dropped)

    assert run(main) == (1000, {"ring": 3})


def test_a_crash_ends_a_standstill_and_a_restart_begins_in_motion(run: Run) -> None:
    async def main() -> bool:
        server, client = seats()
        server.host.pause()
        server.host.crash()
        server.host.restart()
        await server.do(listener)
        return await client.do(dial) > 0

    assert run(main)


# -- connections come and go


def test_a_thousand_connections_come_and_go_and_no_port_is_left_taken(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        listening = await server.do(listener)

        async def serve() -> None:
            for _ in range(1000):
                fd = await accept(listening)
                assert await posix.recv(fd, 9) == b""
                posix.close(fd)

        async def ask() -> None:
            for _ in range(1000):
                posix.close(await dial())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.do, serve)
            tasks.start_soon(client.do, ask)
        await anyio.sleep(1)
        assert left(client) == ["TIME-WAIT"] * 1000
        await anyio.sleep(60)
        assert left(client) == []
        assert left(server) == ["LISTEN"]

    run(main)


def left(seat: Seat) -> list[str]:
    """The states of all sockets of a host, and of connections that no descriptor stands for."""
    found = seat.host.statistics().files
    return [file.state for file in found if isinstance(file, SocketStatistics)]


@pytest.mark.parametrize("order", [("reader", "writer"), ("writer", "reader")])
def test_the_halves_of_a_connection_may_be_dropped_in_either_order(
    run: Run, order: tuple[str, str]
) -> None:
    how = {"reader": 0, "writer": 1}

    async def main() -> bytes:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        await client.do(posix.send, dialled, b"before")
        for half in order:
            await client.call(posix.shutdown, dialled, how[half])
            await anyio.sleep(1)
        await client.call(posix.close, dialled)
        got = await server.do(recv_all, accepted)
        await server.call(posix.close, accepted)
        await anyio.sleep(200)
        assert left(client) == left(server) == []
        return got

    assert run(main) == b"before"


@pytest.mark.parametrize("after", [0.0, 0.0005, 0.0015])
def test_a_connect_that_is_cancelled_in_its_handshake_leaves_nothing_at_the_server(
    run: Run, after: float
) -> None:
    async def main() -> int | None:
        server, client = seats()
        listening = await server.do(listener)
        assert await client.do_for(after, dial) is None
        accepted = await server.do_for(100, accept, listening)
        assert left(client) == []
        assert left(server) == ["LISTEN"]
        return accepted

    assert run(main) is None


def test_a_connection_that_lingers_for_no_time_ends_with_a_reset(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        linger = (1).to_bytes(4, "little") + bytes(4)
        await client.call(posix.setsockopt, dialled, SOL_SOCKET, SO_LINGER, linger)
        await client.call(posix.close, dialled)
        with fails_with(errno.ECONNRESET):
            await server.do(posix.recv, accepted, 9)

    run(main)


def test_data_that_arrived_before_a_reset_is_read_before_the_error(run: Run) -> None:
    async def main() -> bytes:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        await server.do(posix.send, accepted, b"unread by the client")
        await client.do(posix.send, dialled, b"read first")
        await anyio.sleep(1)
        await client.call(posix.close, dialled)
        await anyio.sleep(1)
        got = await server.do(posix.recv, accepted, 99)
        with fails_with(errno.ECONNRESET):
            await server.do(posix.recv, accepted, 9)
        assert await server.do(posix.recv, accepted, 9) == b""
        return got

    assert run(main) == b"read first"


def test_a_syn_to_a_full_backlog_is_dropped_and_tried_again(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        listening = await server.do(listener, PORT, 0)
        await client.do(dial)

        async def accept_later() -> None:
            await anyio.sleep(2.5)
            await server.do(accept, listening)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept_later)
            await client.do(dial)
        return now()

    assert run(main) == pytest.approx(3.004, abs=0.002)
