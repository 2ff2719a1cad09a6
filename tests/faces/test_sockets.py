"""Sockets as anyio's: streams, listeners, datagrams, and their names."""

from __future__ import annotations

from collections.abc import Callable
from socket import AddressFamily
from typing import Any

import anyio
import pytest
from anyio.abc import (
    ConnectedUDPSocket,
    ConnectedUNIXDatagramSocket,
    SocketAttribute,
    SocketListener,
    SocketStream,
    UDPSocket,
    UNIXDatagramSocket,
)

import asyncipc
from asyncipc import posix

Run = Callable[..., Any]
LOOPBACK = "127.0.0.1"


async def shout(stream: SocketStream) -> None:
    """A server's answer: what it gets, in capitals."""
    async with stream:
        async for part in stream:
            await stream.send(part.upper())


@pytest.mark.parametrize("family", ["unix", "abstract", "tcp", "tcp6"])
def test_a_client_and_a_server_talk(run: Run, family: str) -> None:
    async def listener() -> asyncipc.ListenerChannel:
        if family in {"unix", "abstract"}:
            return await asyncipc.create_unix_listener(NAMES[family])
        return await asyncipc.create_tcp_listener(local_host=NAMES[family])

    async def client(server: asyncipc.ListenerChannel) -> asyncipc.SocketChannel:
        if family in {"unix", "abstract"}:
            return await asyncipc.connect_unix(NAMES[family])
        return await asyncipc.connect_tcp(*server.name()[:2])

    async def main() -> None:
        server = await listener()
        assert isinstance(server, SocketListener)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, shout, group)
            async with await client(server) as stream:
                assert isinstance(stream, SocketStream)
                await stream.send(b"hear me")
                assert await stream.receive() == b"HEAR ME"
                await stream.send_eof()
                with pytest.raises(anyio.EndOfStream):
                    await stream.receive()
            group.cancel_scope.cancel()
        await server.aclose()

    run(main)


NAMES: dict[str, Any] = {
    "unix": "/tmp/server",
    "abstract": b"\0server",
    "tcp": LOOPBACK,
    "tcp6": "::1",
}


def test_a_listener_without_a_host_hears_ipv4_and_ipv6(run: Run) -> None:
    async def main() -> None:
        async with await asyncipc.create_tcp_listener() as server:
            port = server.extra(SocketAttribute.local_port)
            for host in (LOOPBACK, "::1"):
                async with await asyncipc.connect_tcp(host, port), await server.accept():
                    pass

    run(main)


def test_sockets_tell_their_names(run: Run) -> None:
    async def main() -> None:
        async with await asyncipc.create_tcp_listener(local_host=LOOPBACK) as server:
            port = server.extra(SocketAttribute.local_port)
            async with await asyncipc.connect_tcp(LOOPBACK, port) as client:
                assert client.extra(SocketAttribute.family) == AddressFamily.AF_INET
                assert client.extra(SocketAttribute.remote_address) == (LOOPBACK, port)
                assert client.extra(SocketAttribute.remote_port) == port
                own = client.extra(SocketAttribute.local_port)
                async with await server.accept() as accepted:
                    assert accepted.extra(SocketAttribute.remote_address) == (LOOPBACK, own)
            assert server.extra(SocketAttribute.remote_address, None) is None
            with pytest.raises(anyio.TypedAttributeLookupError):
                server.extra(SocketAttribute.raw_socket)

    run(main)


def test_who_connects_to_nobody_is_refused_and_keeps_no_descriptor(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncipc.connect_tcp(LOOPBACK, 7)
        with pytest.raises(FileNotFoundError):
            await asyncipc.connect_unix("/tmp/nobody")
        with pytest.raises(FileNotFoundError):
            await asyncipc.create_connected_unix_datagram_socket("/tmp/nobody")
        with pytest.raises(FileNotFoundError):
            await asyncipc.create_unix_listener("/nowhere/server")
        assert posix.pipe() == (3, 4)

    run(main)


def test_a_cancelled_connect_keeps_no_descriptor(run: Run) -> None:
    async def main() -> None:
        server = await asyncipc.create_unix_listener(b"\0server", backlog=0)
        first = await asyncipc.connect_unix(b"\0server")
        with anyio.move_on_after(1) as scope:
            await asyncipc.connect_unix(b"\0server")
        assert scope.cancelled_caught
        assert posix.pipe() == (5, 6)
        first.close()
        server.close()

    run(main)


def test_closing_a_listener_wakes_who_accepts(run: Run) -> None:
    async def main() -> None:
        server = await asyncipc.create_tcp_listener(local_host=LOOPBACK)
        woken = anyio.Event()

        async def accepts() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await server.accept()
            woken.set()

        async with anyio.create_task_group() as group:
            group.start_soon(accepts)
            await anyio.sleep(1)
            server.close()
            await woken.wait()
        with pytest.raises(anyio.ClosedResourceError):
            await server.accept()

    run(main)


def test_a_listener_without_descriptors_keeps_its_connection(run: Run) -> None:
    async def main() -> None:
        server = await asyncipc.create_unix_listener(b"\0server")
        client = await asyncipc.connect_unix(b"\0server")
        posix.setrlimit(posix.RLIMIT_NOFILE, (5, 1024))
        with pytest.raises(OSError, match="Too many open files"):
            await server.accept()
        posix.setrlimit(posix.RLIMIT_NOFILE, (100, 1024))
        accepted = await server.accept()
        await client.send(b"still here")
        assert await accepted.receive() == b"still here"
        for channel in (accepted, client, server):
            channel.close()

    run(main)


def test_udp_items_are_data_and_address(run: Run) -> None:
    async def main() -> None:
        async with await asyncipc.create_udp_socket(local_host=LOOPBACK) as receiver:
            port = receiver.extra(SocketAttribute.local_port)
            async with await asyncipc.create_udp_socket(local_host=LOOPBACK) as sender:
                assert isinstance(sender, UDPSocket)
                await sender.sendto(b"one", LOOPBACK, port)
                await sender.send((b"", (LOOPBACK, port)))
                own = sender.extra(SocketAttribute.local_port)
                assert await receiver.receive() == (b"one", (LOOPBACK, own))
                assert await receiver.receive() == (b"", (LOOPBACK, own))

    run(main)


def test_a_connected_udp_socket_hears_its_peer_only_and_learns_of_its_absence(run: Run) -> None:
    async def main() -> None:
        async with await asyncipc.create_udp_socket(local_host=LOOPBACK) as server:
            port = server.extra(SocketAttribute.local_port)
            client = await asyncipc.create_connected_udp_socket(LOOPBACK, port)
            assert isinstance(client, ConnectedUDPSocket)
            await client.send(b"question")
            data, address = await server.receive()
            await server.send((data + b" answered", address))
            assert await client.receive() == b"question answered"
        await client.send(b"anybody?")
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await client.receive()
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)
        await client.aclose()

    run(main)


def test_unix_datagrams_have_paths_for_addresses(run: Run) -> None:
    async def main() -> None:
        server = await asyncipc.create_unix_datagram_socket(local_path="/tmp/server")
        client = await asyncipc.create_unix_datagram_socket(local_path="/tmp/client")
        nameless = await asyncipc.create_connected_unix_datagram_socket("/tmp/server")
        assert isinstance(server, UNIXDatagramSocket)
        assert isinstance(nameless, ConnectedUNIXDatagramSocket)
        await client.sendto(b"from client", "/tmp/server")
        assert await server.receive() == (b"from client", "/tmp/client")
        await nameless.send(b"from nobody")
        assert await server.receive() == (b"from nobody", "")
        for channel in (server, client, nameless):
            channel.close()

    run(main)


def test_a_unix_datagram_sender_waits_for_a_full_receiver(run: Run) -> None:
    async def main() -> list[bytes]:
        server = await asyncipc.create_unix_datagram_socket(local_path="/tmp/server")
        client = await asyncipc.create_connected_unix_datagram_socket("/tmp/server")
        for number in range(11):
            await client.send(b"%d" % number)
        with anyio.move_on_after(1) as scope:
            await client.send(b"never sent")
        assert scope.cancelled_caught
        got = []

        async def reads() -> None:
            await anyio.sleep(1)
            for _ in range(12):
                got.append((await server.receive())[0])

        async with anyio.create_task_group() as group:
            group.start_soon(reads)
            await client.send(b"11")
        server.close()
        client.close()
        return got

    assert run(main) == [b"%d" % number for number in range(12)]


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (("127.0.0.1",), TypeError),
        ((b"127.0.0.1", 80), TypeError),
        (("127.0.0.1", "80"), TypeError),
        (("127.0.0.1", 70_000), OverflowError),
        (("127.0.0.1", -1), OverflowError),
        (("a.host.by.name", 80), OSError),
        (80, TypeError),
    ],
)
def test_what_is_no_address_is_told(run: Run, address: Any, error: type[Exception]) -> None:
    async def main() -> None:
        fd = posix.socket()
        with pytest.raises(error):
            await posix.connect(fd, address)
        with pytest.raises(error):
            posix.bind(fd, address)
        posix.close(fd)

    run(main)


def test_closing_a_datagram_channel_wakes_who_waits_for_the_receivers_room(run: Run) -> None:
    async def main() -> None:
        server = await asyncipc.create_unix_datagram_socket(local_path="/tmp/server")
        client = await asyncipc.create_connected_unix_datagram_socket("/tmp/server")
        for _ in range(11):
            await client.send(b"x")

        async def sends() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await client.send(b"one too many")

        async with anyio.create_task_group() as group:
            group.start_soon(sends)
            await anyio.sleep(1)
            client.close()
        server.close()

    run(main)
