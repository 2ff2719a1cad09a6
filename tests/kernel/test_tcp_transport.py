"""The contract between a TCP socket and any transport: here one that only writes down its calls."""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.socket import SHUT_RD, SHUT_RDWR, SHUT_WR
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.tcp.states import State
from asyncipc.kernel.tcp.transport import Connection, Transport
from tests.kernel.helpers import failure, refused, sleep_in
from tests.kernel.tcp import Host, state


class Scripted:
    """A transport with ``room`` for so many bytes, whose peer is the test."""

    segment_max = 1000

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.room = 100

    def connect(self) -> None:
        self.calls.append("connect")

    def put(self, data: Buffer, done: int) -> int:
        taken = bytes(data[done : done + self.room])
        self.room -= len(taken)
        self.calls.append(taken)
        return len(taken)

    def put_urgent(self, data: Buffer, done: int) -> int:
        self.calls.append("urgent")
        return self.put(data, done)

    def taken(self) -> None:
        self.calls.append("taken")

    def stop_receiving(self) -> None:
        self.calls.append("stop_receiving")

    def finish(self, rest: bytes) -> None:
        self.calls.append(("finish", rest))

    def reset(self) -> None:
        self.calls.append("reset")

    def forget(self) -> None:
        self.calls.append("forget")

    def resize(self) -> None:
        self.calls.append("resize")

    def option_changed(self, level: int, option: int) -> None:
        """It heeds none."""

    def information(self) -> bytes:
        return b""

    def unacknowledged(self) -> int:
        return 100 - self.room

    def is_writable(self) -> bool:
        return self.room > 33

    def wakers(self) -> tuple[object, ...]:
        return ()


@pytest.fixture
def wired() -> tuple[TcpSocket, Scripted]:
    """A socket whose SYN has gone out through a scripted transport."""
    host = Host()
    socket, scripted = host.bound(), Scripted()
    transport: Transport = scripted
    socket.transport = transport
    socket.remote = InetAddress("127.0.0.1", 9)
    socket.state = State.SYN_SENT
    return socket, scripted


def test_socket_sends_nothing_before_the_handshake_is_over(
    wired: tuple[TcpSocket, Scripted],
) -> None:
    socket, transport = wired
    sleeper, _ = sleep_in(socket.write, b"early")
    connection: Connection = socket
    connection.established()
    assert sleeper.wakes == 1
    assert transport.calls == []


def test_bytes_that_are_delivered_are_read_and_the_transport_told(
    wired: tuple[TcpSocket, Scripted],
) -> None:
    socket, transport = wired
    socket.established()
    sleeper, refusal = sleep_in(socket.read, 9)
    socket.deliver(b"abc")
    assert sleeper.wakes == 1
    refusal.line.leave(sleeper)
    assert socket.read(9) == b"abc"
    assert transport.calls == ["taken"]


def test_full_transport_refuses_until_it_reports_room(wired: tuple[TcpSocket, Scripted]) -> None:
    socket, transport = wired
    socket.established()
    assert socket.write(b"x" * 120) == 100
    assert socket.unsent() == 100
    sleeper, refusal = sleep_in(socket.write, b"y")
    transport.room = 50
    socket.room_made()
    assert sleeper.wakes == 1
    refusal.line.leave(sleeper)
    assert socket.write(b"y") == 1


def test_fin_waits_for_its_acknowledgement_and_the_peers(
    wired: tuple[TcpSocket, Scripted],
) -> None:
    socket, transport = wired
    socket.established()
    socket.shutdown(SHUT_WR)
    assert state(socket) == State.FIN_WAIT1
    socket.finish_acknowledged()
    assert state(socket) == State.FIN_WAIT2
    socket.deliver(b"more")
    socket.peer_finished()
    assert state(socket) == State.CLOSE  # TIME-WAIT is not the socket's any more
    assert (socket.read(9), socket.read(9)) == (b"more", b"")
    assert transport.calls == [("finish", b""), "forget"]


def test_fins_that_cross_meet_in_closing(wired: tuple[TcpSocket, Scripted]) -> None:
    socket, _ = wired
    socket.established()
    socket.shutdown(SHUT_WR)
    socket.peer_finished()
    assert state(socket) == State.CLOSING
    socket.finish_acknowledged()
    assert state(socket) == State.CLOSE


def test_socket_that_reads_no_more_says_so_once_its_fin_is_out(
    wired: tuple[TcpSocket, Scripted],
) -> None:
    socket, transport = wired
    socket.established()
    socket.shutdown(SHUT_RD)
    assert transport.calls == []
    socket.shutdown(SHUT_RDWR)
    assert transport.calls == [("finish", b""), "stop_receiving"]


def test_reset_and_failure_end_the_connection_with_their_errno(
    wired: tuple[TcpSocket, Scripted],
) -> None:
    socket, transport = wired
    socket.established()
    socket.deliver(b"kept")
    socket.failed(errno.EHOSTUNREACH)
    assert socket.read(9) == b"kept"
    assert failure(socket.read, 9) == "EHOSTUNREACH"
    socket.peer_reset()
    assert (socket.error, transport.calls) == (0, ["forget"])


def test_orphan_waits_for_its_acknowledgement_then_for_the_peer(
    wired: tuple[TcpSocket, Scripted],
) -> None:
    socket, _ = wired
    socket.established()
    socket.drop()
    assert state(socket) == State.FIN_WAIT1
    socket.finish_acknowledged()
    assert state(socket) == State.FIN_WAIT2
    socket.kernel.inet.tcp.sweep(60_000_000_000)
    assert state(socket) == State.CLOSE


def test_hanging_reader_is_refused(wired: tuple[TcpSocket, Scripted]) -> None:
    socket, _ = wired
    assert refused(socket.recv, 1, 0)
    assert socket.poll() == 0
