from __future__ import annotations

import pytest

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, RDHUP
from asyncipc.kernel.sockets.options import SO_PEEK_OFF, SO_RCVLOWAT, SO_SNDBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
)
from asyncipc.kernel.unix.memory import packet_memory
from asyncipc.kernel.unix.stream import StreamEndpoint, stream_pair
from tests.kernel.helpers import failure, hold, refused, sleep_in


def new_pair() -> tuple[StreamEndpoint, StreamEndpoint]:
    pair = stream_pair(Kernel())
    hold(*pair)
    return pair


def fill(endpoint: StreamEndpoint, size: int) -> list[int]:
    counts = []
    while isinstance(count := endpoint.write(bytes(size)), int):
        counts.append(count)
    return counts


def mask(endpoint: StreamEndpoint) -> int:
    return endpoint.poll() & (IN | OUT | HUP | RDHUP | ERR)


@pytest.mark.parametrize(
    ("size", "memory"), [(1, 768), (1000, 2304), (4096, 4864), (16384, 17152), (36544, 37120)]
)
def test_the_memory_of_a_packet(size: int, memory: int) -> None:
    assert packet_memory(size) == memory


@pytest.mark.parametrize(
    ("size", "sends", "total"),
    [(1, 278, 278), (1000, 93, 93_000), (4096, 44, 44 * 4096), (1_000_000, 1, 219_264)],
)
def test_how_much_fits_into_the_default_buffer(size: int, sends: int, total: int) -> None:
    counts = fill(new_pair()[0], size)
    assert (len(counts), sum(counts)) == (sends, total)


def test_memory_comes_back_with_the_last_byte_of_a_packet() -> None:
    a, b = new_pair()
    fill(a, 4096)
    assert b.recv(4095, 0) == bytes(4095)
    assert refused(a.write, b"x")
    b.recv(1, 0)
    assert a.write(b"x") == 1


def test_a_sleeping_sender_is_woken_at_a_quarter_and_a_new_send_passes_before() -> None:
    a, b = new_pair()
    fill(a, 4096)
    sender, _ = sleep_in(a.write, b"x")
    b.recv(4096, 0)
    assert (sender.wakes, mask(a) & OUT) == (0, 0)
    assert a.write(b"overtakes") == 9
    while not mask(a) & OUT:
        assert sender.wakes == 0
        b.recv(4096, 0)
    assert sender.wakes == 1
    assert a.in_flight * 4 <= a.send_limit


def test_sends_merge_and_peek_takes_nothing() -> None:
    a, b = new_pair()
    a.write(b"abc")
    a.write(b"def")
    assert b.unread() == 6
    assert b.recv(5, MSG_PEEK) == b"abcde"
    assert b.recv(4, 0) == b"abcd"
    assert b.read(9) == b"ef"


def test_nothing_there_is_refused_and_a_read_of_nothing_is_not() -> None:
    a, _ = new_pair()
    assert refused(a.recv, 1, 0)
    assert refused(a.recv, 0, 0)
    assert a.read(0) == b""


def test_a_close_after_all_was_read_is_an_end() -> None:
    a, b = new_pair()
    b.write(b"last")
    b.drop()
    assert mask(a) == IN | OUT | HUP | RDHUP
    assert [a.recv(9, 0), a.recv(9, 0)] == [b"last", b""]
    with pytest.raises(BrokenPipeSignal):
        a.write(b"x")


def test_a_close_with_unread_data_is_a_reset_that_is_told_once() -> None:
    a, b = new_pair()
    a.write(b"unread")
    b.write(b"data first")
    b.drop()
    assert mask(a) == IN | OUT | HUP | RDHUP | ERR
    assert failure(a.write, b"x") == "EPIPE"
    assert a.recv(99, 0) == b"data first"
    assert failure(a.recv, 1, 0) == "ECONNRESET"
    assert a.recv(1, 0) == b""
    assert mask(a) == IN | OUT | HUP | RDHUP


@pytest.mark.parametrize(
    ("how", "peer_mask", "own_mask"),
    [
        (SHUT_WR, IN | OUT | RDHUP, OUT),
        (SHUT_RD, OUT, IN | OUT | RDHUP),
        (SHUT_RDWR, IN | OUT | HUP | RDHUP, IN | OUT | HUP | RDHUP),
    ],
)
def test_each_half_is_shut_on_both_sides(how: int, peer_mask: int, own_mask: int) -> None:
    a, b = new_pair()
    a.shutdown(how)
    a.shutdown(how)
    assert (mask(b), mask(a)) == (peer_mask, own_mask)


def test_after_a_half_close_the_other_direction_works() -> None:
    a, b = new_pair()
    a.write(b"data")
    a.shutdown(SHUT_WR)
    assert failure(a.write, b"x") == "EPIPE"
    assert [b.recv(9, 0), b.recv(9, 0)] == [b"data", b""]
    b.write(b"back")
    assert a.recv(9, 0) == b"back"


def test_a_peer_that_does_not_receive_is_a_broken_pipe() -> None:
    a, b = new_pair()
    b.shutdown(SHUT_RD)
    with pytest.raises(BrokenPipeSignal):
        a.write(b"x")
    assert b.recv(1, 0) == b""


def test_a_send_of_nothing_leaves_no_trace_and_meets_a_closed_peer() -> None:
    a, b = new_pair()
    assert a.write(b"") == 0
    assert refused(b.recv, 1, 0)
    b.drop()
    assert failure(a.write, b"") == "EPIPE"


def test_nosignal_suppresses_the_signal() -> None:
    a, b = new_pair()
    b.drop()
    with pytest.raises(BrokenPipeError) as caught:
        a.send(b"x", MSG_NOSIGNAL)
    assert not isinstance(caught.value, BrokenPipeSignal)


def test_sleepers_are_woken_by_shutdown_and_close() -> None:
    a, b = new_pair()
    reader, refusal = sleep_in(b.recv, 1, 0)
    a.shutdown(SHUT_WR)
    assert reader.wakes == 1
    refusal.line.leave(reader)
    fill(b, 4096)
    writer, _ = sleep_in(b.write, b"x")
    a.drop()
    assert writer.wakes == 1


def test_a_bad_how_is_einval() -> None:
    a, _ = new_pair()
    assert failure(a.shutdown, 3) == "EINVAL"
    assert failure(a.shutdown, -1) == "EINVAL"


def test_a_small_send_buffer_holds_little_and_a_larger_one_wakes_who_sleeps_for_room() -> None:
    a, b = new_pair()
    a.setsockopt(SOL_SOCKET, SO_SNDBUF, 1)
    assert a.getsockopt(SOL_SOCKET, SO_SNDBUF) == 4608
    assert len(fill(a, 1)) == 6
    sender, _ = sleep_in(a.write, b"x")
    a.setsockopt(SOL_SOCKET, SO_SNDBUF, 5000)
    assert sender.wakes == 0  # more than a quarter is in flight still
    a.setsockopt(SOL_SOCKET, SO_SNDBUF, 100_000)
    assert sender.wakes == 1
    assert b.unread() == 6


def test_what_is_in_flight_is_told_as_memory() -> None:
    a, b = new_pair()
    a.write(b"abc")
    assert (a.unsent(), b.unread()) == (768, 3)
    b.recv(3, 0)
    assert a.unsent() == 0


def test_only_a_call_that_waits_minds_the_low_water_mark() -> None:
    a, b = new_pair()
    b.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 3)
    a.write(b"ab")
    assert mask(b) & IN
    reader, refusal = sleep_in(b.recv, 9, 0)
    assert b.recv(1, MSG_PEEK) == b"a"
    a.write(b"c")
    assert reader.wakes == 1
    refusal.line.try_again(reader)
    assert b.recv(9, 0) == b"abc"
    a.write(b"de")
    assert b.recv(9, MSG_DONTWAIT) == b"de"


def test_less_than_the_low_water_mark_is_read_at_once_by_who_wants_less_and_at_the_end() -> None:
    a, b = new_pair()
    b.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 3)
    a.write(b"abc")
    assert b.recv(2, 0) == b"ab"
    assert refused(b.recv, 9, 0)
    a.shutdown(SHUT_WR)
    assert b.recv(9, 0) == b"c"


def test_with_a_peek_offset_each_peek_goes_on_and_each_read_takes_it_back() -> None:
    a, b = new_pair()
    assert b.getsockopt(SOL_SOCKET, SO_PEEK_OFF) == -1
    b.setsockopt(SOL_SOCKET, SO_PEEK_OFF, 0)
    a.write(b"abcdef")
    assert [b.recv(2, MSG_PEEK), b.recv(2, MSG_PEEK)] == [b"ab", b"cd"]
    assert b.read(3) == b"abc"
    assert b.getsockopt(SOL_SOCKET, SO_PEEK_OFF) == 1
    assert b.recv(9, MSG_PEEK) == b"ef"
    assert refused(b.recv, 9, MSG_PEEK)


def test_an_unconnected_socket_hangs_up_and_can_neither_send_nor_receive() -> None:
    socket = StreamEndpoint(Kernel())
    assert mask(socket) == OUT | HUP
    assert failure(socket.write, b"x") == "ENOTCONN"
    assert failure(socket.recv, 1, 0) == failure(socket.read, 1) == "EINVAL"
    assert failure(socket.getpeername) == "ENOTCONN"
    assert socket.getsockname() == b""
    socket.shutdown(SHUT_RDWR)
    assert mask(socket) == IN | OUT | HUP | RDHUP


def test_a_stream_takes_no_address() -> None:
    kernel = Kernel()
    a, _ = stream_pair(kernel)
    assert failure(a.sendto, b"x", 0, b"name", kernel.init) == "EISCONN"
    alone = StreamEndpoint(kernel)
    assert failure(alone.sendto, b"x", 0, b"name", kernel.init) == "EOPNOTSUPP"
    assert failure(alone.connect, kernel.init, None) == "EINVAL"
