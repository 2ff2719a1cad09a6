"""What goes through UNIX sockets: datagrams held back, cut and refused, urgent bytes, low water."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.kernel.readiness import OUT, PRI
from asyncipc.kernel.sockets.options import SO_PASSCRED, SO_RCVLOWAT
from asyncipc.kernel.sockets.options import SOL_SOCKET as LEVEL
from asyncipc.kernel.sockets.socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_TRUNC,
    MSG_WAITALL,
    SHUT_RD,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
)

Run = Callable[..., Any]
NAME = "/tmp/inbox"


def bound(kind: int) -> int:
    fd = posix.socket(AF_UNIX, kind)
    posix.bind(fd, NAME)
    return fd


def test_a_full_receiver_holds_senders_back_and_nothing_is_lost(run: Run) -> None:
    async def sends(number: int) -> None:
        fd = posix.socket(AF_UNIX, SOCK_DGRAM)
        posix.bind(fd, b"\0sender-%d" % number)
        for count in range(40):
            await posix.sendto(fd, b"%d" % count, NAME)

    async def main() -> None:
        inbox = bound(SOCK_DGRAM)
        pids = [posix.fork(sends, number) for number in range(3)]
        got: dict[object, list[int]] = {}
        for _ in range(120):
            data, sender = await posix.recvfrom(inbox, 99)
            got.setdefault(sender, []).append(int(data))
        assert got == {b"\0sender-%d" % number: list(range(40)) for number in range(3)}
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_sleeping_senders_are_refused_when_the_receiver_closes(run: Run) -> None:
    async def main() -> None:
        inbox, sender = bound(SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        await posix.connect(sender, NAME)
        for _ in range(11):
            await posix.send(sender, b"x")
        ends: list[int | None] = []

        async def send(to: str | None) -> None:
            with pytest.raises(OSError, match=r"refused|not connected") as caught:
                await (posix.sendto(sender, b"y", to) if to else posix.send(sender, b"y"))
            ends.append(caught.value.errno)

        async with anyio.create_task_group() as group:
            group.start_soon(send, None)
            await anyio.sleep(1)
            group.start_soon(send, NAME)
            group.start_soon(send, None)
            await anyio.sleep(1)
            posix.close(inbox)
        assert sorted(map(str, ends)) == sorted(
            map(str, [errno.ECONNREFUSED, errno.ECONNREFUSED, errno.ENOTCONN])
        )

    run(main)


def test_a_poller_for_room_at_a_receiver_is_woken_by_a_read(run: Run) -> None:
    async def main() -> None:
        inbox, sender = bound(SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK)
        await posix.connect(sender, NAME)
        with pytest.raises(BlockingIOError):
            for _ in range(12):
                await posix.send(sender, b"x")
        async with anyio.create_task_group() as group:
            group.start_soon(posix.poll, [(sender, OUT)])
            await anyio.sleep(1)
            await posix.recv(inbox, 1)
        assert await posix.poll([(sender, OUT)], 0) == [(sender, OUT)]

    run(main)


def test_a_reader_of_a_shut_datagram_socket_is_woken_with_nothing(run: Run) -> None:
    async def main() -> None:
        a, _ = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        got: list[bytes] = []

        async def read() -> None:
            got.append(await posix.recv(a, 9))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.sleep(1)
            posix.shutdown(a, SHUT_RD)
        assert got == [b""]
        with pytest.raises(BlockingIOError):
            await posix.recv(a, 9, MSG_DONTWAIT)

    run(main)


@pytest.mark.parametrize("kind", [SOCK_DGRAM, SOCK_SEQPACKET])
def test_a_cut_message_tells_its_length_and_its_rest_is_gone(run: Run, kind: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        for _ in range(3):
            await posix.send(a, b"abcdef")
        assert await posix.recvmsg(b, 3) == (b"abc", [], MSG_TRUNC, None)
        room = bytearray(3)
        assert await posix.recv_into(b, room, 0, MSG_TRUNC) == 6
        assert bytes(room) == b"abc"
        assert await posix.recv(b, 9, MSG_WAITALL) == b"abcdef"

    run(main)


def test_a_recv_that_waits_for_a_low_water_mark_sleeps_until_it_is_there(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair()
        posix.setsockopt(b, LEVEL, SO_RCVLOWAT, 3)
        got: list[bytes] = []

        async def read() -> None:
            got.append(await posix.recv(b, 9))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for byte in b"abc":
                await anyio.sleep(1)
                assert not got
                await posix.send(a, bytes([byte]))
        assert got == [b"abc"]

    run(main)


def test_an_urgent_byte_wakes_a_poller_for_it(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair()
        async with anyio.create_task_group() as group:
            group.start_soon(posix.poll, [(b, PRI)])
            await anyio.sleep(1)
            await posix.send(a, b"abc", MSG_OOB)
        assert await posix.recv(b, 9) == b"ab"
        assert posix.ioctl(b, posix.SIOCATMARK) == 1
        assert await posix.recv(b, 9, MSG_OOB) == b"c"

    run(main)


@pytest.mark.simulated("credentials tell pids, which needs isolation='process'")
def test_who_asks_for_credentials_can_be_answered(run: Run) -> None:
    async def main() -> None:
        inbox, asker = bound(SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        posix.setsockopt(asker, LEVEL, SO_PASSCRED, 1)
        await posix.sendto(asker, b"who?", NAME)
        _, address = await posix.recvfrom(inbox, 9)
        assert address == posix.getsockname(asker)
        assert address
        await posix.sendto(inbox, b"me", address)
        assert await posix.recv(asker, 9) == b"me"

    run(main)


def test_a_dissolved_association_frees_both(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        await posix.send(b, b"lost")
        await posix.connect(a, None)
        with pytest.raises(ConnectionResetError):
            await posix.recv(b, 1)
        with pytest.raises(OSError, match="not connected"):
            await posix.send(a, b"x")

    run(main)
