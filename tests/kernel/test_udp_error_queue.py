"""UDP's error queue (IP_RECVERR): what a sender can learn of what met nobody."""

from __future__ import annotations

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.ip.options import IP_RECVERR, IPPROTO_IP
from asyncipc.kernel.readiness import ERR
from asyncipc.kernel.sockets.ancillary import ControlRoom
from asyncipc.kernel.sockets.options import SO_ERROR, SO_RCVBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_ERRQUEUE, MSG_TRUNC, Message
from asyncipc.kernel.udp.socket import UdpSocket
from tests.kernel.helpers import failure, sleep_in
from tests.kernel.udp import Host

ECONNREFUSED = 111
MSG_CTRUNC = 0x8


def listener(host: Host) -> UdpSocket:
    socket = host.bound()
    socket.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    return socket


def mishap(host: Host, socket: UdpSocket, size: int = 100, room: int = 512) -> Message:
    control = ControlRoom(host.process, room, 0) if room else None
    message = socket.recvmsg(size, MSG_ERRQUEUE, control)
    assert isinstance(message, Message)
    return message


def test_an_unconnected_sender_is_told_and_gets_its_datagram_back() -> None:
    host = Host()
    socket, dead = listener(host), host.dead()
    host.send(socket, b"abc", dead)
    assert socket.poll() & ERR
    message = mishap(host, socket)
    assert (message.data, message.flags, message.address) == (b"abc", MSG_ERRQUEUE, dead)
    (level, kind, data), *rest = message.ancillary
    assert (level, kind, len(data), rest) == (IPPROTO_IP, IP_RECVERR, 32, [])
    assert data[:8] == bytes([ECONNREFUSED, 0, 0, 0, 2, 3, 3, 0])
    assert data[16:24] == bytes([2, 0, 0, 0, 127, 0, 0, 1])
    assert not socket.poll() & ERR
    assert failure(socket.recvmsg, 1, MSG_ERRQUEUE) == "EAGAIN"


def test_who_has_not_asked_is_told_nothing() -> None:
    host = Host()
    socket = host.bound()
    host.send(socket, b"abc", host.dead())
    assert not socket.poll() & ERR
    assert failure(socket.recvmsg, 1, MSG_ERRQUEUE) == "EAGAIN"


def test_each_error_is_the_next_calls_until_the_mishaps_are_taken() -> None:
    host = Host()
    socket, dead = listener(host), host.dead()
    host.send(socket, b"1", dead)
    assert failure(host.send, socket, b"2", dead) == "ECONNREFUSED"
    host.send(socket, b"3", dead)
    assert socket.getsockopt(SOL_SOCKET, SO_ERROR) == ECONNREFUSED
    assert mishap(host, socket).data == b"1"
    assert socket.error == ECONNREFUSED, "for the mishap that follows"
    assert mishap(host, socket).data == b"3"
    assert socket.error == 0


def test_a_reader_that_sleeps_wakes_with_the_errno() -> None:
    host = Host()
    socket = listener(host)
    waiter, _ = sleep_in(socket.recv, 10, 0)
    host.send(socket, b"1", host.dead())
    assert waiter.wakes == 1
    assert failure(socket.recv, 10, 0) == "ECONNREFUSED"
    assert socket.poll() & ERR, "the mishap is still there"


def test_data_and_report_are_cut_to_what_there_is_room_for() -> None:
    host = Host()
    socket, dead = listener(host), host.dead()
    found = []
    for room in (0, 20, 47, 48):
        host.send(socket, b"abc", dead)
        message = mishap(host, socket, 2, room)
        lengths = [len(data) for _, _, data in message.ancillary]
        found.append((message.data, message.flags & ~(MSG_ERRQUEUE | MSG_TRUNC), lengths))
        assert message.flags & MSG_TRUNC
    cut = (b"ab", MSG_CTRUNC)
    assert found == [(*cut, []), (*cut, [4]), (*cut, [31]), (b"ab", 0, [32])]


def test_icmp_quotes_so_much_of_a_datagram_and_no_more() -> None:
    host = Host()
    socket = listener(host)
    host.send(socket, bytes(5000), host.dead())
    assert len(mishap(host, socket, 5000).data) == 520


def test_a_datagram_that_is_too_long_is_a_mishap_of_this_host() -> None:
    host = Host()
    socket, dead = listener(host), host.dead()
    assert failure(host.send, socket, bytes(65508), dead) == "EMSGSIZE"
    assert (socket.error, bool(socket.poll() & ERR)) == (0, True)
    message = mishap(host, socket)
    report = message.ancillary[0][2]
    assert (message.data, report[:5], report[8:10]) == (b"", bytes([90, 0, 0, 0, 1]), b"\xff\xff")
    assert failure(host.send, socket, bytes(65536), dead) == "EMSGSIZE"
    assert failure(socket.recvmsg, 1, MSG_ERRQUEUE) == "EAGAIN", "that is refused before all else"


def test_mishaps_count_as_memory_and_stop_at_the_bound() -> None:
    host = Host()
    socket, dead = listener(host), host.dead()
    socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 2304)  # doubled: 4608
    for _ in range(10):
        host.send(socket, b"x", dead)
        socket.take_error()
    assert socket.memory()[0] == 5 * 832
    taken = [mishap(host, socket).data for _ in range(5)]
    assert (taken, socket.memory()[0]) == ([b"x"] * 5, 0)
    assert failure(socket.recvmsg, 1, MSG_ERRQUEUE) == "EAGAIN"


def test_switching_it_off_forgets_what_is_there() -> None:
    host = Host()
    socket = listener(host)
    host.send(socket, b"x", host.dead())
    socket.setsockopt(IPPROTO_IP, IP_RECVERR, 0)
    assert socket.memory()[0] == 0
    assert socket.take_error() == ECONNREFUSED
    assert not socket.poll() & ERR


def test_ipv6_sockets_refuse_it_by_name() -> None:
    socket = Host().bound("::1")
    socket.setsockopt(IPPROTO_IP, IP_RECVERR, 0)
    with pytest.raises(Unsupported, match="IP_RECVERR"):
        socket.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
