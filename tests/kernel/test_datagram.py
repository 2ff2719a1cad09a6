from __future__ import annotations

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, RDHUP
from asyncipc.kernel.sockets.options import SO_ERROR, SO_PASSCRED, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    Message,
)
from asyncipc.kernel.unix.datagram import DatagramEndpoint, datagram_pair
from tests.kernel.helpers import failure, hold, refused, sleep_in


def new_pair(flags: int = 0) -> tuple[DatagramEndpoint, DatagramEndpoint]:
    pair = datagram_pair(Kernel(), flags)
    hold(*pair)
    return pair


def fill(endpoint: DatagramEndpoint, size: int) -> int:
    count = 0
    while isinstance(endpoint.write(bytes(size)), int):
        count += 1
    return count


def test_boundaries_are_kept_and_a_short_read_drops_the_rest() -> None:
    a, b = new_pair()
    for data in (b"first", b"", b"third"):
        assert a.write(data) == len(data)
    assert b.unread() == 5
    assert b.recv(9, MSG_PEEK) == b"first"
    assert [b.recv(2, 0), b.recv(9, 0), b.recv(9, 0)] == [b"fi", b"", b"third"]
    assert refused(b.recv, 1, 0)


def test_an_empty_datagram_is_readable() -> None:
    a, b = new_pair()
    a.write(b"")
    assert b.poll() & IN
    assert b.unread() == 0


def test_a_recv_of_nothing_drops_a_datagram_and_a_read_of_nothing_does_not() -> None:
    a, b = new_pair()
    a.write(b"one")
    a.write(b"two")
    assert b.read(0) == b""
    assert b.recv(0, 0) == b""
    assert b.recv(9, 0) == b"two"


def test_the_first_send_to_a_closed_peer_is_refused_and_then_nobody_is_connected() -> None:
    a, b = new_pair()
    b.write(b"read")
    b.write(b"lost")
    b.drop()
    assert a.recv(9, 0) == b"read"
    assert [failure(a.write, b"x") for _ in range(3)] == ["ECONNREFUSED", "ENOTCONN", "ENOTCONN"]
    assert refused(a.recv, 9, 0)  # with the association goes what had come by it
    assert a.poll() & OUT


def test_a_datagram_goes_whole_or_not() -> None:
    a, _ = new_pair()
    assert failure(a.write, bytes(a.send_limit - 31)) == "EMSGSIZE"
    assert a.write(bytes(a.send_limit - 32)) == a.send_limit - 32


def test_a_sender_sleeps_until_a_quarter_is_left() -> None:
    a, b = new_pair()
    assert fill(a, 1) == 278
    sender, _ = sleep_in(a.write, b"x")
    b.recv(1, 0)
    assert sender.wakes == 0
    while a.in_flight * 4 > a.send_limit:
        b.recv(1, 0)
    assert sender.wakes == 1


def test_a_closed_receiver_frees_what_was_on_its_way_and_wakes_the_sender() -> None:
    a, b = new_pair()
    fill(a, 1000)
    sender, refusal = sleep_in(a.write, b"x")
    b.drop()
    assert sender.wakes == 1
    refusal.line.try_again(sender)
    assert failure(a.write, b"x") == "ECONNREFUSED"


def test_shut_halves() -> None:
    a, b = new_pair()
    a.shutdown(SHUT_WR)
    assert failure(a.write, b"x") == "EPIPE"
    a.shutdown(SHUT_RD)
    assert failure(b.write, b"x") == "EPIPE"
    assert a.recv(1, 0) == b""
    assert a.poll() & (IN | HUP | RDHUP) == IN | HUP | RDHUP
    assert not b.poll() & (HUP | RDHUP)


def test_after_a_shutdown_a_nonblocking_recv_still_refuses() -> None:
    a, _ = new_pair(O_NONBLOCK)
    a.shutdown(SHUT_RDWR)
    assert refused(a.recv, 1, 0)


class Room:
    """A host with a receiver bound to ``@inbox`` and a sender connected to it."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.me = self.kernel.init
        self.inbox, self.sender = self.socket(b"\0inbox"), self.socket()
        self.sender.connect(self.me, b"\0inbox")

    def socket(self, name: bytes | None = None) -> DatagramEndpoint:
        made = DatagramEndpoint(self.kernel)
        made.hold()
        if name is not None:
            made.bind(self.me, name)
        return made


def received(answer: object) -> Message:
    assert isinstance(answer, Message)
    return answer


def test_the_senders_name_is_told_as_it_is_when_the_datagram_is_read() -> None:
    room = Room()
    room.sender.write(b"one")
    assert received(room.inbox.recvmsg(9, MSG_PEEK)).address is None
    room.sender.bind(room.me, b"\0sender")
    room.sender.drop()
    assert room.inbox.recvmsg(9, 0) == Message(b"one", 3, 0, b"\0sender")


def test_a_cut_datagram_says_so() -> None:
    a, b = new_pair()
    a.write(b"abcdef")
    assert b.recvmsg(3, MSG_PEEK) == Message(b"abc", 6, MSG_TRUNC)
    assert b.recvmsg(6, 0) == Message(b"abcdef", 6)
    with pytest.raises(Unsupported, match="recv_into"):
        b.recv(3, MSG_TRUNC)


def test_urgent_data_is_not_for_datagrams() -> None:
    a, _ = new_pair()
    assert failure(a.send, b"x", MSG_OOB) == failure(a.recv, 1, MSG_OOB) == "EOPNOTSUPP"
    assert failure(a.at_mark) == "EOPNOTSUPP"


def test_a_connected_socket_hears_nobody_but_its_peer() -> None:
    room = Room()
    other, peer = room.socket(), room.socket(b"\0peer")
    room.inbox.connect(room.me, b"\0peer")
    assert failure(other.sendto, b"x", 0, b"\0inbox", room.me) == "EPERM"
    assert failure(other.connect, room.me, b"\0inbox") == "EPERM"
    assert failure(room.sender.write, b"x") == "EPERM"
    assert peer.sendto(b"y", 0, b"\0inbox", room.me) == 1
    assert room.inbox.getpeername() == b"\0peer"
    assert failure(peer.getpeername) == "ENOTCONN"


def test_to_connect_elsewhere_discards_what_came_and_tells_the_former_mutual_peer() -> None:
    a, b = new_pair()
    b.write(b"old")
    a.connect(Kernel().init, None)
    assert refused(a.recv, 9, 0)
    assert b.poll() & ERR
    assert b.getsockopt(SOL_SOCKET, SO_ERROR) == 104
    assert b.write(b"new") == 3
    assert a.recv(9, 0) == b"new"
    assert failure(a.write, b"x") == "ENOTCONN"


def test_a_first_connect_keeps_what_came() -> None:
    room = Room()
    room.sender.write(b"early")
    room.socket(b"\0peer")
    room.inbox.connect(room.me, b"\0peer")
    assert room.inbox.recv(9, 0) == b"early"


def test_a_receiver_holds_eleven_and_each_read_lets_the_next_in_line_go_on() -> None:
    room = Room()
    other = room.socket()
    assert fill(room.sender, 1) == 11
    assert not room.sender.poll() & OUT
    assert other.poll() & OUT
    first, line = sleep_in(room.sender.write, b"first")
    second, _ = sleep_in(other.sendto, b"second", 0, b"\0inbox", room.me)
    room.inbox.recv(1, 0)
    assert (first.wakes, second.wakes) == (1, 0)
    assert refused(other.sendto, b"overtakes", 0, b"\0inbox", room.me)
    line.line.try_again(first)
    assert room.sender.write(b"first") == 5
    line.line.leave(first)
    room.inbox.recv(1, 0)
    assert second.wakes >= 1


def test_mutually_connected_sockets_and_one_that_sends_to_itself_are_bound_by_memory_only() -> None:
    room = Room()
    room.sender.bind(room.me, b"\0sender")
    room.inbox.connect(room.me, b"\0sender")
    assert fill(room.sender, 1) == 278
    alone = room.socket(b"\0self")
    alone.connect(room.me, b"\0self")
    assert fill(alone, 1) == 278


def test_memory_counts_over_all_receivers_and_comes_back_from_each() -> None:
    room = Room()
    second = room.socket(b"\0second")
    assert fill(room.sender, 30_000) == 7
    assert refused(room.sender.sendto, bytes(30_000), 0, b"\0second", room.me)
    room.inbox.drop()
    assert room.sender.unsent() == 0
    assert room.sender.sendto(bytes(30_000), 0, b"\0second", room.me) == 30_000
    assert second.unread() == 30_000


def test_a_poller_of_a_held_back_sender_is_told_of_room_and_of_the_receivers_end() -> None:
    for end in (lambda room: room.inbox.recv(1, 0), lambda room: room.inbox.drop()):
        room = Room()
        fill(room.sender, 1)
        poller, _ = sleep_in(room.sender.write, b"x")
        queue = room.sender.write_queue()
        queue.watch(poller)
        assert not room.sender.poll() & OUT
        before = poller.wakes
        end(room)
        assert poller.wakes > before
        assert room.sender.poll() & OUT


def test_shutting_the_receiver_does_not_wake_who_waits_for_room() -> None:
    room = Room()
    fill(room.sender, 1)
    sleeper, _ = sleep_in(room.sender.write, b"x")
    room.inbox.shutdown(SHUT_RD)
    assert sleeper.wakes == 0
    room.inbox.recv(1, 0)
    assert sleeper.wakes == 1
    assert failure(room.sender.write, b"x") == "EPIPE"


def test_who_wants_credentials_gets_a_name_to_be_answered_at() -> None:
    room = Room()
    room.sender.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    assert room.sender.getsockname() == b""
    room.sender.write(b"x")
    assert room.sender.getsockname() == b"\x0000001"
    assert received(room.inbox.recvmsg(1, 0)).address == b"\x0000001"


def test_errors_of_a_send_come_in_the_kernels_order() -> None:
    room = Room()
    alone = room.socket()
    assert failure(alone.write, bytes(300_000)) == "EMSGSIZE"
    assert failure(alone.write, b"x") == "ENOTCONN"
    assert failure(alone.sendto, b"x", 0, b"", room.me) == "EINVAL"
    assert failure(alone.sendto, b"x", 0, b"\0nobody", room.me) == "ECONNREFUSED"
    assert failure(alone.sendto, b"x", 0, b"nothing", room.me) == "ENOENT"
    alone.shutdown(SHUT_WR)
    assert failure(alone.write, b"x") == "EPIPE"
    assert failure(alone.sendto, b"x", 0, b"\0nobody", room.me) == "EPIPE"
