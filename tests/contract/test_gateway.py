"""The gateway: real clients of simulated servers, and simulated clients of real ones.

Who is real here uses plain sockets in a thread, as a program of its own would.
"""

from __future__ import annotations

import errno
import gc
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from anyio.abc import SocketStream

import asyncipc
from asyncipc import Simulation, Unsupported
from asyncipc.kernel.processes.process import Process
from asyncipc.runtime import gateway, gateway_datagrams
from asyncipc.runtime.gateway import Door
from tests.conftest import Leftovers

RunReal = Callable[..., Any]
LONGEST_S = 8.0
CURL_THROUGH = Path(__file__).parents[2] / "scripts" / "curl-through"
BYTES = random.Random(1).randbytes(1 << 20)
LOCAL = "127.0.0.1"


@pytest.fixture
def run_real(backend: Any, leftovers: Leftovers) -> RunReal:
    """A run on real time, which leaves nothing behind, real descriptors neither."""

    def run_it(main: Callable[[], Any], **options: Any) -> Any:
        async def guarded() -> Any:
            with anyio.fail_after(LONGEST_S):
                return await main()

        gc.freeze()  # so that the collection below looks at what the test has made, and no more
        before = set(os.listdir("/proc/self/fd"))
        try:
            return asyncipc.run(guarded, backend=backend, time="real", **options)
        finally:
            gc.collect()
            gc.unfreeze()
            assert set(os.listdir("/proc/self/fd")) == before, "a real descriptor was left open"
            leftovers.check()

    return run_it


def current() -> Simulation:
    return asyncipc.current_simulation()


# -- simulated programs


Handler = Callable[[SocketStream], Awaitable[None]]


async def serve(handler: Handler, port: int = 80) -> None:
    """Handle every connection to a port, for ever, whatever becomes of each."""

    async def handle(stream: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError):
            await handler(stream)

    async with await asyncipc.create_tcp_listener(local_port=port) as listener:
        await listener.serve(handle)


async def start(handler: Handler, host: str = "server") -> None:
    """A host with a server that listens."""
    current().host(host).serve(serve, handler)
    await anyio.sleep(0.001)


async def echo(stream: SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def answer_at_the_end(stream: SocketStream) -> None:
    """Read all, then answer: only a half-close lets it."""
    async with stream:
        request = b"".join([data async for data in stream])
        await stream.send(request[::-1])


# -- real programs, to be run in a thread


def in_thread(what: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return to_thread.run_sync(what, *args, abandon_on_cancel=True)


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((LOCAL, port), timeout=LONGEST_S) as client:
        yield client


def everything(sock: socket.socket) -> bytes:
    chunks = []
    while chunk := sock.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def ask(port: int, request: bytes) -> bytes:
    """Send a request, and its end; what comes back."""
    with connected(port) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return everything(client)


def how_it_ends(port: int) -> str:
    """What a client meets that waits for the end: "end", or the name of an errno."""
    try:
        with connected(port) as client:
            everything(client)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "end"


# -- real clients


def test_a_real_client_speaks_to_a_simulated_server(run_real: RunReal) -> None:
    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80) as door:
            return await in_thread(ask, door.port, b"hello")

    assert run_real(main) == b"hello"


def test_a_server_on_the_programs_own_machine_needs_no_network(run_real: RunReal) -> None:
    async def main() -> bytes:
        current().localhost.serve(serve, echo)
        async with await current().publish("localhost", 80) as door:
            return await in_thread(ask, door.port, b"hello")

    assert run_real(main) == b"hello"


def test_the_real_address_is_the_one_that_was_asked_for(run_real: RunReal) -> None:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        free = probe.getsockname()[1]

    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80, to=(LOCAL, free)) as door:
            assert door.port == free
            return await in_thread(ask, free, b"hello")

    assert run_real(main) == b"hello"


def test_a_name_of_a_real_host_is_looked_up(run_real: RunReal) -> None:
    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80, to=("localhost", 0)) as door:

            def from_any_family() -> bytes:
                with socket.create_connection(("localhost", door.port), LONGEST_S) as client:
                    client.sendall(b"hello")
                    return client.recv(100)

            return await in_thread(from_any_family)

    assert run_real(main) == b"hello"


def test_a_real_address_of_ipv6_is_as_good(run_real: RunReal) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")

    def client(port: int) -> bytes:
        with socket.create_connection(("::1", port), LONGEST_S) as sock:
            sock.sendall(b"hello")
            return sock.recv(100)

    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80, to=("::1", 0)) as door:
            return await in_thread(client, door.port)

    assert run_real(main) == b"hello"


def test_an_urgent_byte_goes_with_the_others(run_real: RunReal) -> None:
    def client(port: int) -> bytes:
        with connected(port) as sock:
            sock.sendall(b"ab")
            sock.send(b"!", socket.MSG_OOB)
            sock.sendall(b"cd")
            sock.shutdown(socket.SHUT_WR)
            return everything(sock)

    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80) as door:
            return await in_thread(client, door.port)

    assert run_real(main) == b"ab!cd"


def test_every_byte_arrives_both_ways_at_once(run_real: RunReal) -> None:
    async def main() -> bytes:
        await start(echo)
        async with (
            await current().publish("server", 80) as door,
            await anyio.connect_tcp(LOCAL, door.port) as client,
        ):
            return await _sent_and_received(client)

    assert run_real(main) == BYTES


async def _sent_and_received(client: Any) -> bytes:
    async with anyio.create_task_group() as group:

        async def send() -> None:
            await client.send(BYTES)
            await client.send_eof()

        group.start_soon(send)
        return b"".join([data async for data in client])
    raise AssertionError


def test_a_half_close_goes_on_as_a_half_close(run_real: RunReal) -> None:
    """The server answers only after the client's end, and the client hears it after that."""

    async def main() -> bytes:
        await start(answer_at_the_end)
        async with await current().publish("server", 80) as door:
            return await in_thread(ask, door.port, b"abc")

    assert run_real(main) == b"cba"


def test_a_servers_half_close_lets_the_client_go_on_sending(run_real: RunReal) -> None:
    got: list[bytes] = []

    async def end_first(stream: SocketStream) -> None:
        async with stream:
            await stream.send_eof()
            got.extend([data async for data in stream])

    def client(port: int) -> None:
        with connected(port) as sock:
            assert everything(sock) == b""
            sock.sendall(b"still here")

    async def main() -> None:
        await start(end_first)
        async with await current().publish("server", 80) as door:
            await in_thread(client, door.port)
            while not got:
                await anyio.sleep(0.001)

    run_real(main)
    assert b"".join(got) == b"still here"


def test_a_reset_by_the_client_is_a_reset_at_the_server(run_real: RunReal) -> None:
    met: list[object] = []

    async def note_the_end(stream: SocketStream) -> None:
        async with stream:
            try:
                await stream.receive()
                await stream.receive()
            except anyio.BrokenResourceError as error:
                met.append(getattr(error.__cause__, "errno", None))

    def client(port: int) -> None:
        with connected(port) as sock:
            sock.sendall(b"x")
            time.sleep(0.05)
            reset(sock)

    async def main() -> None:
        await start(note_the_end)
        async with await current().publish("server", 80) as door:
            await in_thread(client, door.port)
            while not met:
                await anyio.sleep(0.001)

    run_real(main)
    assert met == [errno.ECONNRESET]


def test_a_reset_by_the_server_is_a_reset_at_the_client(run_real: RunReal) -> None:
    """It has closed with what the client sent unread."""

    async def leave_unread(stream: SocketStream) -> None:
        await anyio.sleep(0.03)
        await stream.aclose()

    def client(port: int) -> None:
        with connected(port) as sock:
            sock.sendall(b"unread")
            everything(sock)

    async def main() -> None:
        await start(leave_unread)
        async with await current().publish("server", 80) as door:
            with pytest.raises(ConnectionResetError):
                await in_thread(client, door.port)

    run_real(main)


def test_who_finds_nobody_listening_is_reset_and_the_door_stays_open(run_real: RunReal) -> None:
    async def main() -> None:
        current().host("server")
        async with await current().publish("server", 80) as door:
            assert await in_thread(how_it_ends, door.port) == "ECONNRESET"
            current().hosts["server"].serve(serve, echo)
            await anyio.sleep(0.001)
            assert await in_thread(ask, door.port, b"now") == b"now"

    run_real(main)


def test_a_broken_connection_leaves_the_others_alone(run_real: RunReal) -> None:
    def clients(port: int) -> bytes:
        with connected(port) as good:
            good.sendall(b"one ")
            for _ in range(5):
                with connected(port) as bad:
                    bad.sendall(b"x" * 100_000)
                    reset(bad)
            good.sendall(b"two")
            good.shutdown(socket.SHUT_WR)
            return everything(good)

    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80) as door:
            return await in_thread(clients, door.port)

    assert run_real(main) == b"one two"


def test_many_clients_are_served_at_once(run_real: RunReal) -> None:
    async def main() -> list[bytes]:
        await start(echo)
        answers: list[bytes] = []

        async def one(port: int, number: int) -> None:
            answers.append(await in_thread(ask, port, b"%d " % number * 1000))

        async with await current().publish("server", 80) as door:
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(one, door.port, number)
            assert door.connections <= 20
        return answers

    assert sorted(run_real(main)) == sorted(b"%d " % number * 1000 for number in range(20))


def test_a_server_that_does_not_read_stops_the_real_client(run_real: RunReal) -> None:
    """Nothing is read ahead but one chunk beside what the sockets' own buffers hold."""
    go_on = anyio.Event()

    async def read_late(stream: SocketStream) -> None:
        async with stream:
            await go_on.wait()
            await stream.send(b"%d" % sum([len(data) async for data in stream]))

    def fill(sock: socket.socket) -> int:
        sock.settimeout(0.3)
        sent = 0
        try:
            while sent < 1 << 28:
                sent += sock.send(bytes(65536))
        except TimeoutError:
            pass
        sock.settimeout(LONGEST_S)
        return sent

    async def main() -> None:
        await start(read_late)
        async with await current().publish("server", 80) as door:
            with socket.create_connection((LOCAL, door.port)) as client:
                sent = await in_thread(fill, client)
                assert sent < 1 << 26
                go_on.set()
                client.shutdown(socket.SHUT_WR)
                assert await in_thread(everything, client) == b"%d" % sent

    run_real(main)


def test_a_real_client_that_does_not_read_stops_the_server(run_real: RunReal) -> None:
    sent = [0]

    async def pour(stream: SocketStream) -> None:
        async with stream:
            for _ in range(1 << 12):
                await stream.send(bytes(65536))
                sent[0] += 65536

    async def main() -> None:
        await start(pour)
        async with await current().publish("server", 80) as door:
            with socket.create_connection((LOCAL, door.port)):
                before = -1
                while sent[0] != before or not before:
                    before = sent[0]
                    await anyio.sleep(0.1)
                assert 0 < before < 1 << 26

    run_real(main)


# -- how doors close


def test_a_closed_door_listens_no_more_and_resets_what_it_carried(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        door = await current().publish("server", 80)
        with connected(door.port) as client:
            while not door.connections:
                await anyio.sleep(0.001)
            door.close()
            door.close()
            await door.aclose()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOCAL, door.port))
        assert door.connections == 0

    run_real(main)


def test_a_closed_door_gives_its_port_back(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        async with await current().publish("server", 80) as door:
            await in_thread(ask, door.port, b"x")
        async with await current().publish("server", 80, to=(LOCAL, door.port)) as again:
            assert again.port == door.port

    run_real(main)


def test_the_end_of_the_run_closes_every_door(run_real: RunReal) -> None:
    clients: list[socket.socket] = []

    async def main() -> None:
        await start(echo)
        door = await current().publish("server", 80)
        clients.append(socket.create_connection((LOCAL, door.port), LONGEST_S))
        while not door.connections:
            await anyio.sleep(0.001)

    with pytest.MonkeyPatch.context() as patch:  # the client is this test's own
        patch.setattr(os, "listdir", lambda path: [])
        run_real(main)
    (client,) = clients
    with client, suppress(ConnectionResetError):  # who is killed first, server or gateway
        assert client.recv(1) == b""


def test_an_exception_of_the_program_closes_every_door(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        door = await current().publish("server", 80)
        await in_thread(ask, door.port, b"x")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_real(main)


def test_a_cancelled_publish_leaves_nothing_behind(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await current().publish("server", 80)

    run_real(main)


def test_a_gateway_that_crashes_is_silent_inside_and_opens_again(run_real: RunReal) -> None:
    async def main() -> bytes:
        await start(echo)
        door = await current().publish("server", 80)
        await in_thread(ask, door.port, b"x")
        host = current().hosts["gateway"]
        host.crash()
        await anyio.sleep(0.02)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOCAL, door.port))
        host.restart()
        await anyio.sleep(0.05)
        answer: bytes = await in_thread(ask, door.port, b"again")
        return answer

    assert run_real(main) == b"again"


def test_who_comes_when_a_door_carries_all_it_can_waits_for_room(
    run_real: RunReal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "CONNECTIONS_MAX", 1)

    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80) as door:
            with connected(door.port) as first, connected(door.port) as second:
                first.sendall(b"x")
                assert await in_thread(first.recv, 1) == b"x"
                second.sendall(b"later")
                second.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    await in_thread(second.recv, 5)
                assert door.connections == 1
                second.settimeout(LONGEST_S)
                first.close()
                answer: bytes = await in_thread(second.recv, 5)
                return answer

    assert run_real(main) == b"later"


def test_a_killed_gateway_resets_its_clients(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        door = await current().publish("server", 80)
        with connected(door.port) as client:
            while not door.connections:
                await anyio.sleep(0.001)
            door.host.kill(process_of(door).pid)
            with pytest.raises(ConnectionResetError):
                await in_thread(client.recv, 1)

    run_real(main)


def process_of(door: Door) -> Process:
    """The one that carries its connections."""
    (process,) = (one for one in door.host.kernel.processes.values() if one.name == "gateway")
    return process


def test_who_comes_when_the_gateway_has_no_descriptor_left_is_reset_and_the_others_stay(
    run_real: RunReal,
) -> None:
    async def main() -> None:
        await start(echo)
        async with await current().publish("server", 80) as door:
            process_of(door).table.limit = 4  # three are the console's
            with connected(door.port) as served:
                served.sendall(b"x")
                assert await in_thread(served.recv, 1) == b"x"
                assert await in_thread(how_it_ends, door.port) == "ECONNRESET"
                served.sendall(b"y")
                assert await in_thread(served.recv, 1) == b"y"
            while door.connections:
                await anyio.sleep(0.001)
            assert await in_thread(ask, door.port, b"room") == b"room"

    run_real(main)


# -- the way there is a simulated one


def test_a_real_client_waits_as_long_as_the_simulated_link_takes(run_real: RunReal) -> None:
    async def main() -> float:
        await start(echo)
        async with await current().publish("server", 80) as door:
            current().link("server", "gateway", latency=0.05)
            start_s = time.monotonic()
            assert await in_thread(ask, door.port, b"hello") == b"hello"
            return time.monotonic() - start_s

    assert run_real(main) >= 0.2  # there and back: the handshake, then the bytes


def test_a_cut_between_gateway_and_server_holds_the_bytes_until_it_heals(
    run_real: RunReal,
) -> None:
    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80) as door:
            with connected(door.port) as client:
                client.sendall(b"one")
                assert await in_thread(client.recv, 3) == b"one"
                with current().partition("gateway", "server"):
                    client.sendall(b"two")
                    client.settimeout(0.1)
                    with pytest.raises(TimeoutError):
                        await in_thread(client.recv, 3)
                client.settimeout(LONGEST_S)
                answer: bytes = await in_thread(client.recv, 3)
                return answer

    assert run_real(main) == b"two"


def test_a_link_that_loses_a_tenth_loses_no_byte(run_real: RunReal) -> None:
    async def main() -> bytes:
        await start(answer_at_the_end)
        async with await current().publish("server", 80) as door:
            current().link("server", "gateway", latency=0.001, loss=0.1)
            answer: bytes = await in_thread(ask, door.port, BYTES[:50_000])
            statistics = current().network.statistics("gateway", "server")
            assert statistics.lost
            return answer

    assert run_real(main, seed=2) == BYTES[:50_000][::-1]


def test_what_arrives_is_a_prefix_of_what_was_sent_and_all_of_it_without_a_reset(
    run_real: RunReal,
) -> None:
    got: dict[int, bytes] = {}
    ended: set[int] = set()

    async def record(stream: SocketStream) -> None:
        async with stream:
            number = (await stream.receive(1))[0]
            got[number] = b""
            async for data in stream:
                got[number] += data
            ended.add(number)

    def client(port: int, number: int) -> None:
        die = random.Random(number)
        rest = bytes([number]) + sent(number)
        with connected(port) as sock:
            while rest and die.random() > (number % 2) * 0.2:
                rest = rest[sock.send(rest[: die.randrange(1, 5000)]) :]
            if rest:
                reset(sock)

    def sent(number: int) -> bytes:
        return random.Random(-number).randbytes(40_000)

    async def main() -> None:
        await start(record)
        async with await current().publish("server", 80) as door:
            current().link("server", "gateway", latency=0.001, loss=0.05, reorder=0.1)
            async with anyio.create_task_group() as group:
                for number in range(12):
                    group.start_soon(in_thread, client, door.port, number)
            while door.connections:
                await anyio.sleep(0.001)
            await anyio.sleep(0.02)
            current().network.check_conservation()

    run_real(main, seed=5)
    assert ended >= set(range(0, 12, 2))
    for number, data in got.items():
        assert sent(number).startswith(data)
        assert number not in ended or data == sent(number)


def test_a_server_that_was_started_again_resets_who_still_speaks_to_it(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        async with await current().publish("server", 80) as door:
            with connected(door.port) as client:
                client.sendall(b"x")
                assert await in_thread(client.recv, 1) == b"x"
                current().hosts["server"].restart()
                await anyio.sleep(0.01)
                with pytest.raises(ConnectionResetError):
                    client.sendall(b"y")  # an ACK that was under way may have told already
                    await in_thread(client.recv, 1)
            assert await in_thread(ask, door.port, b"again") == b"again"

    run_real(main)


def test_a_gateway_that_is_paused_keeps_real_clients_waiting(run_real: RunReal) -> None:
    async def main() -> bytes:
        await start(echo)
        async with await current().publish("server", 80) as door:
            with connected(door.port) as client:
                client.sendall(b"one")
                assert await in_thread(client.recv, 3) == b"one"
                door.host.pause()
                client.sendall(b"two")
                client.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    await in_thread(client.recv, 3)
                client.settimeout(LONGEST_S)
                door.host.resume()
                answer: bytes = await in_thread(client.recv, 3)
                return answer

    assert run_real(main) == b"two"


def test_real_clients_come_from_the_host_that_was_named(run_real: RunReal) -> None:
    async def tell_the_peer(stream: SocketStream) -> None:
        async with stream:
            await stream.send(stream.extra(anyio.abc.SocketAttribute.remote_address)[0].encode())

    async def main() -> list[bytes]:
        await start(tell_the_peer)
        current().host("office", "10.0.0.77")
        async with (
            await current().publish("server", 80, via="office") as one,
            await current().publish("server", 80, via="elsewhere") as other,
        ):
            assert current().hosts["elsewhere"].addresses
            return [await in_thread(ask, door.port, b"") for door in (one, other)]

    named, made = run_real(main)
    assert named.endswith(b"10.0.0.77")
    assert made != named


def test_a_server_with_ipv6_alone_needs_a_gateway_with_ipv6(run_real: RunReal) -> None:
    async def main() -> bytes:
        current().host("server", "fd00::2").serve(serve, echo)
        with pytest.raises(ValueError, match="gateway has no address"):
            await current().publish("server", 80)
        current().host("six", "fd00::9")
        async with await current().publish("server", 80, via="six") as door:
            return await in_thread(ask, door.port, b"hello")

    assert run_real(main) == b"hello"


# -- simulated clients


@contextmanager
def real_listener() -> Iterator[socket.socket]:
    with socket.create_server((LOCAL, 0)) as listener:
        listener.settimeout(LONGEST_S)
        yield listener


def real_echo(listener: socket.socket) -> None:
    """Serve one connection."""
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def test_a_simulated_client_speaks_to_a_real_server(run_real: RunReal) -> None:
    async def client(host: str) -> bytes:
        async with await asyncipc.connect_tcp(host, 5432) as stream:
            return await _sent_and_received(stream)

    async def main() -> bytes:
        with real_listener() as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(in_thread, real_echo, listener)
                async with await current().reach("db", listener.getsockname(), port=5432) as door:
                    assert door.port == 5432
                    address = current().hosts["db"].addresses[0]
                    return await current().host("app").run(client, address)
        raise AssertionError

    assert run_real(main) == BYTES


def test_the_port_inside_is_the_real_one_if_none_is_named(run_real: RunReal) -> None:
    async def main() -> None:
        with real_listener() as listener:
            async with await current().reach("db", listener.getsockname()) as door:
                assert door.port == listener.getsockname()[1]

    run_real(main)


def test_a_port_of_the_own_machine_may_lead_outside(run_real: RunReal) -> None:
    async def main() -> bytes:
        with real_listener() as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(in_thread, real_echo, listener)
                async with (
                    await current().reach("localhost", listener.getsockname(), port=5432),
                    await asyncipc.connect_tcp(LOCAL, 5432) as stream,
                ):
                    return await _sent_and_received(stream)
        raise AssertionError

    assert run_real(main) == BYTES


def test_a_simulated_client_of_a_real_server_that_is_not_there_is_reset(
    run_real: RunReal,
) -> None:
    with real_listener() as gone:
        address = gone.getsockname()

    async def main() -> None:
        async with (
            await current().reach("localhost", address, port=5432),
            await asyncipc.connect_tcp(LOCAL, 5432) as stream,
        ):
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await stream.receive()
        assert isinstance(caught.value.__cause__, ConnectionResetError)

    run_real(main)


def test_a_reset_by_a_real_server_is_a_reset_inside(run_real: RunReal) -> None:
    def server(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(1)
        reset(connection)

    async def main() -> None:
        with real_listener() as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(in_thread, server, listener)
                async with (
                    await current().reach("localhost", listener.getsockname(), port=5432),
                    await asyncipc.connect_tcp(LOCAL, 5432) as stream,
                ):
                    await stream.send(b"x")
                    with pytest.raises(anyio.BrokenResourceError) as caught:
                        await stream.receive()
        assert isinstance(caught.value.__cause__, ConnectionResetError)

    run_real(main)


def test_a_simulated_client_waits_when_the_way_out_has_no_descriptor_left(
    run_real: RunReal,
) -> None:
    """It is in the backlog, and has its turn when another has gone."""

    def server(listener: socket.socket) -> None:
        real_echo(listener)
        real_echo(listener)

    async def ask_inside(words: bytes) -> bytes:
        async with await asyncipc.connect_tcp(LOCAL, 5432) as stream:
            await stream.send(words)
            await stream.send_eof()
            return b"".join([data async for data in stream])

    async def main() -> list[bytes]:
        answers: list[bytes] = []

        async def client(words: bytes) -> None:
            answers.append(await ask_inside(words))

        with real_listener() as listener:
            async with (
                await current().reach("localhost", listener.getsockname(), port=5432) as door,
                anyio.create_task_group() as group,
            ):
                process_of(door).table.limit = 5  # the console's, the listener's, and one
                group.start_soon(in_thread, server, listener)
                group.start_soon(client, b"one")
                group.start_soon(client, b"two")
            return answers

    assert sorted(run_real(main)) == [b"one", b"two"]


def test_a_port_that_is_taken_is_told_to_who_asks_for_it(run_real: RunReal) -> None:
    async def main() -> None:
        await start(echo)
        with real_listener() as listener:
            with pytest.raises(OSError, match="in use") as caught:
                await current().publish("server", 80, to=listener.getsockname())
            assert caught.value.errno == errno.EADDRINUSE
            with pytest.raises(OSError, match="in use") as caught:
                await current().reach("server", listener.getsockname(), port=80)
            assert caught.value.errno == errno.EADDRINUSE

    run_real(main)


# -- datagrams


@pytest.mark.parametrize("host", ["localhost", "server"])
def test_a_real_datagram_is_answered_by_a_simulated_server(run_real: RunReal, host: str) -> None:
    async def shout() -> None:
        async with await asyncipc.create_udp_socket(local_port=53) as udp:
            async for data, sender in udp:
                await udp.sendto(data.upper(), *sender)

    def client(port: int, words: bytes) -> bytes:
        with datagrams_to(port) as sock:
            sock.send(words)
            return sock.recv(100)

    async def main() -> list[bytes]:
        current().host("server")
        current().hosts[host].serve(shout)
        async with await current().publish(host, 53, kind="udp") as door:
            answers = [await in_thread(client, door.port, word) for word in (b"one", b"two")]
            assert door.connections == 2
            return answers

    assert run_real(main) == [b"ONE", b"TWO"]


def test_a_simulated_datagram_is_answered_by_a_real_server(run_real: RunReal) -> None:
    def server(sock: socket.socket) -> None:
        data, sender = sock.recvfrom(100)
        sock.sendto(data.upper(), sender)

    async def main() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(LONGEST_S)
            sock.bind((LOCAL, 0))
            async with anyio.create_task_group() as group:
                group.start_soon(in_thread, server, sock)
                name = sock.getsockname()
                async with (
                    await current().reach("localhost", name, port=53, kind="udp"),
                    await asyncipc.create_connected_udp_socket(LOCAL, 53) as udp,
                ):
                    await udp.send(b"hello")
                    return await udp.receive()
        raise AssertionError

    assert run_real(main) == b"HELLO"


def test_a_datagram_that_finds_nobody_is_lost_and_the_next_one_is_not(run_real: RunReal) -> None:
    async def shout() -> None:
        async with await asyncipc.create_udp_socket(local_port=53) as udp:
            data, sender = await udp.receive()
            await udp.sendto(data.upper(), *sender)

    async def main() -> bytes:
        async with await current().publish("localhost", 53, kind="udp") as door:
            with datagrams_to(door.port) as sock:
                sock.send(b"lost")
                while not door.connections:
                    await anyio.sleep(0.001)
                await anyio.sleep(0.01)
                current().localhost.serve(shout)
                await anyio.sleep(0.01)
                sock.send(b"found")
                answer: bytes = await in_thread(sock.recv, 100)
                return answer

    assert run_real(main) == b"FOUND"


def test_of_many_senders_the_one_that_was_silent_for_longest_is_forgotten(
    run_real: RunReal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_datagrams, "SENDERS_MAX", 2)
    answered: list[Any] = []

    async def echo_datagrams() -> None:
        async with await asyncipc.create_udp_socket(local_port=53) as udp:
            async for data, sender in udp:
                answered.append(sender)
                await udp.sendto(data, *sender)

    def asked(sock: socket.socket) -> bytes:
        sock.send(b"x")
        return sock.recv(100)

    async def main() -> None:
        current().localhost.serve(echo_datagrams)
        async with await current().publish("localhost", 53, kind="udp") as door:
            with ExitStack() as stack:
                for index in (0, 1, 0, 2, 0, 1):
                    while index >= len(clients):
                        clients.append(stack.enter_context(datagrams_to(door.port)))
                    assert await in_thread(asked, clients[index]) == b"x"
                assert door.connections == 2

    clients: list[socket.socket] = []
    run_real(main)
    zero, one, again, _, still, anew = answered
    assert zero == again == still
    assert anew not in {zero, one}


@contextmanager
def datagrams_to(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(LONGEST_S)
        sock.connect((LOCAL, port))
        yield sock


# -- what is refused


@pytest.mark.parametrize("what", ["publish", "reach"])
def test_virtual_time_refuses_a_gateway_by_name_and_says_what_to_do(
    backend: Any, what: str
) -> None:
    async def main() -> None:
        sim = current()
        if what == "publish":
            await sim.publish("localhost", 80)
        else:
            await sim.reach("db", (LOCAL, 5432))

    with pytest.raises(Unsupported, match=f"{what} on virtual time") as caught:
        asyncipc.run(main, backend=backend)
    assert any('time="real"' in note for note in caught.value.__notes__)


def test_the_native_machine_refuses_a_gateway_by_name(backend: Any) -> None:
    async def main() -> None:
        await current().publish("localhost", 80)

    with pytest.raises(Unsupported, match="publish on the native machine"):
        asyncipc.run(main, backend=backend, machine="native")


def test_a_host_that_there_is_not_cannot_be_published(run_real: RunReal) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="no host 'nowhere'"):
            await current().publish("nowhere", 80)

    run_real(main)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_simulated_port_is_a_port(run_real: RunReal, port: int) -> None:
    async def main() -> None:
        with pytest.raises(OverflowError, match="1-65535"):
            await current().publish("localhost", port)
        with pytest.raises(OverflowError, match="1-65535"):
            await current().reach("localhost", (LOCAL, 80), port=port)

    run_real(main)


def test_what_is_wrong_with_a_real_address_is_told_to_who_names_it(run_real: RunReal) -> None:
    async def main() -> None:
        with pytest.raises(OverflowError, match="a real port"):
            await current().publish("localhost", 80, to=(LOCAL, 70000))
        with pytest.raises(OSError, match="assign"):
            await current().publish("localhost", 80, to=("192.0.2.1", 0))
        with pytest.raises(ValueError, match="'tcp' or 'udp'"):
            await current().publish("localhost", 80, kind="sctp")  # type: ignore[arg-type]

    run_real(main)


def test_a_simulation_that_does_not_run_has_no_gateway(backend: Any) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="not running"):
            await Simulation().publish("localhost", 80)

    anyio.run(main, backend=backend)


def test_an_embedded_simulation_has_a_gateway(backend: Any, leftovers: Leftovers) -> None:
    async def main() -> bytes:
        with anyio.fail_after(LONGEST_S):
            async with Simulation() as sim:
                sim.localhost.serve(serve, echo)
                async with await sim.publish("localhost", 80) as door:
                    answer: bytes = await in_thread(ask, door.port, b"hello")
                    return answer

    assert anyio.run(main, backend=backend) == b"hello"


# -- a real HTTP client


def test_a_page_comes_through_a_lossy_link_byte_by_byte(backend: Any) -> None:
    client = "urllib" if shutil.which("curl") is None else "curl"
    fetches = 10 if backend == "trio" else 2
    options = ["--client", client, "--fetches", str(fetches), "--backend", backend]
    done = subprocess.run(
        [sys.executable, CURL_THROUGH, *options, "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{fetches} of {fetches} pages of 200000 bytes" in done.stdout
    assert "(loss)" in done.stdout
