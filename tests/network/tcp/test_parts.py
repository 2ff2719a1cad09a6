"""The parts of one end: time-outs, congestion windows, the scoreboard, buffers, TCP_INFO."""

from __future__ import annotations

from itertools import pairwise

import pytest

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from asyncipc.kernel.tcp.options import TCP_CONGESTION, TCP_INFO, TCP_MAXSEG
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.tcp.agreed import Agreed, offered_window
from asyncipc.network.tcp.congestion import Cubic, Reno, cube_root
from asyncipc.network.tcp.estimator import MILLISECOND, RTO_MAX, Estimator
from asyncipc.network.tcp.numbers import MASK, is_older, unwrap
from asyncipc.network.tcp.receiver import Receiver
from asyncipc.network.tcp.scoreboard import Scoreboard, Sent
from tests.network.tcp.exchange import Exchange, drain, transport

# -- numbers


def test_numbers_go_on_beyond_32_bits() -> None:
    assert unwrap(5, MASK - 5) == MASK + 6
    assert unwrap(MASK, MASK + 6) == MASK
    assert unwrap(7, 7) == 7


def test_a_stamp_is_older_by_the_shorter_way_round() -> None:
    assert is_older(MASK, 3)
    assert not is_older(3, MASK)
    assert not is_older(3, 3)


# -- time-outs


def test_the_timeout_is_the_round_trip_and_at_least_200_ms() -> None:
    estimator = Estimator()
    assert estimator.timeout == 1000 * MILLISECOND
    for turn in range(20):
        estimator.sample(10 * MILLISECOND, turn, turn + 1)
    assert estimator.timeout == 210 * MILLISECOND


def test_a_round_trip_that_varies_makes_the_timeout_longer() -> None:
    estimator = Estimator()
    for turn in range(100):
        estimator.sample((100 if turn % 2 else 900) * MILLISECOND, turn, turn + 1)
    assert 1200 * MILLISECOND < estimator.timeout < 3000 * MILLISECOND


def test_the_timeout_doubles_up_to_two_minutes_until_an_answer_comes() -> None:
    estimator = Estimator()
    estimator.sample(10 * MILLISECOND, 0, 1)
    for _ in range(30):
        estimator.back_off()
    assert estimator.timeout == RTO_MAX
    estimator.sample(10 * MILLISECOND, 1, 2)
    assert estimator.timeout < 300 * MILLISECOND


# -- congestion


def test_reno_doubles_per_round_trip_then_adds_one() -> None:
    reno = Reno()
    reno.threshold = 40
    seen = []
    for _ in range(5):
        reno.acknowledged(reno.window, 0, 0)
        seen.append(reno.window)
    assert seen == [20, 40, 41, 42, 43]
    reno.lost()
    assert reno.threshold == 21


def test_cubic_comes_back_to_where_it_lost_flattens_and_goes_beyond() -> None:
    cubic = Cubic()
    cubic.window, cubic.threshold = 1000, 1
    cubic.lost()
    cubic.window = cubic.threshold
    assert cubic.window == 700
    seen = [700]
    round_trip = 100 * MILLISECOND
    for turn in range(1, 200):
        cubic.acknowledged(cubic.window, turn * round_trip, round_trip)
        seen.append(cubic.window)
    assert seen == sorted(seen)
    seconds = cube_root(300 * 2_500_000_000) / 1000  # K, about 9 s
    assert 9.0 < seconds < 9.2
    steps = [later - earlier for earlier, later in pairwise(seen)]
    assert 980 <= seen[round(seconds * 10)] <= 1020
    assert max(steps[85:97]) <= 3 < min(max(steps[:20]), max(steps[160:]))


@pytest.mark.parametrize("number", [0, 1, 7, 8, 26, 27, 10**18, 10**18 - 1, 12345678901234567890])
def test_the_cube_root_is_the_whole_one(number: int) -> None:
    root = cube_root(number)
    assert root**3 <= number < (root + 1) ** 3


# -- the scoreboard


def board_of(count: int) -> Scoreboard:
    board = Scoreboard()
    for index in range(count):
        board.add(Sent(index * 100, b"x" * 100, 1, 0, fin=False))
    return board


def test_three_that_have_arrived_make_all_before_them_lost() -> None:
    board = board_of(8)
    board.sack(300, 500, 100)
    assert not board.mark_lost()
    board.sack(300, 600, 100)
    assert board.mark_lost()
    assert (board.out, board.sacked, board.lost, board.pipe) == (8, 3, 3, 2)
    assert [sent.lost for sent in board.entries] == [True] * 3 + [False] * 5


def test_a_big_segment_is_cut_where_its_parts_have_different_fates() -> None:
    board = Scoreboard()
    board.add(Sent(0, bytes(range(100)) * 10, 10, 0, fin=True))
    assert board.sack(300, 700, 100) == 4
    assert board.mark_lost()
    assert [(sent.start, sent.end, sent.sacked, sent.lost) for sent in board.entries] == [
        (0, 300, False, True),
        (300, 700, True, False),
        (700, 1001, False, False),
    ]
    again = board.next_lost(2, 100)
    assert again is not None
    assert (again.start, again.end) == (0, 200)
    board.resend(again, 5, 1001)
    assert board.pipe == 3 + 2
    assert board.acknowledge(700, 100) == 3
    assert (board.out, board.sacked, board.lost, board.resent) == (3, 0, 0, 0)
    assert b"".join(sent.data for sent in board.entries) == (bytes(range(100)) * 10)[700:]


# -- what comes out of order


def test_pieces_are_put_together_whatever_their_order_and_overlaps() -> None:
    receiver = Receiver(Agreed(0, -1, 100), 1000, 100)
    data = bytes(range(100))
    for start, stop in ((50, 60), (70, 90), (55, 75), (40, 45), (52, 58)):
        assert receiver.take(start, data[start:stop]) == []
    assert receiver.blocks == [(50, 90), (40, 45)]
    assert b"".join(receiver.take(0, data[:47])) == data[:47]
    assert b"".join(receiver.take(30, data[30:52])) == data[47:90]
    assert (receiver.next, receiver.blocks, receiver.pieces) == (90, [], [])


def test_what_is_beyond_the_window_is_cut_off() -> None:
    receiver = Receiver(Agreed(0, -1, 100), 50, 100)
    assert b"".join(receiver.take(0, b"x" * 80)) == b"x" * 50


def test_the_window_never_shrinks() -> None:
    receiver = Receiver(Agreed(0, -1, 100, receive_scale=3), 64_000, 1000)
    receiver.take(0, b"x" * 16_000)
    assert receiver.offer(16_000, 20_000) << 3 == 48_000
    assert receiver.edge == 64_000


# -- buffers


def test_the_window_of_a_syn_is_of_whole_segments() -> None:
    assert offered_window(131_072, 1460) == (64_240, 7)
    assert offered_window(4000, 1460) == (1460, 0)


def test_buffers_grow_with_a_fast_program() -> None:
    exchange = Exchange()
    client, server = exchange.client, exchange.server
    assert client.getsockopt(SOL_SOCKET, SO_SNDBUF) == 46_080
    for _ in range(300):
        while not isinstance(client.write(b"x" * 65_536), WouldBlock):
            pass
        exchange.after(0.001)
        drain(server)
    assert client.getsockopt(SOL_SOCKET, SO_SNDBUF) == 4_194_304
    assert server.getsockopt(SOL_SOCKET, SO_RCVBUF) == 6_291_456


def test_buffers_that_the_program_has_set_stay() -> None:
    exchange = Exchange((SOL_SOCKET, SO_SNDBUF, 20_000), (SOL_SOCKET, SO_RCVBUF, 30_000))
    for _ in range(100):
        while not isinstance(exchange.client.write(b"x" * 65_536), WouldBlock):
            pass
        exchange.after(0.001)
        drain(exchange.server)
    assert exchange.client.getsockopt(SOL_SOCKET, SO_SNDBUF) == 40_000
    assert exchange.server.getsockopt(SOL_SOCKET, SO_RCVBUF) == 60_000


def test_a_sender_that_found_no_room_may_go_on_when_a_third_is_free() -> None:
    exchange = Exchange((SOL_SOCKET, SO_SNDBUF, 20_000))
    client = exchange.client
    assert client.write(b"x" * 50_000) == 40_000
    assert isinstance(client.write(b"x"), WouldBlock)
    assert not transport(client).is_writable()
    assert client.unsent() == 40_000
    exchange.after(1)
    assert transport(client).is_writable()
    assert client.unsent() == 0


# -- options


def test_maxseg_bounds_what_a_segment_carries() -> None:
    exchange = Exchange((IPPROTO_TCP, TCP_MAXSEG, 1000))
    assert exchange.client.getsockopt(IPPROTO_TCP, TCP_MAXSEG) == 988
    exchange.client.write(b"x" * 5000)
    exchange.after(1)
    big = next(segment for segment in exchange.trace.segments if len(segment.data) > 988)
    assert max(len(car.data) for car in big.train(1500)) == 988


@pytest.mark.parametrize(("name", "kind"), [(b"reno", Reno), (b"cubic", Cubic)])
def test_congestion_control_is_named_by_an_option(name: bytes, kind: type[Reno]) -> None:
    exchange = Exchange((IPPROTO_TCP, TCP_CONGESTION, name))
    assert type(transport(exchange.client).sender.congestion) is kind
    exchange.client.setsockopt(IPPROTO_TCP, TCP_CONGESTION, b"reno")
    assert type(transport(exchange.client).sender.congestion) is Reno


def test_keepalive_can_be_switched_while_the_connection_stands() -> None:
    exchange = Exchange()
    exchange.client.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    assert exchange.lab.heap.next_due() is not None
    exchange.client.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 0)
    assert exchange.lab.heap.next_due() is None


def test_tcp_info_tells_the_round_trip_and_what_was_sent() -> None:
    exchange = Exchange()
    exchange.trace.lose(exchange.a, 1)
    exchange.client.write(b"x" * 1000)
    exchange.after(1)
    told = exchange.client.getsockopt(IPPROTO_TCP, TCP_INFO)
    assert isinstance(told, bytes)

    def word(offset: int, size: int = 4) -> int:
        return int.from_bytes(told[offset : offset + size], "little")

    assert (told[0], told[6]) == (1, 0x77)
    assert word(16) == 1448
    assert 2000 <= word(68) < 30_000  # tcpi_rtt, microseconds
    assert word(100) == 1  # tcpi_total_retrans
    assert word(120, 8) == 1000  # tcpi_bytes_acked
    assert word(200, 8) == 2000  # tcpi_bytes_sent
    assert word(208, 8) == 1000  # tcpi_bytes_retrans
